"""`lockstep config`: the settings in force."""

import msgspec

from lockstep.cli import output
from lockstep.config import Loaded


def show(loaded: Loaded, *, as_json: bool) -> None:
    """Show every setting with its value and its source; secrets masked."""
    if as_json:
        output.show_json(
            {name: {"value": value, "source": source} for name, value, source in loaded.shown()}
        )
        return
    rows = [
        (name, msgspec.json.encode(value).decode(), source)
        for name, value, source in loaded.shown()
    ]
    output.show(output.table(("setting", "value", "source"), rows))
