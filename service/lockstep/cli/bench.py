"""`lockstep bench`: measure this engine on this machine, with servers of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import typer

from lockstep.bench.figures import Figures, here, latency, nomatch, throughput
from lockstep.cli import logs, output


def bench(wanted: Sequence[str], runs: int, events: int, rounds: int, *, as_json: bool) -> None:
    """Measure one thing after the other, and show all figures together.

    Raises:
        BenchFailed: The engine did not do what it must.
    """
    benches: dict[str, Callable[[], Coroutine[Any, Any, Figures]]] = {
        "throughput": lambda: throughput(runs, rounds),
        "latency": lambda: latency(events),
        "nomatch": lambda: nomatch(2 * runs),
    }
    for name in wanted:
        if name not in benches:
            raise typer.BadParameter(f"no figure {name!r}; there are {', '.join(benches)}")
    logs.silence()
    machine, versions = here()
    found: dict[str, Any] = {}
    for name in wanted or benches:
        output.tell(f"measuring {name}")
        found |= msgspec.to_builtins(asyncio.run(benches[name]()))
    if as_json:
        output.show_json({**found, "machine": machine, "versions": versions})
        return
    rows = [(name, str(value)) for name, value in found.items()]
    rows.append(("machine", machine))
    output.show(output.table(("figure", "value"), rows))
