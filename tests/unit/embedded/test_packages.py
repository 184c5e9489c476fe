"""What is said when the extra `embedded` is not installed."""

import importlib.metadata
import importlib.util

import pytest

from lockstep.embedded import packages
from lockstep.model.errors import ServerUnfit


def test_both_packages_are_found() -> None:
    """They are part of the environment for tests."""
    assert packages.nats_server().name == "nats-server"
    assert (packages.postgres_programs() / "initdb").is_file()


def test_a_missing_nats_server_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image, for one, does without."""

    def files(package: str) -> None:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(packages, "files", files)
    with pytest.raises(ServerUnfit, match=r"NATS server is missing.*lockstep\[embedded\]"):
        packages.nats_server()


def test_a_missing_postgres_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image, for one, does without."""
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    with pytest.raises(ServerUnfit, match=r"PostgreSQL is missing.*lockstep\[embedded\]"):
        packages.postgres_programs()


def test_a_package_without_its_program_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one for another platform."""
    monkeypatch.setattr(packages, "files", lambda _: None)
    with pytest.raises(ServerUnfit, match="has no program nats-server"):
        packages.nats_server()
    monkeypatch.setattr(packages, "find_spec", lambda _: importlib.util.find_spec("lockstep"))
    with pytest.raises(ServerUnfit, match="has no programs of PostgreSQL"):
        packages.postgres_programs()
