"""The sample automations of `lockstep dev`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lockstep.cli.files import documents
from lockstep.cli.files.plan import plan
from lockstep.cli.files.rollout import carry_out
from lockstep.cli.terminal import output
from lockstep.client.remote import Remote
from lockstep.definition.documents import Document

SAMPLES: Final = "dev"
"""Who manages the sample automations: `apply --prune` leaves them alone."""


def read() -> list[Document]:
    """Read the sample automations of the checkout that this package is in."""
    folder = Path(__file__).parents[4] / "deploy" / "samples"
    if not folder.is_dir():
        output.tell("no sample automations: they are in the checkout of the project only")
        return []
    loaded = documents.load(sorted(folder.glob("*.yaml")))
    for fault in loaded.faults:
        output.tell(f"sample left out: {fault}", "yellow")
    return loaded.documents


async def store(remote: Remote, samples: Sequence[Document]) -> None:
    """Create the samples, or bring them up to date; those that somebody took over are his."""
    made = plan(await remote.automations(), samples, managed_by=SAMPLES)
    ours = [
        change
        for change in made.changes
        if change.current is None or change.current.managed_by == SAMPLES
    ]
    await carry_out(remote, ours, managed_by=SAMPLES)
