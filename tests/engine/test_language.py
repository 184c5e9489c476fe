"""The rules of the language, sections 3 to 8, each held on the whole engine."""

from typing import Any

import pytest

from engine.engine_fixture import EngineFixture

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


def record(value: str, **more: object) -> Json:
    """An action that records a value."""
    action = {"action": "test.record", "config": {"value": value}, **more}
    action.setdefault("id", f"r{abs(hash((value, str(more)))) % 10**9}")
    return action


def fail(reason: str, **more: object) -> Json:
    """An action that fails."""
    return {"action": "test.fail", "config": {"reason": reason}, **more}


# Section 3: scope


async def test_the_scope_of_an_action_has_all_roots_of_section_3(shared: EngineFixture) -> None:
    text = (
        "{{ trigger.id }}|{{ trigger.event }}|{{ trigger.eventId }}|{{ trigger.payload.n }}"
        "|{{ trigger.actor.type }}|{{ trigger.message_id }}|{{ automation.name }}"
    )
    automation = await shared.automation([record(text), record("{{ run.id }} {{ now }}")])
    seen = await automation.run({"n": 7}, **{"Nats-Msg-Id": f"m-{automation.id}"})
    event = automation.event
    trigger_id = event.replace(".", "_")
    name = seen.detail.run.automation_name
    assert seen.recorded[0] == f"{trigger_id}|{event}|{event}|7|system|m-{automation.id}|{name}"
    run_id, now = seen.recorded[1].split()
    assert run_id == seen.detail.run.id
    assert now.endswith("Z")


async def test_now_does_not_advance_within_a_run(shared: EngineFixture) -> None:
    automation = await shared.automation([record("{{ now }}"), record("{{ now }} ")])
    seen = await automation.run()
    assert seen.recorded[0] == seen.recorded[1].strip()


async def test_a_variable_called_like_a_root_hides_nothing(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {"variables": {"trigger": "mine"}},
            record("{{ variables.trigger }} {{ trigger.payload.n }}"),
        ]
    )
    assert (await automation.run({"n": 1})).recorded == ["mine 1"]


async def test_choose_else_and_sequence_share_the_surrounding_scope(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {"choose": [{"when": "true", "sequence": [{"variables": {"a": 1}}]}]},
            {
                "choose": [{"when": "false", "sequence": [record("never")]}],
                "else": [{"variables": {"b": 2}}],
            },
            {"sequence": [{"variables": {"c": 3}}]},
            record("{{ variables.a }}{{ variables.b }}{{ variables.c }}"),
        ]
    )
    assert (await automation.run()).recorded == ["123"]


async def test_a_name_first_set_in_a_loop_body_lives_for_that_iteration(
    shared: EngineFixture,
) -> None:
    body = [record("[{{ variables.seen }}]"), {"variables": {"seen": "{{ repeat.index }}"}}]
    automation = await shared.automation(
        [{"repeat": {"count": 2, "sequence": body}}, record("after[{{ variables.seen }}]")]
    )
    assert (await automation.run()).recorded == ["[]", "[]", "after[]"]


async def test_setting_an_outer_name_in_a_loop_changes_the_outer_one(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {"variables": {"n": 0}},
            {
                "repeat": {
                    "while": "variables.n < 3",
                    "sequence": [{"variables": {"n": "{{ variables.n + 1 }}"}}],
                }
            },
            record("{{ variables.n }}"),
        ]
    )
    assert (await automation.run()).recorded == ["3"]


async def test_a_loop_inside_a_loop_changes_the_name_where_it_was_first_set(
    shared: EngineFixture,
) -> None:
    inner = {"repeat": {"count": 2, "sequence": [{"variables": {"n": "{{ variables.n + 1 }}"}}]}}
    automation = await shared.automation(
        [
            {
                "repeat": {
                    "count": 2,
                    "sequence": [{"variables": {"n": 10}}, inner, record("{{ variables.n }}")],
                }
            },
            record("[{{ variables.n }}]"),
        ]
    )
    assert (await automation.run()).recorded == ["12", "12", "[]"]


async def test_a_branch_works_on_the_scope_as_it_was_at_the_fork(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {"variables": {"a": "outer"}},
            {
                "parallel": [
                    {"sequence": [{"variables": {"a": "first"}}, record("0{{ variables.a }}")]},
                    {"sequence": [{"sequence": [record("1{{ variables.a }}")]}]},
                ]
            },
        ]
    )
    assert sorted((await automation.run()).recorded) == ["0first", "1outer"]


