"""What people are shown: texts as they are, nothing that a terminal obeys, colour only there."""

from datetime import timedelta

import pytest

from lockstep.cli.terminal import output, values

ODD = r"[red]a[/red] \[b] :b: [/] [link=x]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.26, "1.3 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (900_000, "10 d 10 h"),
    ],
)
def test_a_duration_is_told_in_the_units_that_fit(seconds: float, text: str) -> None:
    assert output.duration(timedelta(seconds=seconds)) == text


def test_a_table_shows_texts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(output.table(("id", "name"), [("1", ODD), ("2", output.status("failed"))]))
    shown = capsys.readouterr().out
    assert ODD in shown
    assert "failed" in shown
    assert "\x1b" not in shown


def test_a_long_cell_is_not_folded_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(output.table(("id", "why"), [("1", "x " * 1000)]))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_a_terminal_would_obey_is_taken_out(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2Jb\x07c\x9bd\re"
    output.show(output.table(("id",), [(evil,)]))
    output.show_line(evil)
    output.tell(evil)
    output.complain(evil)
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(said.out + said.err)


def test_results_and_what_is_said_about_them_go_different_ways(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.show_line(ODD)
    output.tell(ODD)
    output.complain(ODD)
    said = capsys.readouterr()
    assert said.out == f"{ODD}\n"
    assert said.err == f"{ODD}\nerror: {ODD}\n"


def test_json_for_programs_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"a": ODD})
    assert capsys.readouterr().out.startswith('{\n  "a"')


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 2000 + "1" + "}" * 2000, '[{"b":' * 1500])
def test_a_text_that_only_looks_like_json_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    values.draw("config", text)
    assert text in capsys.readouterr().out
