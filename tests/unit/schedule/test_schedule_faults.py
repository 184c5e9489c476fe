"""Configs: what is read, what is refused, and what their authors are told."""

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.schedule import Cron, Edge, Interval, PatternFault, faults, next_tick, schedule_of
from lockstep.schedule.pattern import Pattern
from lockstep_schemas.base import JsonObject


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("61 * * * *", "field 1 (minute): '61' is not in 0-59"),
        ("0 0 61 * * *", "field 3 (hour): '61' is not in 0-23"),
        ("0 24 * * *", "field 2 (hour): '24' is not in 0-23"),
        ("0 0 0 * *", "field 3 (day of month): '0' is not in 1-31"),
        ("0 0 * FOO *", "field 4 (month): 'FOO' is not in 1-12 or JAN-DEC"),
        ("0 0 * * 1,MOON", "field 5 (day of week): 'MOON' is not in 0-7 or SUN-SAT"),
        ("0 0 * * FRI-MON", "'FRI-MON' goes backwards, write `FRI-SUN,MON`"),
        ("*/0 * * * *", "field 1 (minute): '*/0': the step is expected to be a number above 0"),
        ("1-5/x * * * *", "'1-5/X': the step"),
        ("1,,2 * * * *", "field 1 (minute): there is nothing between two commas"),
        ("1- * * * *", "'' is not in 0-59"),
        ("-5 * * * *", "'' is not in 0-59"),
        ("٣ * * * *", "'٣' is not in 0-59"),
        ("0 0 * * MON#9", "field 5 (day of week): 'MON#9': after `#` a number from 1 to 5"),
        ("0 0 * * #2", "field 5 (day of week): '' is not in 0-7 or SUN-SAT"),
        ("0 0 * * FOO#2", "field 5 (day of week): 'FOO' is not in 0-7 or SUN-SAT"),
        ("@every 5m", "'@every 5m' is unknown, an interval is the trigger `automation.interval`"),
        ("rate(5 minutes)", "'rate(...)' is not known here, an interval is the trigger"),
        ("* * *", "5 fields are expected, or 6 with seconds first, got 3"),
        ("   ", "got 0"),
        ("0 0 30 2 *", "field 3 (day of month): no month of it has that day"),
        ("0 0 0 31 4,6 *", "field 4 (day of month): no month of it has that day"),
        ("@dayly", "'@dayly' is unknown, did you mean @daily?"),
        ("@reboot", "'@reboot' is unknown, there are @annually, "),
    ],
)
def test_a_wrong_pattern_is_told_with_its_place_and_reason(pattern: str, message: str) -> None:
    ((path, text),) = faults("automation.cron", {"cronPattern": pattern})
    assert path == ("cronPattern",)
    assert message in text
    assert text.startswith(f"'{pattern}' is no cron pattern: ")


@pytest.mark.parametrize(
    ("pattern", "wrong", "right"),
    [
        # Quartz, openHAB, Camunda, Spring
        ("0 0 12 ? * MON", "?", "*"),
        ("0 0 12 ?/2 * MON", "?/2", "*/2"),
        ("0 ? 12 * * *", "?", "*"),
        ("0 0 12 * * L", "L", "SAT"),
        ("0 0 12 15W * *", "15W", "15"),
        ("0 0 12 L-3 * *", "L-3", "L"),
        ("0 0 12 W * *", "W", "LW"),
        ("0 0 12 WL * *", "WL", "LW"),
        ("0 0 12 * * FRI#L", "FRI#L", "FRIL"),
        ("0 0 12 * * FRIL/2", "FRIL/2", "FRIL"),
        # ranges over the end
        ("0 0 * * FRI-MON", "FRI-MON", "FRI-SUN,MON"),
        ("0 0 * * 5-2", "5-2", "5-7,1-2"),
        ("0 0 * * 7-2", "7-2", "7,1-2"),
        ("0 22-4 * * *", "22-4", "22-23,0-4"),
        ("0 22-4/2 * * *", "22-4/2", "22,0,2,4"),
        ("0 0 * NOV-FEB *", "NOV-FEB", "NOV-DEC,JAN-FEB"),
        ("0 0 * 11-2/3 *", "11-2/3", "11,2"),
        # steps that are larger than their range
        ("*/60 * * * *", "*/60", "0"),
        ("*/90 * * * *", "*/90", "0"),
        ("0 */24 * * *", "*/24", "0"),
        ("0 0 */31 * *", "*/31", "1"),
        ("0 0 * */12 *", "*/12", "1"),
        ("0 0 * * */8", "*/8", "0"),
        ("10-20/11 * * * *", "10-20/11", "10"),
        ("50/20 * * * *", "50/20", "50"),
        ("0 0 * * MON-SUN/7", "MON-SUN/7", "1"),
        # Jenkins, and words
        ("H 3 * * *", "H", "*"),
        ("0 0 * * MONDAY", "MONDAY", "MON"),
        ("0 0 * JANUARY *", "JANUARY", "JAN"),
    ],
)
def test_what_other_crons_know_is_refused_with_what_to_write(
    pattern: str, wrong: str, right: str
) -> None:
    (message,) = [text for _, text in faults("automation.cron", {"cronPattern": pattern})]
    assert f"`{right}`" in message
    fields = [right if field == wrong else field for field in pattern.split()]
    assert not faults("automation.cron", {"cronPattern": " ".join(fields)})


