"""`lockstep bench`: measure this engine on this machine, with servers of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import typer

from lockstep.bench.figures import Figures, here, latency, nomatch, throughput
from lockstep.bench.loop import loop
from lockstep.bench.matching import fairness, match
from lockstep.bench.sleep import sleepers
from lockstep.bench.takeover import takeover
from lockstep.cli import logs, output

QUICK: Final = ("throughput", "latency", "nomatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured of what takes minutes: the figures that are only shown by name."""

    delays: int = 10_000
    spread_seconds: float = 60.0
    sleepers: int = 100_000
    iterations: int = 10_000


def bench(
    wanted: Sequence[str],
    runs: int,
    events: int,
    rounds: int,
    sizes: Sizes = Sizes(),
    *,
    as_json: bool,
) -> None:
    """Measure one thing after the other, and show all figures together.

    Where none is named, those that are quick.

    Raises:
        BenchFailed: The engine did not do what it must.
    """
    benches: dict[str, Callable[[], Coroutine[Any, Any, Figures]]] = {
        "throughput": lambda: throughput(runs, rounds),
        "latency": lambda: latency(events),
        "nomatch": lambda: nomatch(2 * runs),
        "sleepers": lambda: sleepers(sizes.delays, sizes.spread_seconds, sizes.sleepers),
        "takeover": lambda: takeover(rounds),
        "loop": lambda: loop(sizes.iterations),
        "match": lambda: match(2 * runs),
        "fairness": lambda: fairness(2 * runs),
    }
    for name in wanted:
        if name not in benches:
            raise typer.BadParameter(f"no figure {name!r}; there are {', '.join(benches)}")
    logs.silence()
    machine, versions = here()
    found: dict[str, Any] = {}
    for name in wanted or QUICK:
        output.tell(f"measuring {name}")
        found |= msgspec.to_builtins(asyncio.run(benches[name]()))
    if as_json:
        output.show_json({**found, "machine": machine, "versions": versions})
        return
    rows = [(name, str(value)) for name, value in found.items()]
    rows.append(("machine", machine))
    output.show(output.table(("figure", "value"), rows))
