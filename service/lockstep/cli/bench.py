"""`lockstep bench`: measure this engine on this machine, with servers of its own."""

import asyncio
from collections.abc import Sequence

import msgspec
import typer

from lockstep.bench.figures import Figures, latency, throughput
from lockstep.cli import logs, output

BENCHES = ("throughput", "latency")


def bench(wanted: Sequence[str], runs: int, events: int, *, as_json: bool) -> None:
    """Measure one figure after the other.

    Raises:
        BenchFailed: The engine did not do what it must.
    """
    for name in wanted:
        if name not in BENCHES:
            raise typer.BadParameter(f"no figure {name!r}; there are {', '.join(BENCHES)}")
    logs.silence()
    found: dict[str, Figures] = {}
    for name in wanted or BENCHES:
        output.tell(f"measuring {name}")
        found[name] = asyncio.run(throughput(runs) if name == "throughput" else latency(events))
    if as_json:
        output.show_json(msgspec.to_builtins(found))
        return
    rows = [
        (name, figure, str(value))
        for name, figures in found.items()
        for figure, value in msgspec.to_builtins(figures).items()
        if figure != "versions"
    ]
    output.show(output.table(("bench", "figure", "value"), rows))