async def test_changes_of_branches_are_merged_in_branch_order_not_in_order_of_ending(
    shared: EngineFixture,
) -> None:
    slow = {"action": "test.slow", "config": {"seconds": 0.2}}
    automation = await shared.automation(
        [
            {
                "parallel": [
                    {"sequence": [slow, {"variables": {"a": "first", "x": 1}}]},
                    {"variables": {"a": "second"}},
                ]
            },
            record("{{ variables.a }}{{ variables.x }}"),
        ]
    )
    assert (await automation.run()).recorded == ["second1"]


async def test_changes_of_a_failed_branch_are_merged_too(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "parallel": [{"sequence": [{"variables": {"a": 1}}, fail("x")]}],
                "continue_on_error": True,
            },
            record("{{ variables.a }}"),
        ]
    )
    assert (await automation.run()).recorded == ["1"]


async def test_the_names_of_one_block_do_not_see_each_other(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"variables": {"a": "x", "b": "[{{ variables.a }}]"}}, record("{{ variables.b }}")]
    )
    assert (await automation.run()).recorded == ["[]"]


async def test_an_error_in_a_block_of_variables_sets_none_of_them(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "variables": {"a": 1, "b": "{{ 1 / trigger.payload.zero }}"},
                "continue_on_error": True,
            },
            record("[{{ variables.a }}]"),
        ]
    )
    seen = await automation.run({"zero": 0})
    assert seen.recorded == ["[]"]
    assert seen.steps["actions[0]"] == "failed"


async def test_a_scope_above_1_mib_fails_the_step_that_makes_it_so(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {"variables": {"a": "{{ trigger.payload.a }}"}},
            {"variables": {"b": "{{ variables.a ~ variables.a }}"}, "continue_on_error": True},
            record("[{{ variables.b }}]"),
        ]
    )
    seen = await automation.run({"a": "x" * 500_000})
    assert seen.recorded == ["[]"]
    assert "allowed" in (seen.step("actions[1]").error_message or "")


# Section 5: errors in expressions


async def test_a_when_that_cannot_be_evaluated_fails_the_choose(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "choose": [
                    {"when": "1 / trigger.payload.zero", "sequence": [record("a")]},
                    {"when": "true", "sequence": [record("b")]},
                ]
            }
        ]
    )
    seen = await automation.run({"zero": 0})
    assert (seen.status, seen.recorded) == ("failed", [])
    assert "choose[0].when" in seen.error


async def test_a_guard_that_cannot_be_evaluated_fails(shared: EngineFixture) -> None:
    automation = await shared.automation([{"condition": "1 / trigger.payload.zero"}, record("a")])
    seen = await automation.run({"zero": 0})
    assert (seen.status, seen.recorded) == ("failed", [])


async def test_an_error_in_while_ends_the_loop_with_a_warning(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"repeat": {"while": "1 / trigger.payload.zero", "sequence": [record("a")]}}, record("b")]
    )
    seen = await automation.run({"zero": 0})
    assert (seen.status, seen.recorded) == ("success", ["b"])
    assert "counts as false" in seen.step("actions[0]").result["warnings"][0]
    assert "lockstep.run.warning" in [event.type for event in seen.events]


async def test_an_error_in_until_goes_on_with_a_warning(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "repeat": {
                    "until": "1 / (repeat.index - 0)",
                    "max_iterations": 3,
                    "sequence": [record("{{ repeat.index }}")],
                }
            }
        ]
    )
    seen = await automation.run()
    assert seen.recorded == ["0", "1"]
    assert len(seen.step("actions[0]").result["warnings"]) == 1


async def test_a_filter_that_cannot_be_evaluated_starts_no_run_and_warns(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("a")], event="e.filter")
    broken = await shared.automation(
        [record("b")],
        triggers=[{"event": automation.event, "filter": "1 / trigger.payload.zero"}],
    )
    await automation.run({"zero": 0})
    warning = await shared.heard(broken.id, "warning")
    assert "filter" in (warning.data.reason or "")
    assert (await shared.call("runs.list", automation_id=broken.id))["items"] == []


# Section 6: kinds


