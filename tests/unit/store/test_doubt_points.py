"""What `tests/doubt` leaves in doubt: every durable write, also one that is made tomorrow."""

from doubt.proxy_postgres import WRITES
from doubt.scenarios import SCENARIOS
from doubt.trials import UNTRIED


def test_every_durable_write_has_a_scenario_that_reaches_it() -> None:
    marks = {mark for scenario in SCENARIOS.values() for mark in scenario.reaches}
    reached = {mark.partition("=")[0] for mark in marks if not mark.startswith("PUB ")}
    missing = WRITES - reached - UNTRIED.keys()
    assert not missing, (
        f"{sorted(missing)}: add them to `reaches` of a scenario in tests/doubt/scenarios.py that "
        "makes these writes, or to UNTRIED in tests/doubt/trials.py with the reason"
    )
    assert not reached & UNTRIED.keys()
    assert not (reached | UNTRIED.keys()) - WRITES, "no such query, or it writes nothing"
