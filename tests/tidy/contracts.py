"""The contracts of imports: who may import whom, by name; what is exempt, and why."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from sources import Import, Tree

STATIONS: Final = frozenset(
    {
        "intake", "matching", "gate", "launch", "walk", "checkpoint", "report",
        "wake", "replicas", "cancel",
    }
)  # fmt: skip
ADAPTERS: Final = frozenset({"store", "bus", "fetch", "secrets", "telemetry"})

# The parts of the tree, lowest first; those of one row do not import one another.
# `version` is `lockstep/__init__.py`. A longer name is a part of its own.
LAYERS: Final[Sequence[Set[str]]] = (
    {"version", "lockstep_schemas"},
    {"model", "bus.settings", "fetch.settings"},
    {"ports", "render", "schedule", "settings"},
    STATIONS,
    {"catalog", "definition"},
    {"pipeline"},
    {"control", "cases"},
    ADAPTERS | {"embedded"},
    {"contract", "client"},
    {"engine.listeners", "engine.housekeeping", "testbed.clock", "testbed.stubs"},
    {"engine", "testbed.seams"},
    {"engine.process", "testbed", "console"},
    {"bench"},
    {"cli"},
    {"__main__"},
)

# They put together what the others are: to them everything below is open. What stands beside them
# in their folders and puts nothing together has a contract of its own.
COMPOSITION_ROOTS: Final = frozenset({"__main__", "engine", "testbed", "console"})

VALUES: Final = frozenset({"version", "lockstep_schemas", "model"})

# What each part may import beside itself.
MAY_IMPORT: Final[Mapping[str, Set[str]]] = {
    "version": frozenset(),
    "lockstep_schemas": frozenset(),
    "model": {"lockstep_schemas"},
    "bus.settings": frozenset(),
    "fetch.settings": frozenset(),
    "ports": VALUES,
    "render": VALUES,
    "schedule": VALUES,
    # The settings of the bus and of HTTP stand beside what obeys them.
    "settings": VALUES | {"bus.settings", "fetch.settings"},
    # What a station needs of another it is handed as a port.
    **dict.fromkeys(STATIONS, VALUES | {"ports"}),
    "catalog": VALUES | {"ports", "render", "schedule"},
    "definition": VALUES | {"ports", "render", "schedule"},
    "pipeline": VALUES | STATIONS | {"ports", "schedule"},
    "control": VALUES | {"ports", "schedule", "catalog", "definition", "pipeline", "walk"},
    "cases": VALUES | {"ports", "render", "schedule", "catalog", "definition"},
    "store": VALUES | {"ports"},
    "bus": VALUES | {"ports", "bus.settings"},
    "fetch": VALUES | {"ports", "fetch.settings"},
    "secrets": VALUES | {"ports", "settings"},
    "telemetry": VALUES | {"ports", "settings"},
    "embedded": VALUES,
    "contract": VALUES | {"control", "cases", "definition", "settings"},
    # It says too, in the same words as of NATS, that the database of an engine does not answer.
    "client": VALUES | {"ports", "settings", "bus.settings", "bus", "store"},
    # Told what is committed, whoever else is: it knows them by the port.
    "engine.listeners": VALUES | {"ports"},
    "engine.housekeeping": VALUES | {"ports", "settings", "store"},
    # A process with an engine in it, which is made by others.
    "engine.process": VALUES | {"settings", "engine"},
    # What the worlds of cases hand to an engine as its clock, its seams and its actions.
    "testbed.clock": VALUES,
    "testbed.stubs": VALUES | {"catalog"},
    "testbed.seams": VALUES | {"ports", "testbed.clock"},
    "bench": VALUES
    | {"ports", "settings", "bus.settings", "catalog", "store", "bus", "telemetry", "embedded"}
    | {"client", "engine", "engine.process"},
    # Not the stations, nor what joins them: a command asks the engine, or what lies at the edge.
    "cli": VALUES
    | {"ports", "render", "schedule", "settings", "bus.settings", "fetch.settings"}
    | {"catalog", "definition", "control", "cases", "contract", "client", "embedded"}
    | {"store", "bus", "telemetry", "engine", "engine.process", "testbed", "bench"},
}

# Single imports against the table, (importer, imported): why. One that is gone is taken out here.
EXCEPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("lockstep.client.database", "lockstep.store.pool"): "what the driver says of a server that is "
    "away, to commands that open the database themselves; the client has no other use of it",
}

# A driver is known to one part, which hides it from all others.
DRIVERS: Final[Mapping[str, str]] = {
    "asyncpg": "store", "nats": "bus", "nkeys": "bus", "aiohttp": "fetch",
    "jinja2": "render", "regex": "render", "re2": "render",
    "cronsim": "schedule", "jsonschema_rs": "catalog",
    "prometheus_client": "telemetry", "uvicorn": "telemetry", "opentelemetry": "telemetry",
    "typer": "cli", "rich": "cli",
}  # fmt: skip


@dataclass(frozen=True)
class Contracts:
    """Such a table; that of the tree is `CONTRACTS`."""

    layers: Sequence[Set[str]]
    may_import: Mapping[str, Set[str]]
    roots: Set[str] = frozenset()
    exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def part_of(self, module: str) -> str:
        """Name the part that a module belongs to: the longest name of the table, or its folder."""
        top, _, rest = module.partition(".")
        if top != "lockstep":
            return top
        words = rest.split(".") if rest else ["version"]
        known = self.may_import.keys() | self.roots
        for count in range(len(words), 0, -1):
            if (name := ".".join(words[:count])) in known:
                return name
        return words[0]

    def strays(self, sources: Tree) -> list[str]:
        """Say which imports no contract allows, and which modules have no contract at all."""
        unknown = {
            f"{source.at(1)}: the part `{part}` has no contract"
            for source in sources
            if (part := self.part_of(source.module)) not in self.may_import.keys() | self.roots
        }
        return sorted(unknown) + [
            f"{found}: `{self.part_of(found.importer.module)}` may not"
            for found in sources.imports
            if found.is_ours and not self._allows(found)
        ]

    def _allows(self, found: Import) -> bool:
        ours, theirs = self.part_of(found.importer.module), self.part_of(found.target)
        if ours == theirs or ours in self.roots:
            return True
        if ours not in self.may_import:
            return True  # said once, for the whole part
        return theirs in self.may_import[ours] or self._is_exempt(found)

    def _is_exempt(self, found: Import) -> bool:
        return (found.importer.module, found.target) in self.exceptions

    def climbs(self, sources: Tree) -> list[str]:
        """Say which imports lead from a lower layer to a higher one."""
        height = {part: row for row, parts in enumerate(self.layers) for part in parts}
        # What has no contract is taken for the highest: nothing below may lean on it.
        return [
            str(found)
            for found in sources.imports
            if found.is_ours
            and height.get(self.part_of(found.importer.module), len(self.layers))
            < height.get(self.part_of(found.target), len(self.layers))
        ]

    def idle_exceptions(self, sources: Tree) -> list[str]:
        """Say which exceptions nothing needs any more."""
        there = {(found.importer.module, found.target) for found in sources.imports}
        return [f"{ours} imports {theirs}" for ours, theirs in self.exceptions.keys() - there]

    def contradictions(self) -> list[str]:
        """Say where the table itself is wrong: a part without a layer, a contract that climbs."""
        height = {part: row for row, parts in enumerate(self.layers) for part in parts}
        parts = self.may_import.keys() | self.roots
        wrong = [f"{part} stands in no layer" for part in sorted(parts - height.keys())]
        wrong += [f"{part} has no contract" for part in sorted(height.keys() - parts)]
        return wrong + [
            f"{part} may import {other}, which is not below it"
            for part, allowed in self.may_import.items()
            for other in sorted(allowed)
            if height.get(other, len(height)) >= height.get(part, 0)
        ]

    def share_of_roots(self, sources: Tree) -> float:
        """Give the share of lines, 0 to 1, that may import everything."""
        lines = {source.module: len(source.lines) for source in sources}
        free = sum(
            count
            for module, count in lines.items()
            if self.part_of(module) in self.roots
            or self.part_of(module) not in self.may_import  # no contract forbids it anything
        )
        return free / max(1, sum(lines.values()))


def driver_strays(sources: Tree, contracts: Contracts, drivers: Mapping[str, str]) -> list[str]:
    """Say who imports a driver that is another's."""
    return [
        str(found)
        for found in sources.imports
        if (home := drivers.get(found.target.partition(".")[0]))
        and home != contracts.part_of(found.importer.module).partition(".")[0]
    ]


CONTRACTS: Final = Contracts(LAYERS, MAY_IMPORT, COMPOSITION_ROOTS, EXCEPTIONS)
