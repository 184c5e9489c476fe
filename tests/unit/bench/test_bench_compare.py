"""Two trees are measured in turn, each first in every other round."""

import os
from pathlib import Path

import pytest

from lockstep.bench.compare import Compared, compare
from lockstep.bench.errors import BenchFailed
from lockstep.bench.figures import Figures


def tree(folder: Path) -> Path:
    """Make what looks like a tree of Lockstep."""
    (folder / "service" / "lockstep").mkdir(parents=True)
    (folder / "service" / "lockstep" / "__main__.py").touch()
    return folder


def test_figures_are_medians_and_the_ratio_is_that_of_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    other, order = tree(tmp_path), list[str]()
    values = {"here": iter([4.0, 10.0, 30.0]), "beside": iter([2.0, 20.0, 10.0])}

    def measure() -> Figures:
        paths = os.environ.get("PYTHONPATH", "")
        whose = "beside" if str(other / "service") in paths.split(os.pathsep) else "here"
        order.append(whose)
        return Figures(p50_ms=next(values[whose]), match_us={"10": 1.0}, budget_is_held=True)

    found = compare(measure, other, 3)
    assert found == {"p50_ms": Compared(here=10.0, beside=10.0, ratio=2.0)}
    assert order == ["beside", "here", "here", "beside", "beside", "here"]
    assert "PYTHONPATH" not in os.environ


def test_what_the_other_tree_does_not_do_has_no_ratio(tmp_path: Path) -> None:
    values = iter([0, 7])
    found = compare(lambda: Figures(expiry_looks=next(values)), tree(tmp_path), 1)
    assert found == {"expiry_looks": Compared(here=7.0, beside=0.0, ratio=None)}


def test_a_path_is_as_it_was_also_where_the_engine_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "mine")

    def measure() -> Figures:
        raise BenchFailed("it did not start")

    with pytest.raises(BenchFailed, match="did not start"):
        compare(measure, tree(tmp_path), 1)
    assert os.environ["PYTHONPATH"] == "mine"


def test_a_folder_without_lockstep_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchFailed, match="there is no service/lockstep in it"):
        compare(lambda: Figures(p50_ms=1.0), tmp_path, 1)
