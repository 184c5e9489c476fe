"""A log line is bounded, whatever is said in it, and shows no half of a secret."""

from lockstep.model.secrets import MASKER
from lockstep.model.texts import TEXT_BYTES
from lockstep.telemetry.logs import TRACEBACK_BYTES, bounded


def test_long_texts_of_a_line_are_cut_and_short_ones_stay() -> None:
    line = bounded(
        None,
        "info",
        {
            "event": "ä" * 1_000_000,
            "short": "as it is",
            "number": 1,
            "list": ["x" * 1_000_000],
            "few": ["x"],
            "exception": "e" * 1_000_000,
        },
    )
    assert len(str(line["event"]).encode()) <= TEXT_BYTES
    assert len(str(line["list"])) <= TEXT_BYTES
    assert len(str(line["exception"]).encode()) <= TRACEBACK_BYTES
    assert len(str(line["exception"])) > TEXT_BYTES, "a traceback is worth more"
    assert (line["short"], line["number"], line["few"]) == ("as it is", 1, ["x"])


def test_a_secret_is_masked_before_a_text_is_cut() -> None:
    MASKER.remember("hush-hush-hush")
    text = "x" * (TEXT_BYTES - 8) + "hush-hush-hush" + "y" * 100
    line = bounded(None, "info", {"event": text})
    assert "hush" not in str(line["event"])
