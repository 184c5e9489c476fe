"""The rules of imports, tried on trees that break them."""

from pathlib import Path

from circles import circles
from contracts import Contracts, driver_strays
from made_up import made_up, places
from sources import Tree

LAYERS = ({"model"}, {"ports"}, {"walk", "gate"}, {"engine"}, {"cli"})
ALLOWED = {
    "model": set[str](),
    "ports": {"model"},
    "walk": {"ports", "model"},
    "gate": {"ports", "model"},
    "cli": {"model", "engine"},
    "version": set[str](),
}
CONTRACTS = Contracts(({"version"}, *LAYERS), ALLOWED, {"engine"})


def targets(sources: Tree, module: str) -> list[str]:
    """Give what a module imports."""
    return [found.target for found in sources.imports if found.importer.module == module]


def test_an_import_is_found_wherever_and_however_it_stands(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "walk/frames.py": "class Frame: ...",
            "walk/pool.py": "",
            "gate/admit.py": """
                import json
                import lockstep.walk.pool
                from typing import TYPE_CHECKING
                from lockstep.walk import frames
                if TYPE_CHECKING:
                    from lockstep.model.runs import Run
                def late() -> None:
                    from ..walk.frames import Frame
                COMMAND = "lockstep.engine.serve:main"
            """,
            "model/runs.py": "class Run: ...",
            "engine/serve.py": "",
        },
    )
    assert targets(tree, "lockstep.gate.admit") == [
        "json", "lockstep.walk.pool", "typing", "lockstep.walk.frames", "lockstep.model.runs",
        "lockstep.walk.frames", "lockstep.engine.serve",
    ]  # fmt: skip


def test_a_name_that_a_package_hands_on_is_followed_to_where_it_is_made(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "walk/__init__.py": "from lockstep.walk.kinds import Delay as Sleep",
            "walk/kinds/__init__.py": "from .delay import Delay",
            "walk/kinds/delay.py": "class Delay: ...",
            "engine/a.py": "from lockstep.walk import Sleep",
            "engine/b.py": "from lockstep.walk.kinds import Delay",
        },
    )
    assert targets(tree, "lockstep.engine.a") == ["lockstep.walk", "lockstep.walk.kinds"]
    assert targets(tree, "lockstep.engine.b") == [
        "lockstep.walk.kinds",
        "lockstep.walk.kinds.delay",
    ]


def test_an_import_without_a_contract_is_refused_and_one_with_a_reason_is_not(
    tmp_path: Path,
) -> None:
    tree = made_up(
        tmp_path,
        {
            "walk/pool.py": "from lockstep.gate import admit\nfrom lockstep.ports import x",
            "gate/admit.py": "",
            "ports/x.py": "",
            "engine/all.py": "from lockstep.gate import admit\nfrom lockstep.walk import pool",
            "strange.py": "",
        },
    )
    assert places(CONTRACTS.strays(tree)) == ["strange.py:1", "pool.py:1"]
    exempt = {("lockstep.walk.pool", "lockstep.gate.admit"): "for now"}
    excused = Contracts(LAYERS, ALLOWED, {"engine"}, exempt)
    assert places(excused.strays(tree)) == ["strange.py:1"]
    assert excused.idle_exceptions(tree) == []
    assert Contracts(LAYERS, ALLOWED, {"engine"}, {("a", "b"): "once"}).idle_exceptions(tree)


def test_an_import_climbs_whoever_allows_it(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "engine/serve.py": "from lockstep.cli import output",
            "cli/output.py": "from lockstep.engine import serve\nfrom lockstep.cli import more",
            "cli/more.py": "",
            "model/runs.py": "from lockstep import loose",
            "loose.py": "from lockstep.model import runs",
        },
    )
    assert places(CONTRACTS.climbs(tree)) == ["serve.py:1", "runs.py:1"]


def test_a_part_of_a_part_can_have_a_contract_of_its_own() -> None:
    contracts = Contracts((), {"bus": set(), "bus.settings": set()})
    assert contracts.part_of("lockstep.bus.settings") == "bus.settings"
    assert contracts.part_of("lockstep.bus.puller") == "bus"
    assert contracts.part_of("lockstep") == "version"
    assert contracts.part_of("lockstep_schemas.api") == "lockstep_schemas"


def test_a_table_that_contradicts_its_layers_is_refused() -> None:
    assert CONTRACTS.contradictions() == []
    wrong = Contracts(({"a"}, {"b", "d"}), {"a": {"b"}, "b": {"d", "a"}, "c": set()})
    assert wrong.contradictions() == [
        "c stands in no layer",
        "d has no contract",
        "a may import b, which is not below it",
        "b may import d, which is not below it",
    ]


def test_lines_that_no_contract_binds_are_counted(tmp_path: Path) -> None:
    files = {"model/a.py": "1\n" * 7, "engine/b.py": "1\n" * 2, "loose.py": "1\n"}
    assert CONTRACTS.share_of_roots(made_up(tmp_path, files)) == 0.3


def test_a_driver_stays_at_home(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {"store/pool.py": "import asyncpg.pool", "walk/pool.py": "from asyncpg import connect"},
    )
    assert places(driver_strays(tree, CONTRACTS, {"asyncpg": "store"})) == ["pool.py:1"]


def test_a_circle_is_told_by_its_shortest_way_and_once(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "a.py": "from lockstep import b\nfrom lockstep import far",
            "b.py": "def late() -> None:\n    from lockstep import a",
            "far.py": "from lockstep import away",
            "away.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lockstep.a",
            "self.py": "from lockstep.self import x",
            "fine.py": "from lockstep import a, self",
        },
    )
    assert sorted(circles(tree)) == [
        "lockstep.a -> lockstep.b -> lockstep.a (with lockstep.away, lockstep.far)",
        "lockstep.self -> lockstep.self",
    ]


def test_a_package_that_hands_on_a_module_which_needs_the_package_is_a_circle(
    tmp_path: Path,
) -> None:
    tree = made_up(
        tmp_path,
        {
            "walk/__init__.py": "from .pool import Pool\nfrom lockstep.walk.x import X",
            "walk/pool.py": "from lockstep.walk import X\nclass Pool: ...",
            "walk/x.py": "class X: ...",
        },
    )
    assert circles(tree) == ["lockstep.walk -> lockstep.walk.pool -> lockstep.walk"]