async def test_the_taken_branch_is_the_first_that_holds(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "choose": [
                    {"when": "trigger.payload.n == 1", "sequence": [record("one")]},
                    {"when": "trigger.payload.n >= 1", "sequence": [record("more")]},
                ],
                "else": [record("none")],
            }
        ]
    )
    assert (await automation.run({"n": 1})).recorded == ["one"]
    assert (await automation.run({"n": 2})).recorded == ["more"]
    assert (await automation.run({"n": 0})).recorded == ["none"]


async def test_a_choose_without_a_match_and_without_else_is_a_success(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"choose": [{"when": "false", "sequence": [record("a")]}]}, record("b")]
    )
    seen = await automation.run()
    assert (seen.recorded, seen.steps["actions[0]"]) == (["b"], "success")


async def test_for_each_is_evaluated_once_and_gives_item_first_and_last(
    shared: EngineFixture,
) -> None:
    text = "{{ repeat.item }}{{ repeat.index }}{{ repeat.first }}{{ repeat.last }}"
    automation = await shared.automation(
        [
            {"variables": {"list": "{{ trigger.payload.list }}"}},
            {
                "repeat": {
                    "for_each": "variables.list",
                    "sequence": [{"variables": {"list": []}}, record(text)],
                }
            },
        ]
    )
    seen = await automation.run({"list": ["a", "b"]})
    assert seen.recorded == ["a0truefalse", "b1falsetrue"]


@pytest.mark.parametrize("value", [None, "abc", 5, {"a": 1}])
async def test_for_each_over_what_is_no_list_fails_the_step(
    shared: EngineFixture, value: object
) -> None:
    automation = await shared.automation(
        [{"repeat": {"for_each": "trigger.payload.list", "sequence": [record("a")]}}, record("b")]
    )
    seen = await automation.run({"list": value})
    assert (seen.status, seen.recorded) == ("failed", [])
    assert "list" in seen.error


async def test_last_is_absent_where_the_count_is_not_known(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"repeat": {"until": "true", "sequence": [record("[{{ repeat.last }}]")]}}]
    )
    assert (await automation.run()).recorded == ["[]"]


async def test_while_is_tested_before_each_iteration_with_the_index_of_the_coming_one(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"repeat": {"while": "repeat.index < 2", "sequence": [record("{{ repeat.index }}")]}}]
    )
    assert (await automation.run()).recorded == ["0", "1"]


async def test_until_is_tested_in_the_scope_of_the_iteration_just_done(
    shared: EngineFixture,
) -> None:
    body = [record("{{ repeat.index }}"), {"variables": {"i": "{{ repeat.index }}"}}]
    automation = await shared.automation(
        [{"repeat": {"until": "variables.i == 1", "max_iterations": 9, "sequence": body}}]
    )
    assert (await automation.run()).recorded == ["0", "1"]


async def test_a_loop_stops_at_max_iterations_with_success_and_a_warning(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"repeat": {"while": "true", "max_iterations": 2, "sequence": [record("x")]}}]
    )
    seen = await automation.run()
    assert (seen.status, seen.recorded) == ("success", ["x", "x"])
    assert "max_iterations" in seen.step("actions[0]").result["warnings"][0]


async def test_an_iteration_that_does_not_complete_ends_the_loop(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "repeat": {"count": 3, "sequence": [record("{{ repeat.index }}"), fail("x")]},
                "continue_on_error": True,
            },
            record("after"),
        ]
    )
    assert (await automation.run()).recorded == ["0", "after"]


async def test_a_false_guard_ends_the_run_as_success_with_the_reason(shared: EngineFixture) -> None:
    automation = await shared.automation([{"sequence": [{"condition": "false"}]}, record("a")])
    seen = await automation.run()
    assert (seen.status, seen.recorded) == ("success", [])
    guard = seen.step("actions[0].sequence[0]")
    assert (guard.status, guard.error_message) == ("skipped", "condition gate failed")
    assert seen.steps["actions[0]"] == "success"


async def test_a_false_guard_in_a_branch_ends_only_that_branch(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "parallel": [
                    {"sequence": [{"condition": "false"}, record("never")]},
                    record("sibling"),
                ]
            },
            record("after"),
        ]
    )
    assert (await automation.run()).recorded == ["sibling", "after"]