def test_a_schedule_of_amazon_is_told_in_fields_of_ours() -> None:
    ((_, message),) = faults("automation.cron", {"cronPattern": "cron(0 12 ? * MON *)"})
    assert "write `0 12 * * MON`" in message
    assert not faults("automation.cron", {"cronPattern": "0 12 * * MON"})


def test_a_year_is_told_as_a_field_too_many() -> None:
    ((_, message),) = faults("automation.cron", {"cronPattern": "0 0 12 * * MON 2027"})
    assert "there is no field for the year, write `0 0 12 * * MON`" in message


def test_every_field_that_is_wrong_is_told() -> None:
    told = [text for _, text in faults("automation.cron", {"cronPattern": "60 0 ? * L"})]
    assert ["field 1" in told[0], "field 3" in told[1], "field 5" in told[2]] == [True] * 3


@pytest.mark.parametrize("pattern", ["*/60 * * * *", "0 */24 * * *"])
def test_a_stored_pattern_with_a_step_that_may_not_be_saved_any_more_ticks_on(pattern: str) -> None:
    assert next_tick(Cron(pattern), datetime(2026, 1, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/Berlim", "unknown time zone 'Europe/Berlim', did you mean Europe/Berlin?"),
        ("europe/berlin", "unknown time zone 'europe/berlin', did you mean Europe/Berlin?"),
        ("../../etc/passwd", "unknown time zone '../../etc/passwd'; an IANA name is expected"),
        ("localtime", "unknown time zone 'localtime'"),  # that of the machine
        ("", "unknown time zone ''"),
    ],
)
def test_an_unknown_zone_is_told_with_what_may_be_meant(zone: str, message: str) -> None:
    ((path, text),) = faults("automation.cron", {"cronPattern": "@daily", "timezone": zone})
    assert path == ("timezone",)
    assert message in text


def test_every_fault_is_told_even_where_the_shape_is_wrong() -> None:
    config: JsonObject = {"cronPattern": "x", "timezone": "Nowhere", "missed": "some"}
    assert [path for path, _ in faults("automation.cron", config)] == [
        ("cronPattern",),
        ("timezone",),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"cronPattern": "0 9 * * MON-FRI", "timezone": "Europe/Berlin", "missed": "all"},
        {"cronPattern": "@hourly"},
        {"cronPattern": "0 0 L * *"},
        {"cronPattern": "0 0 * * MON#1,5L"},
        {"cronPattern": "0 0 29 2 *"},
        {"cronPattern": "0 0 * * MON-SUN"},
        {"cronPattern": "0 0 LW * *"},
        {"cronPattern": "*/59 */23 */30 */11 */6"},
        {"cronPattern": 5, "timezone": None},  # these are told by the schema
        {"cronPattern": ""},
        {},
    ],
)
def test_a_right_config_has_no_fault(config: JsonObject) -> None:
    assert not faults("automation.cron", config)


def test_other_events_have_no_fault_and_no_schedule() -> None:
    assert not faults("automation.interval", {"intervalSeconds": 5})
    assert not faults("orders.created", {"cronPattern": "x"})
    assert schedule_of("orders.created", {}) is None


@pytest.mark.parametrize(
    ("event", "config", "expected"),
    [
        ("automation.cron", {"cronPattern": "@daily"}, Cron("@daily", "UTC", "last")),
        ("automation.interval", {"intervalSeconds": 31_536_000}, Interval(31_536_000)),
        (
            "automation.template",
            {"value_template": "true", "intervalSeconds": 86_400},
            Edge("true", 86_400),
        ),
    ],
)
def test_a_config_is_read(event: str, config: JsonObject, expected: object) -> None:
    assert schedule_of(event, config) == expected


@pytest.mark.parametrize(
    ("event", "config"),
    [
        ("automation.cron", {}),
        ("automation.cron", {"cronPattern": "@daily", "zone": "UTC"}),
        ("automation.cron", {"cronPattern": "@daily", "missed": "none"}),
        ("automation.interval", {"intervalSeconds": 0}),
        ("automation.interval", {"intervalSeconds": 31_536_001}),
        ("automation.interval", {"intervalSeconds": 1.5}),
        ("automation.template", {"value_template": "true"}),
        ("automation.template", {"value_template": "true", "intervalSeconds": 86_401}),
        ("automation.template", {"valueTemplate": "true", "intervalSeconds": 1}),
    ],
)
def test_a_config_of_another_shape_is_refused(event: str, config: JsonObject) -> None:
    with pytest.raises(msgspec.ValidationError):
        schedule_of(event, config)


def test_a_schedule_that_was_not_checked_raises_by_name() -> None:
    with pytest.raises(PatternFault):
        next_tick(Cron("x"), datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(KeyError):
        next_tick(Cron("@daily", "Nowhere/At_All"), datetime(2026, 1, 1, tzinfo=UTC))


_TERM = st.text("0123456789*/-,L#WMONJAnSU?", min_size=1, max_size=6)


@given(fields=st.lists(st.one_of(st.just("*"), _TERM), min_size=4, max_size=7))
def test_no_text_breaks_the_reader(fields: list[str]) -> None:
    with suppress(PatternFault):
        Pattern(" ".join(fields))
