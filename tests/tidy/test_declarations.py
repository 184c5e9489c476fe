"""What is declared: it is used, stands once, and says why."""

from collections.abc import Mapping
from typing import Final

from declared import (
    dead,
    idle_exceptions,
    invariants_of,
    repeated_classes,
    repeated_docstrings,
    undefined_invariants,
    unexplained_numbers,
)
from sources import ROOT, SERVICE, Tree, product, read, samples, suite

PAGE: Final = ROOT / "docs" / "ARCHITECTURE.md"

# Used by somebody who does not stand in the tree, by whom.
USED_BY_OTHERS: Final[Mapping[str, str]] = {
    "Commands.resolve_command": "typer",
    "EVENT_NAMES": "the table that tests/tidy holds log lines and run events against",
    "Fire.from_thread": "plug-ins, whose libraries call back from threads of their own",
    "LOG_NAMES": "the table that tests/tidy holds log lines and run events against",
    "MemoryCatalog.complete": "the tests of plug-ins, which register one after the other",
    "SetupFire.from_thread": "plug-ins, see `Fire.from_thread`",
    "Wire._attempt_reconnect": "nats-py",
    "Wire._connect_command": "nats-py",
    "Wire._connect_to_server": "nats-py",
    "Wire._process_connect_init": "nats-py",
    "Wire._send_ping": "nats-py",
    "_PlainDumper.ignore_aliases": "PyYAML",
    "_Ids.generate_span_id": "OpenTelemetry",
    "_Ids.generate_trace_id": "OpenTelemetry",
    "_Loader.ascend_resolver": "PyYAML",
    "_Loader.descend_resolver": "PyYAML",
    "_Loader.yaml_implicit_resolvers": "PyYAML",
    "_Connection.connection_lost": "asyncio",
    "_Connection.connection_made": "asyncio",
    "_Connection.on_response_complete": "uvicorn",
    "_Server.capture_signals": "uvicorn",
    "_SourceDumper.ignore_aliases": "PyYAML",
}
# Numbers that nobody has chosen: units.
UNITS: Final[Mapping[str, str]] = {
    "SECOND": "a second",
    "_SECOND": "a second",
    "_MILLISECOND": "a millisecond",
}


def service() -> Tree:
    """What is ours alone; the schemas are also there for who speaks with us from outside."""
    return Tree([source for source in product() if source.path.is_relative_to(SERVICE)])


def test_nothing_is_declared_that_nothing_uses() -> None:
    assert dead(service(), [product(), samples()], USED_BY_OTHERS) == []


def test_every_declaration_that_others_use_is_still_there() -> None:
    assert idle_exceptions(service(), USED_BY_OTHERS) == []


def test_the_name_of_a_class_stands_once_but_for_a_port_and_its_adapter() -> None:
    assert repeated_classes(service()) == []


def test_a_docstring_is_said_once_at_the_port() -> None:
    assert repeated_docstrings(service()) == []


def test_every_number_that_somebody_has_chosen_says_why() -> None:
    assert unexplained_numbers(product(), UNITS) == []


def test_every_invariant_that_is_cited_is_defined() -> None:
    everything = Tree([*product(), *suite(), *read(ROOT / "deploy")])
    assert undefined_invariants(everything, invariants_of(PAGE.read_text())) == []
