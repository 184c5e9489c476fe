"""`bench`: the benchmark, on servers of its own."""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
import typer

from lockstep.bench.figures import Figures, latency, throughput
from lockstep.cli.output import errors, print_json, print_table


def bench(wanted: Sequence[str], runs: int, events: int, *, as_json: bool) -> None:
    """Measure, one figure after the other."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    benches = {"throughput": lambda: throughput(runs), "latency": lambda: latency(events)}
    unknown = [name for name in wanted if name not in benches]
    if unknown:
        raise typer.BadParameter(f"no figure '{unknown[0]}'; there are {', '.join(benches)}")
    found: dict[str, Figures] = {}
    for name in wanted or benches:
        errors.print(f"measuring {name} ...")
        found[name] = asyncio.run(benches[name]())
    if as_json:
        print_json(found)
        return
    rows = [
        (name, figure, value)
        for name, figures in found.items()
        for figure, value in msgspec.to_builtins(figures).items()
        if figure not in {"machine", "versions"}
    ]
    print_table(["bench", "figure", "value"], rows)
