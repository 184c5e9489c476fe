"""How far a change reaches, and how large a scope may become."""

import pytest

from lockstep.walk.frames import ScopeNames
from lockstep.walk.scope import SCOPE_BYTES, Scope, ScopeTooLarge


def scopes() -> tuple[Scope, Scope, Scope]:
    """A run, a loop in it, a branch in the loop."""
    run = Scope(ScopeNames(), None, "run")
    loop = Scope(ScopeNames(), run, "loop")
    return run, loop, Scope(ScopeNames(), loop, "branch")


def test_a_branch_keeps_its_changes_until_the_join() -> None:
    run, loop, branch = scopes()
    run.assign("a", 1)
    branch.assign("a", 2)
    branch.assign("b", 3)
    assert (run.variables(), loop.variables()) == ({"a": 1}, {"a": 1})
    assert branch.variables() == {"a": 2, "b": 3}
    loop.merge(branch.names)
    assert run.variables() == {"a": 2}, "an outer name changes outside"
    assert loop.variables() == {"a": 2, "b": 3}, "a new name lives in the iteration"


def test_an_artifact_made_in_a_loop_is_the_run_s() -> None:
    run, loop, branch = scopes()
    branch.produce("p", "recorded", {"v": 1})
    assert run.artifacts() == {}
    loop.merge(branch.names)
    assert run.artifacts() == {"p": {"recorded": {"v": 1}}}


def test_a_scope_that_would_be_too_large_is_refused_and_stays_as_it_was() -> None:
    run, _, _ = scopes()
    run.assign("a", "x" * (SCOPE_BYTES - 100))
    with pytest.raises(ScopeTooLarge, match="'b'"):
        run.assign("b", "x" * 100)
    assert set(run.variables()) == {"a"}
    run.assign("a", "short")
    run.assign("b", "x" * 100)


def test_a_scope_that_was_stored_knows_its_size_when_it_is_taken_up_again() -> None:
    names = ScopeNames(variables={"a": "x" * (SCOPE_BYTES - 100)})
    with pytest.raises(ScopeTooLarge):
        Scope(names, None, "run").assign("b", "x" * 200)
