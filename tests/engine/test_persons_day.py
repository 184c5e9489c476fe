"""A day of a person: write an automation, test it, apply it, watch it, and find out why.

Each step is a command, as it is typed; time is moved. The automations are those of the samples.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.engine_fixture import EngineFixture, rows
from engine.provider import provider
from engine.shell import CommandResult, Shell
from engine.test_replicas import handled
from engine.test_wording import screen
from patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "deploy" / "samples" / "oncall"
FAULT = re.compile(
    r"(?P<file>\S+?):(?P<line>\d+):\d+: (?P<path>\S+): (?P<what>.+) \((?P<hint>.+)\)"
)


def sample(name: str) -> str:
    """Give a sample, without what is said of it."""
    return "".join(f"{line}\n" for line in (SAMPLES / name).read_text().splitlines()
                   if not line.startswith("#"))  # fmt: skip


def with_mistakes(text: str, mistakes: Mapping[str, str]) -> str:
    """Write it as somebody does who does not know the language yet."""
    for right, wrong in mistakes.items():
        assert right in text
        text = text.replace(right, wrong, 1)
    return text


def mended(text: str, told: CommandResult) -> str:
    """Do what each hint says, to the letter, in the line that it names."""
    lines = text.splitlines()
    for fault in FAULT.finditer(told.out):
        if "warning:" in fault["path"] + fault["what"]:
            continue
        index = int(fault["line"]) - 1
        write = re.search(r"(?:write|did you mean) `(.+?)`", fault["hint"])
        name = fault["path"].rpartition(".")[2]
        if unknown := re.search(r"unknown key `(.+)`", fault["what"]):
            assert write
            is_pair = ":" in write[1]
            was = rf"{unknown[1]}: .*$" if is_pair else rf"{unknown[1]}(?=:)"
            index = next(n for n in range(index, len(lines)) if re.search(was, lines[n]))
            lines[index] = re.sub(was, lambda _, new=write[1]: new, lines[index])
        elif absent := re.match(r"there is no `(\w+)`", fault["what"]):
            there = write[1] if write else fault["hint"].rpartition("is ")[2].strip("`")
            lines[index] = re.sub(rf"\b{absent[1]}\b", there, lines[index], count=1)
        else:
            assert write
            there = write[1] if write[1].startswith(f"{name}:") else f"{name}: {write[1]}"
            lines[index] = re.sub(rf"\b{name}: .*$", lambda _, new=there: new, lines[index])
    return "".join(f"{line}\n" for line in lines)


async def registered(shared: EngineFixture, name: str, produces: str | None = None) -> None:
    """Register an action, as its service does when it is started."""
    schema: Json = {"type": "object", "additionalProperties": True}
    wanted: Json = {"display_name": name, "category": "Tests", "config_schema": schema}
    wanted |= {"produces": produces} if produces else {}
    await shared.call("catalog.actions.register", id=name, owner="tests", **wanted)


async def waits_at(shared: EngineFixture, shell: Shell, of: str, path: str) -> str:
    """Look at the newest run until it waits at a path; give what is shown of it."""
    shown = ""

    async def does() -> bool:
        nonlocal shown
        shown = (await shell.run("runs", "show", "--last", "--automation", of)).out
        return re.search(rf"^waits for   {re.escape(path)}: ", shown, re.MULTILINE) is not None

    await judged(shared)
    await until(does, f"a wait at {path}")
    return shown


async def ended(shell: Shell, of: str, status: str) -> str:
    """Look at the newest run until it has ended so; give what is shown of it."""
    shown = ""

    async def has() -> bool:
        nonlocal shown
        shown = (await shell.run("runs", "show", "--last", "--automation", of)).out
        return shown.startswith(f"{of} v") and f"  {status}" in shown.splitlines()[0]

    await until(has, f"{of}: {status}")
    return shown


async def tick(shared: EngineFixture, name: str) -> None:
    """Move the time to where holds and schedules of an automation are due."""
    sql = (
        "update timers set due_at = clock_timestamp() from automations"
        " where automations.id = automation_id and name = $1 returning timers.id"
    )
    due = await rows(shared.settings.postgres.dsn, sql, name)
    await shared.assembly.pipelines.timers.ring([row["id"] for row in due])


async def time_is_over(shared: EngineFixture, shell: Shell, of: str) -> None:
    """Move the time to where the newest run does not wait any more."""
    page = await shell.run("runs", "list", "--automation", of, "--limit", "1", "--json")
    await shared.make_due(page.json["items"][0]["id"])


async def fits(shell: Shell, *arguments: str) -> None:
    """Hold that a table fits a terminal of eighty columns."""
    lines = await screen(shell, *arguments)
    assert max(map(len, lines)) <= 80, lines


async def publish(shell: Shell, event: str, key: str, **payload: str) -> None:
    """Publish an event as a person does."""
    text = "{" + ", ".join(f'"{name}": "{value}"' for name, value in payload.items()) + "}"
    told = await shell.run("publish", event, "--payload", text, "--context-key", key)
    assert told.out.endswith("  published\n")


async def test_the_cases_of_the_samples_pass_and_reach_all_of_them(shell: Shell) -> None:
    told = await shell.run("test", str(SAMPLES), "--coverage")
    assert "7 passed, 0 failed, 0 skipped" in told.out
    reached = re.findall(r"(\d+) of (\d+) actions and branches reached", told.out)
    assert len(reached) == 3
    assert all(some == ways for some, ways in reached)
    assert (await shell.run("validate", str(SAMPLES))).err == "3 automations are valid\n"


ESCALATION_CASES = """\
cases:
  - id: acknowledged
    automation: {file: escalation.yaml}
    stubs: {pager.page: {}}
    events:
      - {event: monitor.alert, context_key: web, payload: {service: web, severity: high, text: x}}
      - {event: monitor.acknowledged, context_key: web, payload: {by: Ann}}
    expect: {status: success, calls: []}
