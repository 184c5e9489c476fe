"""`lockstep errors`: what a code of an error says."""

from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("errors", "errors run.not_found", "errors --reference > ERRORS.md")


def command(
    code: Annotated[str | None, typer.Argument(help="Only this one.", show_default=False)] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="All codes, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Explain the codes of errors."""
    from lockstep.cli import silence  # noqa: F401 - first, see there
    from lockstep.cli.files import error_codes

    if reference and not as_json:
        typer.echo(error_codes.page(), nl=False)
    else:
        _show(code, as_json=as_json)


def _show(code: str | None, *, as_json: bool) -> None:
    """List all codes, or explain one.

    Raises:
        NoSuchCode: There is none like it.
    """
    from lockstep.cli.files.error_codes import NoSuchCode, explained

    found = [one for one in explained() if code in {None, one.error}]
    if not found:
        raise NoSuchCode(f"no error has the code '{code}'; `lockstep errors` lists all")
    if as_json:
        output.show_json(msgspec.to_builtins(found if code is None else found[0]))
    elif code is None:
        rows = [(one.error, f"{one.code} ({one.status})", one.what) for one in found]
        output.show(output.table(("error", "code", "what happened"), rows))
    else:
        (one,) = found
        output.show_line(f"{one.error}: {one.code} ({one.status})")
        output.show_line(one.what)
        output.show_line(one.advice)
