"""The figures by which the house is measured."""

from collections.abc import Callable

import pytest

from figures import FIGURES, Figure, main


@pytest.mark.parametrize("count", FIGURES, ids=lambda count: count.__name__)
def test_a_figure_of_the_house_is_within_its_bound(count: Callable[[], Figure]) -> None:
    figure = count()
    assert figure.is_met, "\n".join([str(figure), *figure.strays])


def test_the_script_prints_a_line_for_each_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) in {0, 1}
    assert len(capsys.readouterr().out.splitlines()) == len(FIGURES)
