"""`lockstep bench`: measure this engine on this machine, with servers of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
import typer

from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.bench.figures import Figures

    _Bench: TypeAlias = Callable[[], Coroutine[Any, Any, Figures]]

EXAMPLES: Final = (
    "bench",
    "bench latency --events 2000",
    "bench sleepers --sleepers 10000",
    "bench timeouts --delays 2000 --beside ../lockstep-before",
)

QUICK: Final = ("throughput", "latency", "nomatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured of what takes minutes: the figures that are only shown by name."""

    delays: int
    spread_seconds: float
    sleepers: int
    iterations: int


def command(
    figures: Annotated[
        list[str] | None,
        typer.Argument(
            help="throughput, latency, nomatch (those if none is named); io, sleepers, takeover, "
            "loop, match, fairness, budget, timeouts, expiry, armed."
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=100, help="Runs to measure throughput with.")] = 5000,
    events: Annotated[int, typer.Option(min=20, help="Events to measure latency with.")] = 500,
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds of throughput, io, armed, --beside.")
    ] = 3,
    delays: Annotated[
        int, typer.Option(min=1, help="Runs, waits, holds to measure lateness with.")
    ] = 10_000,
    spread: Annotated[
        float, typer.Option(min=0.1, help="Seconds over which these are due.")
    ] = 60.0,
    sleepers: Annotated[int, typer.Option(min=10, help="Runs that sleep meanwhile.")] = 100_000,
    iterations: Annotated[
        int, typer.Option(min=10, max=10_000, help="Iterations of the loop.")
    ] = 10_000,
    beside: Annotated[
        Path | None, typer.Option(help="Another tree of Lockstep, measured in turn.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the engine, with servers of its own."""
    sizes = Sizes(delays=delays, spread_seconds=spread, sleepers=sleepers, iterations=iterations)
    bench(figures or [], runs, events, rounds, sizes, as_json=as_json, beside=beside)


def bench(
    wanted: Sequence[str],
    runs: int,
    events: int,
    rounds: int,
    sizes: Sizes,
    *,
    as_json: bool,
    beside: Path | None = None,
) -> None:
    """Measure one thing after the other, and show all figures together.

    Where none is named, those that are quick. With another tree of Lockstep each figure is measured
    with the engine of that one, too, in every round.

    Raises:
        BenchFailed: The engine did not do what it must.
    """
    from lockstep.bench.compare import compare
    from lockstep.bench.figures import here
    from lockstep.cli.silence import silence

    benches = _benches(runs, events, rounds if beside is None else 1, sizes)
    for name in wanted:
        if name not in benches:
            raise typer.BadParameter(f"no figure {name!r}; there are {', '.join(benches)}")
    silence()
    machine, versions = here()
    found: dict[str, Any] = {}
    for name in wanted or QUICK:
        output.tell(f"measuring {name}")
        measure = partial(_measure, benches[name])
        figures = measure() if beside is None else compare(measure, beside, rounds)
        found |= msgspec.to_builtins(figures)
    if as_json:
        output.show_json({**found, "machine": machine, "versions": versions})
        return
    rows = [(name, str(value)) for name, value in found.items()]
    rows.append(("machine", machine))
    output.show(output.table(("figure", "value"), rows))


def _benches(runs: int, events: int, rounds: int, sizes: Sizes) -> "dict[str, _Bench]":
    """Give what measures each figure, in these sizes."""
    from lockstep.bench.deadlines import armed, expiry, timeouts
    from lockstep.bench.figures import io, latency, nomatch, throughput
    from lockstep.bench.loop import loop
    from lockstep.bench.matching import budget, fairness, match
    from lockstep.bench.sleep import sleepers
    from lockstep.bench.takeover import takeover

    return {
        "throughput": lambda: throughput(runs, rounds),
        "io": lambda: io(runs, rounds),
        "latency": lambda: latency(events),
        "nomatch": lambda: nomatch(2 * runs),
        "sleepers": lambda: sleepers(sizes.delays, sizes.spread_seconds, sizes.sleepers),
        "takeover": lambda: takeover(rounds),
        "loop": lambda: loop(sizes.iterations),
        "match": lambda: match(2 * runs),
        "fairness": lambda: fairness(2 * runs),
        "budget": lambda: budget(max(events, 100)),
        "timeouts": lambda: timeouts(sizes.delays, sizes.spread_seconds),
        "expiry": lambda: expiry(sizes.delays),
        "armed": lambda: armed(2 * runs, sizes.sleepers, rounds),
    }


def _measure(run: "_Bench") -> "Figures":
    return asyncio.run(run())
