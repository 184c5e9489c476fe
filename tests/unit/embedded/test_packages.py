"""What is said when the extra `embedded` is not installed."""

import pytest

from lockstep.embedded import packages
from lockstep.model.errors import ServerUnfit


def test_both_packages_are_found() -> None:
    """They are part of the environment for tests."""
    assert packages.nats_server().name == "nats-server"
    assert (packages.postgres_programs() / "initdb").is_file()


def test_a_missing_nats_server_says_how_to_install_it() -> None:
    """The image, for one, does without."""
    with pytest.raises(ServerUnfit, match=r"NATS server is missing.*lockstep\[embedded\]"):
        packages.nats_server("of-nobody")


def test_a_missing_postgres_says_how_to_install_it() -> None:
    """The image, for one, does without."""
    with pytest.raises(ServerUnfit, match=r"PostgreSQL is missing.*lockstep\[embedded\]"):
        packages.postgres_programs("of_nobody")


def test_a_package_without_its_program_says_so() -> None:
    """Such as one for another platform."""
    with pytest.raises(ServerUnfit, match="has no program nats-server"):
        packages.nats_server("pytest")
    with pytest.raises(ServerUnfit, match="has no programs of PostgreSQL"):
        packages.postgres_programs("lockstep")