async def test_continue_on_error_passes_over_a_false_guard(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"condition": "false", "continue_on_error": True}, record("after")]
    )
    seen = await automation.run()
    assert (seen.recorded, seen.steps["actions[0]"]) == (["after"], "skipped")


async def test_a_stop_ends_the_run_as_success_with_its_reason(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"sequence": [{"stop": {"reason": "enough {{ trigger.payload.n }}"}}]}, record("a")]
    )
    seen = await automation.run({"n": 1})
    assert (seen.status, seen.detail.run.reason) == ("success", "enough 1")


async def test_a_stop_with_error_fails_the_run_whatever_its_own_continue_on_error(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"stop": {"reason": "boom", "error": True}, "continue_on_error": True}, record("a")]
    )
    seen = await automation.run()
    assert (seen.status, seen.error, seen.recorded) == ("failed", "boom", [])


async def test_a_container_tolerates_an_inner_stop_with_error(shared: EngineFixture) -> None:
    inner = [{"stop": {"reason": "boom", "error": True}}]
    automation = await shared.automation(
        [{"sequence": inner, "continue_on_error": True}, record("after")]
    )
    seen = await automation.run()
    assert (seen.status, seen.recorded, seen.steps["actions[0]"]) == (
        "success",
        ["after"],
        "failed",
    )


async def test_a_clean_stop_in_a_branch_ends_the_run_once_the_siblings_have_ended(
    shared: EngineFixture,
) -> None:
    slow = {"action": "test.slow", "config": {"seconds": 0.1}}
    automation = await shared.automation(
        [
            {"parallel": [{"stop": {"reason": "done"}}, {"sequence": [slow, record("sibling")]}]},
            record("after"),
        ]
    )
    seen = await automation.run()
    assert (seen.status, seen.detail.run.reason) == ("success", "done")
    assert seen.recorded == ["sibling"]


async def test_a_failed_branch_outranks_a_stop_and_the_first_by_position_tells_the_reason(
    shared: EngineFixture,
) -> None:
    slow = {"action": "test.slow", "config": {"seconds": 0.1}}
    automation = await shared.automation(
        [
            {
                "parallel": [
                    {"stop": {"reason": "stopped"}},
                    {"sequence": [slow, fail("by position")]},
                    fail("by time"),
                ]
            }
        ]
    )
    seen = await automation.run()
    assert (seen.status, seen.error) == ("failed", "by position")


async def test_a_disabled_action_is_one_skipped_step_and_its_content_is_not_looked_at(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"sequence": [record("in")], "enabled": False}, record("after")]
    )
    seen = await automation.run()
    assert (seen.recorded, seen.steps) == (
        ["after"],
        {"actions[0]": "skipped", "actions[1]": "success"},
    )
    assert seen.step("actions[0]").error_message == "disabled"


async def test_a_failed_action_ends_its_list_and_the_run_with_its_reason(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([fail("why not"), record("after")])
    seen = await automation.run()
    assert (seen.status, seen.recorded, seen.error) == ("failed", [], "why not")
    assert "actions[1]" not in seen.steps


async def test_the_error_of_a_run_is_the_failure_that_ended_it(shared: EngineFixture) -> None:
    automation = await shared.automation([fail("tolerated", continue_on_error=True), fail("fatal")])
    assert (await automation.run()).error == "fatal"


async def test_config_that_its_type_refuses_fails_the_step_naming_the_field(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [{"action": "test.slow", "config": {"seconds": "{{ trigger.payload.s }}"}}]
    )
    seen = await automation.run({"s": "soon"})
    assert seen.status == "failed"
    assert "seconds" in seen.error


async def test_a_number_field_can_be_templated_and_keeps_its_type(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"action": "test.slow", "config": {"seconds": "{{ trigger.payload.s }}"}}, record("a")]
    )
    assert (await automation.run({"s": 0})).recorded == ["a"]


async def test_a_text_field_always_gets_text(shared: EngineFixture) -> None:
    automation = await shared.automation([record("{{ trigger.payload.o }}")])
    assert (await automation.run({"o": {"a": [1, 2.0, None]}})).recorded == ['{"a":[1,2,null]}']


async def test_an_action_past_its_time_fails(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [{"action": "test.slow", "config": {"seconds": 30}, "timeout_seconds": 1}]
    )
    seen = await automation.run()
    assert (seen.status, seen.error) == ("failed", "no result within 1 s")


# Artifacts


