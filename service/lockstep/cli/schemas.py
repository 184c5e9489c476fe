"""`lockstep schemas`: what crosses the edge, in files."""

from pathlib import Path

from lockstep import contract
from lockstep.cli import output


def schemas(folder: Path, *, check: bool) -> bool:
    """Write the files, or say which are not current; False if `check` finds one."""
    changes = contract.changes(folder)
    if not check:
        contract.write(folder)
    for change in changes:
        output.tell(f"{folder}/{change.path}: {change.what}", "red" if check else "")
    if not changes:
        output.tell(f"{folder}: all is current")
    return not (check and changes)
