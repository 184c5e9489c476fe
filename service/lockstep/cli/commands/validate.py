"""`lockstep validate`: judge automations in files, without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.options import AsJson, Paths
from lockstep.cli.terminal import output
from lockstep_schemas.base import JsonObject

if TYPE_CHECKING:
    from lockstep.definition.documents import Document
    from lockstep.definition.faults import Fault
    from lockstep.model.types import Catalog

EXAMPLES: Final = (
    "validate flows/",
    "validate door.yaml --strict",
    "validate door.yaml --explain",
    "validate . --json",
)


def command(
    paths: Paths,
    strict: Annotated[
        bool, typer.Option("--strict", help="An action that is not known here is a fault.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what starts each, what it does, how long it may take."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong in files; needs no server."""
    if not validate(paths, strict=strict, explain=explain, as_json=as_json):
        raise typer.Exit(1)


def validate(paths: Sequence[Path], *, strict: bool, as_json: bool, explain: bool = False) -> bool:
    """Say all faults of the files; whether there are none."""
    from lockstep.cli.silence import silence

    silence()  # first, see there
    from lockstep.catalog import build_catalog, load_plugins
    from lockstep.cli.files import documents, verdicts
    from lockstep.cli.terminal.changes import fault_json

    catalog = build_catalog(open=True)
    for failure in load_plugins(catalog):
        output.tell(f"plug-in '{failure.plugin}' is left out: {failure.error}", "yellow")
    loaded = documents.load(paths)
    faults = verdicts.faults_of(loaded, catalog, strict=strict)
    wrong = sum(fault.severity == "error" for fault in faults)
    is_valid = bool(loaded.documents or loaded.types) and not wrong
    texts = _explained(loaded.documents, faults, catalog) if explain else []
    if as_json:
        told: JsonObject = {"valid": is_valid, "faults": [fault_json(fault) for fault in faults]}
        output.show_json({**told, "explained": texts} if explain else told)
        return is_valid
    for fault in faults:
        output.show_line(str(fault))
    for text in texts:
        output.show_line(f"{text['explanation']}\n")
    number = len(loaded.documents)
    automations = output.count(number, "automation")
    if loaded.types:
        automations += f" and {output.count(len(loaded.types), 'type')} of triggers"
    if wrong:
        output.tell(f"{automations}, {output.count(wrong, 'fault')}")
    elif is_valid:
        verb = "is" if (number, len(loaded.types)) in {(1, 0), (0, 1)} else "are"
        output.tell(f"{automations} {verb} valid")
    else:
        output.complain(f"there is no automation in {', '.join(map(str, paths))}")
    return is_valid


def _explained(
    some: "Sequence[Document]", faults: "Sequence[Fault]", catalog: "Catalog"
) -> list[dict[str, str]]:
    """Put into words what each automation does that stands in a file without a fault."""
    from lockstep.definition.explain import explained
    from lockstep.definition.stored import parse

    wrong = {fault.file for fault in faults if fault.severity == "error"}
    return [
        {
            "file": one.file,
            "name": one.name,
            "explanation": "\n".join(explained(parse(one.definition), catalog)),
        }
        for one in some
        if one.file not in wrong
    ]
