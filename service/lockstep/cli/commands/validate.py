"""`lockstep validate`: judge automations in files, without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from lockstep.cli.options import AsJson, Paths
from lockstep.cli.terminal import output

EXAMPLES: Final = ("validate flows/", "validate door.yaml --strict", "validate . --json")


def command(
    paths: Paths,
    strict: Annotated[
        bool, typer.Option("--strict", help="An action that is not known here is a fault.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong in files; needs no server."""
    if not validate(paths, strict=strict, as_json=as_json):
        raise typer.Exit(1)


def validate(paths: Sequence[Path], *, strict: bool, as_json: bool) -> bool:
    """Say all faults of the files; whether there are none."""
    from lockstep.catalog import build_catalog, load_plugins
    from lockstep.cli.files import documents, verdicts
    from lockstep.cli.terminal.changes import fault_json
    from lockstep.telemetry import logs

    logs.silence()
    catalog = build_catalog(open=True)
    for failure in load_plugins(catalog):
        output.tell(f"plug-in '{failure.plugin}' is left out: {failure.error}", "yellow")
    loaded = documents.load(paths)
    faults = verdicts.faults_of(loaded, catalog, strict=strict)
    wrong = sum(fault.severity == "error" for fault in faults)
    is_valid = bool(loaded.documents or loaded.types) and not wrong
    if as_json:
        output.show_json({"valid": is_valid, "faults": [fault_json(fault) for fault in faults]})
        return is_valid
    for fault in faults:
        output.show_line(str(fault))
    automations = f"{len(loaded.documents)} automations"
    if loaded.types:
        automations += f" and {output.count(len(loaded.types), 'type')} of triggers"
    if wrong:
        output.tell(f"{automations}, {output.count(wrong, 'fault')}")
    elif is_valid:
        output.tell(f"{automations} are valid")
    else:
        output.complain(f"there is no automation in {', '.join(map(str, paths))}")
    return is_valid
