"""Frames: what is stored of the live positions of a run."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.walk import frames
from lockstep.walk.frames import (
    BranchFrame,
    Frame,
    FrameFormat,
    LeafFrame,
    ListedFrame,
    ListFrame,
    ParallelFrame,
    RepeatFrame,
    RootFrame,
    ScopeNames,
)

FORMAT = FrameFormat()
NOW = datetime(2026, 5, 30, 12, tzinfo=UTC)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
values = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5)
names = st.builds(
    ScopeNames,
    variables=st.dictionaries(st.text(), values, max_size=3),
    artifacts=st.dictionaries(st.text(), st.dictionaries(st.text(), values), max_size=2),
)


def visits(inner: st.SearchStrategy[Frame]) -> st.SearchStrategy[Frame]:
    """Containers around frames."""
    lists = st.builds(ListFrame, index=st.integers(0, 99), inner=st.none() | inner)
    branches = st.builds(
        BranchFrame,
        done=st.sampled_from([None, "ok", "stopped", "failed"]),
        reason=st.none() | st.text(),
        changes=names,
        body=lists,
    )
    common = {"seq": st.integers(1, 10**6), "began_at": st.just(NOW)}
    return st.one_of(
        st.builds(ListedFrame, **common, branch=st.integers(-1, 5), body=lists),
        st.builds(
            RepeatFrame,
            **common,
            iteration=st.integers(0, 10**4),
            names=names,
            body=st.none() | lists,
        ),
        st.builds(ParallelFrame, **common, branches=st.lists(branches, max_size=3)),
    )


leaves: st.SearchStrategy[Frame] = st.builds(
    LeafFrame,
    seq=st.integers(1, 10**6),
    began_at=st.just(NOW),
    attempt=st.integers(0, 9),
    config=st.none() | st.dictionaries(st.text(), values),
)
roots = st.builds(
    RootFrame,
    last_seq=st.integers(0, 10**6),
    names=names,
    body=st.builds(
        ListFrame,
        index=st.integers(0, 99),
        inner=st.none() | st.recursive(leaves, visits, max_leaves=6),
    ),
)


@given(roots)
def test_frames_are_read_back_as_they_were_written(root: RootFrame) -> None:
    assert FORMAT.decode(FORMAT.encode(root)) == root


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"f":1,"in":{"in":{"k":"strange"}}}'])
def test_damaged_frames_are_refused_with_a_clear_error(document: bytes) -> None:
    with pytest.raises(frames.FramesUnreadable, match="cannot be read"):
        FORMAT.decode(document)


@pytest.mark.parametrize("more", [b"", b',"in":{"in":{"k":"of tomorrow"}}'])
def test_frames_of_a_newer_format_are_told_from_damaged_ones(more: bytes) -> None:
    with pytest.raises(frames.FramesNewer, match="format 2, this engine knows 1"):
        FORMAT.decode(b'{"f":2%s}' % more)


def test_frames_of_a_format_that_is_not_known_any_more_are_refused() -> None:
    with pytest.raises(frames.FramesUnreadable, match="format 0, this engine knows 1") as caught:
        FORMAT.decode(b'{"f":0}')
    assert not isinstance(caught.value, frames.FramesNewer)