async def test_an_artifact_is_in_scope_by_action_id_and_local_type_name(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [record("A", id="p"), record("{{ artifacts.p.recorded.recorded }}", id="q")]
    )
    seen = await automation.run(key="k")
    assert seen.recorded == ["A", "A"]
    (first, _) = seen.detail.artifacts
    assert (first.artifact_type, first.data, first.context_key) == (
        "test.recorded",
        {"recorded": "A"},
        "k",
    )


async def test_artifacts_of_all_branches_are_in_scope_after_the_join(shared: EngineFixture) -> None:
    text = "{{ artifacts.pa.recorded.recorded }}{{ artifacts.pb.recorded.recorded }}"
    automation = await shared.automation(
        [{"parallel": [record("A", id="pa"), record("B", id="pb")]}, record(text, id="out")]
    )
    assert (await automation.run()).recorded[-1] == "AB"


async def test_a_consumer_gets_the_newest_open_artifact_of_its_key_across_runs(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [
            {
                "choose": [
                    {
                        "when": "trigger.payload.v",
                        "sequence": [record("{{ trigger.payload.v }}", id="p")],
                    }
                ],
                "else": [{"action": "test.consumer", "config": {}}],
            }
        ]
    )
    await automation.run({"v": "old"}, key="k1")
    await automation.run({"v": "new"}, key="k1")
    await automation.run({"v": "other"}, key="k2")
    consumed = shared.recorder.consumed
    await automation.run(key="k1")
    assert consumed[-1] == {"recorded": {"recorded": "new"}}
    await automation.run(key=None)
    assert consumed[-1] == {}


async def test_artifacts_of_another_run_are_not_in_the_scope_of_templates(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [
            record("[{{ artifacts.late.recorded.recorded }}]", id="q", enabled=True),
        ]
        if False
        else [
            {
                "choose": [{"when": "trigger.payload.make", "sequence": [record("A", id="p")]}],
                "else": [record("[{{ artifacts.p.recorded.recorded }}]", id="q")],
            }
        ]
    )
    await automation.run({"make": True}, key="k")
    assert (await automation.run(key="k")).recorded == ["[]"]


# Sections 2, 7, 8: paths, steps, statuses


async def test_step_paths_are_those_of_section_2(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [
            {
                "choose": [{"when": "false", "sequence": [record("a")]}],
                "else": [{"sequence": [record("b")]}],
            },
            {"repeat": {"count": 2, "sequence": [record("c")]}},
            {"parallel": [record("d"), {"sequence": [record("e")]}]},
        ]
    )
    assert set((await automation.run()).steps) == {
        "actions[0]",
        "actions[0].else[0]",
        "actions[0].else[0].sequence[0]",
        "actions[1]",
        "actions[1].repeat[0].sequence[0]",
        "actions[1].repeat[1].sequence[0]",
        "actions[2]",
        "actions[2].parallel[0][0]",
        "actions[2].parallel[1][0]",
        "actions[2].parallel[1][0].sequence[0]",
    }


async def test_an_automation_without_actions_succeeds_at_once(shared: EngineFixture) -> None:
    seen = await (await shared.automation([])).run()
    assert (seen.status, seen.steps) == ("success", {})


async def test_the_events_of_a_run_have_no_gap_and_stand_in_order(shared: EngineFixture) -> None:
    automation = await shared.automation(
        [record("a"), {"parallel": [record("b"), record("c")]}, fail("x")]
    )
    seen = await automation.run()
    assert [event.data.seq for event in seen.events] == list(range(1, len(seen.events) + 1))
    assert seen.events[0].type == "lockstep.run.started"
    assert seen.events[-1].type == "lockstep.run.failed"
    assert {event.id for event in seen.events} == {
        f"{seen.detail.run.id}:{seq}" for seq in range(1, len(seen.events) + 1)
    }


async def test_a_loop_of_pure_steps_does_not_hold_up_other_runs(shared: EngineFixture) -> None:
    body = [{"variables": {"x": "{{ repeat.index }}"}}]
    busy = await shared.automation([{"repeat": {"count": 3000, "sequence": body}}])
    quick = await shared.automation([record("quick")])
    await shared.publish(busy.event, {})
    await quick.run()
    assert not [e for e in shared.events.get(busy.id, []) if e.type == "lockstep.run.succeeded"]
    await shared.ended(busy.id, 1)
