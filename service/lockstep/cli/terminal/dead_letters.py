"""Dead letters, and what became of them."""

from rich.text import Text

from lockstep.cli.terminal import output
from lockstep_schemas import dead


def draw(detail: dead.DeadDetail) -> None:
    """Write a letter with its headers and its body."""
    letter = detail.letter
    about = {
        "letter": str(letter.id),
        "event": letter.event,
        "why": letter.reason,
        "subject": letter.subject,
        "message id": letter.message_id,
        "published": output.moment(letter.published_at),
        "died": output.moment(letter.died_at),
        "deliveries": None if letter.deliveries is None else str(letter.deliveries),
        "size": size_text(letter.size),
    }
    for name, value in about.items():
        if value:
            output.show_line(Text.assemble((f"{name:<12}", "dim"), output.line(value)))
    for name, value in detail.headers.items():
        output.show_line(Text.assemble(("header      ", "dim"), output.line(f"{name}: {value}")))
    _draw_body(detail)


def tell_done(done: dead.DeadDone, verb: str, *, as_json: bool) -> bool:
    """Say how many were dealt with, and which were not; whether all were."""
    if as_json:
        output.show_json({"done": done.done, "failed": done.failed})
    else:
        output.show_line(f"{output.count(done.done, 'dead letter')} {verb}")
        for one in done.failed:
            output.complain(one.message)
    return not done.failed


def size_text(size: int) -> str:
    """Give a size for people; up to 10 kB to the byte."""
    return f"{size} B" if size < 10_000 else f"{size / 1000:.0f} kB"


def _draw_body(detail: dead.DeadDetail) -> None:
    if isinstance(detail.body, str):
        output.show("")
        for text in detail.body.splitlines():
            output.show_line(text)
    elif isinstance(detail.body_base64, str):
        output.tell("the body is no text; --json gives it in base64")
    if detail.body_cut:
        output.tell("only the beginning of the body is shown")