"""
ONE_CASE_MORE = """\
  - id: nobody
    automation: {file: escalation.yaml}
    stubs: {pager.page: {}}
    events:
      - {event: monitor.alert, context_key: web, payload: {service: web, severity: high, text: x}}
      - {wait_s: 1201}
    expect:
      calls:
        - {action: pager.page, config: {who: first, text: "web: x"}}
        - {action: pager.page, config: {who: manager, text: nobody looks after web}}
"""


async def test_an_escalation_is_written_as_the_hints_say_and_tested(shell: Shell) -> None:
    right = sample("escalation.yaml")
    wrong = with_mistakes(
        right,
        {
            "filter: trigger.payload.severity in ['high', 'critical']":
                "filter: \"{{ trigger.payload.severity in ['high', 'critical'] }}\"",
            "timeout_seconds: 300": "timeout: {minutes: 5}",
            "timeout_seconds: 900": "timeout: PT15M",
            "concurrency_scope: context_key": "concurrency_scope: context-key",
            "{{ trigger.payload.service }}: {{": "{{ payload.service }}: {{",
            "        lookback: run                 #": "        look_back: run                #",
        },
    )  # fmt: skip
    shell.write("escalation.yaml", wrong)
    told = await shell.run("validate", "escalation.yaml", code=1)
    assert "1 automation, 6 faults\n" in told.err
    for text in (
        "triggers[0].filter: a bare expression has no braces (write `trigger.payload.severity in",
        "wait_for_trigger: unknown key `timeout` (write `timeout_seconds: 300`)",
        "wait_for_trigger: unknown key `timeout` (write `timeout_seconds: 900`)",
        'got the text "context-key" (did you mean `context_key`?)',
        "wait_for_trigger: unknown key `look_back` (did you mean `lookback`?)",
        "there is no `payload` (what was published is `trigger.payload`)",
    ):
        assert text in told.out
    again = mended(wrong, told)
    shell.write("escalation.yaml", again)
    assert [line.split("#")[0].split() for line in again.splitlines()] == [
        line.split("#")[0].split() for line in right.splitlines()
    ]

    told = await shell.run("validate", "--explain", "escalation.yaml")
    assert "at each event monitor.alert, if trigger.payload.severity in" in told.out
    awaited = "the event monitor.acknowledged (or one since the run was started)"
    assert f"1. wait for {awaited} for up to 5 minutes, then go on" in told.out
    assert told.err == "1 automation is valid\n"
    shell.write("cases.yaml", ESCALATION_CASES)
    told = await shell.run("test", ".", "--coverage")
    assert "1 passed, 0 failed, 0 skipped" in told.out
    assert re.search(
        r"^escalation.yaml:\d+:7: actions\[5\]: the action was never", told.out, re.MULTILINE
    )
    shell.write("cases.yaml", ESCALATION_CASES + ONE_CASE_MORE.replace("who: manager", "who: boss"))
    told = await shell.run("test", ".", code=1)
    assert 'calls[1]: expected {"action": "pager.page", "config": {"who": "boss"' in told.out
    shell.write("cases.yaml", ESCALATION_CASES + ONE_CASE_MORE)
    told = await shell.run("test", ".", "--coverage")
    assert "actions[5]" not in told.out
    assert "actions[4]: it never happened that the condition did not hold" in told.out


async def test_an_escalation_is_applied_watched_and_debugged(
    shared: EngineFixture, shell: Shell
) -> None:
    name = "Escalate alerts"
    of = ("--automation", name)
    shell.write("escalation.yaml", sample("escalation.yaml"))
    told = await shell.run("apply", "escalation.yaml", code=1)
    assert "unknown action 'pager.page' (register it: a service does with" in told.err
    assert "2 faults; nothing was applied" in told.err
    await registered(shared, "pager.page")
    await shell.run("apply", "escalation.yaml", "--dry-run")
    assert name not in (await shell.run("automations", "list", "--text", name)).out
    assert "1 created" in (await shell.run("apply", "escalation.yaml")).err
    told = await shell.run("automations", "list", "--text", name)
    assert name in told.out

    await publish(shell, "monitor.alert", "web", service="web", severity="low", text="slow")
    await judged(shared)
    told = await shell.run("why", *of)
    assert "`trigger.payload.severity` is 'low'" in told.out or 'is "low"' in told.out, told.out
    await publish(shell, "monitor.alert", "web", service="web", severity="high", text="down")
    shown = await waits_at(shared, shell, name, "actions[0]")
    assert "for event monitor.acknowledged until" in shown
    await publish(shell, "monitor.acknowledged", "db", by="Bob")
    await judged(shared)
    told = await shell.run("why", "monitor.acknowledged")
    assert "it waits for the context key 'web'; this event has the context key 'db'" in told.out

    async with provider(shared, "pager.page", lambda _: {"success": True}) as pager:
        await time_is_over(shared, shell, name)
        await waits_at(shared, shell, name, "actions[3]")
        await time_is_over(shared, shell, name)
        shown = await ended(shell, name, "success")
        assert [one["config"]["who"] for one in await pager.calls(2)] == ["first", "manager"]
    assert "actions[5] pager.page  success" in shown
    told = await shell.run("runs", "show", "--last", *of, "--step", "first")
    assert "web: down" in told.out
    told = await shell.run("runs", "show", "--last", *of, "--io")
    assert "nobody looks after web" in told.out

    await publish(shell, "monitor.acknowledged", "web", by="Ann")
    await judged(shared)
    told = await shell.run("why", "monitor.acknowledged", "--limit", "1")
    assert re.search(
        r"run \S+ at actions\[3\] \(wait_over\)\n    the wait was over since", told.out
    )

    await fits(shell, "runs", "list", *of)
    await change_and_clean_up(shared, shell, name)


async def change_and_clean_up(shared: EngineFixture, shell: Shell, name: str) -> None:
    """Change the automation under a run, cancel what runs, and delete it."""
    of = ("--automation", name)
    await publish(shell, "monitor.alert", "db", service="db", severity="high", text="down")
    await waits_at(shared, shell, name, "actions[0]")
    text = sample("escalation.yaml").replace("timeout_seconds: 300", "timeout_seconds: 600")
    shell.write("escalation.yaml", text)
    told = await shell.run("apply", "escalation.yaml", "--dry-run")
    assert "600" in told.out + told.err
    await shell.run("apply", "escalation.yaml")
    told = await shell.run("versions", name)
    assert len(re.findall(r"^v[12] ", told.out, re.MULTILINE)) == 2, told.out
    told = await shell.run("cancel", *of, "--status", "active", code=1)
    assert "--yes" in told.err
    told = await shell.run("cancel", *of, "--status", "active", "--reason", "known", "--yes")
    assert "1 run cancelled" in told.out
    shown = await ended(shell, name, "cancelled")
    assert "known" in shown
    told = await shell.run("retry", *of, "--status", "cancelled", "--from", "start", "--yes")
    assert "1 run retried" in told.out
    await waits_at(shared, shell, name, "actions[0]")
    await shell.run("automations", "delete", name, "--yes")
    assert name not in (await shell.run("automations", "list", "--text", name)).out


async def judged(engine: EngineFixture) -> None:
    """Wait until all events are handled, and what became of them is written."""
    await handled(engine)
    await engine.assembly.hearing.decisions.settled()


async def written(shell: Shell, name: str, mistakes: Mapping[str, str], *told: str) -> None:
    """Write a sample with mistakes, be told of them, and do as the hints say."""
    wrong = with_mistakes(sample(name), mistakes)
    shell.write(name, wrong)
    said = await shell.run("validate", name, code=1)
    for text in told:
        assert text in said.out
    assert f"1 automation, {len(told)} fault" in said.err
    shell.write(name, mended(wrong, said))
    assert (await shell.run("validate", name)).err == "1 automation is valid\n"


async def test_a_ticket_is_opened_once_for_many_events_and_not_for_a_recovery(
    shared: EngineFixture, shell: Shell
) -> None:
    name = "Ticket of an outage"
    mistakes = {
        "for: {minutes: 5}": "for: 5 min",
        "mode: single": "mode: Single",
        "        filter: trigger.payload.state == 'up'":
            "        filter: \"{{ trigger.payload.state == 'up' }}\"",
    }  # fmt: skip
    await written(
        shell, "ticket.yaml", mistakes,
        'got the text "5 min" (write `for: {seconds: 300}`)',
        'got the text "Single" (did you mean `single`?)',
        "a bare expression has no braces (write `trigger.payload.state == 'up'`)",
    )  # fmt: skip
    await registered(shared, "tickets.open", produces="ticket")
    await registered(shared, "tickets.close")
    await shell.run("apply", "ticket.yaml")
    for _ in range(3):
        await publish(shell, "monitor.state", "web", service="web", state="down")
    await publish(shell, "monitor.state", "mail", service="mail", state="down")
    await publish(shell, "monitor.state", "mail", service="mail", state="up")
    await judged(shared)
    told = (await shell.run("why", "monitor.state")).out
    assert told.count("armed for 300 s") == 2
    assert told.count("armed already") == 2
    assert "disarmed" in told
    assert (await shell.run("runs", "list", "--automation", name, "--json")).json["total"] == 0
    ticket = {"success": True, "artifact": {"number": "T-1"}}
    async with (
        provider(shared, "tickets.open", lambda _: ticket) as opens,
        provider(shared, "tickets.close", lambda _: {"success": True}) as closes,
    ):
        await tick(shared, name)
        await waits_at(shared, shell, name, "actions[1]")
        assert len(opens.asked) == 1
        await publish(shell, "monitor.state", "mail", service="mail", state="up")
        await judged(shared)
        told = (await shell.run("why", "monitor.state", "--limit", "1")).out
        assert "it waits for the context key 'web'; this event has the context key 'mail'" in told
        await publish(shell, "monitor.state", "web", service="web", state="up")
        shown = await ended(shell, name, "success")
        (closed,) = await closes.calls(1)
    assert closed["config"] == {"comment": "up again, T-1 is done"}
    assert "actions[2] tickets.close  success" in shown
    page = (await shell.run("runs", "list", "--automation", name, "--json")).json
    assert page["total"] == 1
    await shell.run("automations", "delete", name, "--yes")


async def test_a_nightly_report_that_fails_is_found_and_done_once_more(
    shared: EngineFixture, shell: Shell
) -> None:
    name, mark = "Nightly report", "the books are closed"
    prefix = shared.settings.nats.prefix
    mistakes = {
        "for_each: variables.shops": 'for_each: "{{ variables.shops }}"',
        "{{ repeat.item }}": "{{ item }}",
        "lockstep.trigger.report": f"{prefix}.trigger.report",
    }
    told = (
        "a bare expression has no braces (write `variables.shops`)",
        "there is no `item` (write `repeat.item`, in the action `repeat` with `for_each`)",
    )
    await written(shell, "nightly.yaml", mistakes, *told)
    explained = (await shell.run("validate", "--explain", "nightly.yaml")).out
    assert "by the clock, `0 3 * * MON-FRI` in Europe/Berlin" in explained
    await registered(shared, "shop.count", produces="count")
    await shell.run("apply", "nightly.yaml")
    broken = True

    def count(request: Json) -> Json:
        shop = request["config"]["shop"]
        if broken and shop == "south":
            return {"success": False, "error": mark}
        return {"success": True, "artifact": {"shop": shop, "orders": len(shop)}}

    async with provider(shared, "shop.count", count) as shops:
        await tick(shared, name)
        await ended(shell, name, "failed")
        path = "actions[1].repeat[1].sequence[0]"
        found = (await shell.run("runs", "list", "--error", mark, "--json")).json
        assert found["total"] == 1
        told_step = (await shell.run("runs", "show", "--last", "--step", path)).out
        assert '{"shop":"south"}' in told_step
        assert mark in told_step
        broken = False
        await shell.run("retry", "--last", "--automation", name)
        shown = await ended(shell, name, "success")
        assert "nats.publish  success" in shown
        asked = [one["config"]["shop"] for one in shops.asked]
    assert asked == ["north", "south", "south", "west"]
    await judged(shared)
    said = (await shell.run("why", "report.nightly")).out
    assert "no automation that was enabled then asked for it" in said
    await fits(shell, "runs", "list", "--automation", name)
    await shell.run("automations", "delete", name, "--yes")
