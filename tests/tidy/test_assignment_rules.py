"""The rules of what is set from outside, tried on trees that break them."""

from pathlib import Path

from assigned import replaced_methods, set_after_construction
from made_up import made_up, places

PRODUCT = {
    "a.py": """
        Receive = Callable[[int], None]
        class Intake:
            def __init__(self, receive: Receive, size: int):
                self.receive, self.size = receive, size
            def run(self): ...
        class Row:
            status: str
            def close(self): ...
    """
}


def test_a_callable_that_an_object_gets_later_is_found(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            **PRODUCT,
            "b.py": """
                class Waking:
                    promised: Callable[[], None]
                    table: dict[str, Callable[[], None]]
                    def __init__(self, given: Callable[[], None]):
                        self.given = given
                        self.other = self.tell
                    def tell(self): ...
                    def later(self, hears):
                        self.given = hears
                        self.given2 = lambda: 1
                def shown(): ...
                def build(intake, waking, row):
                    waking.promised = shown
                    waking.a = functools.partial(shown, 1)
                    waking.b = shown
                    intake.receive = row
                    intake.c = waking.tell
            """,
        },
    )
    lines = (3, 10, 11, 14, 15, 16, 17, 18)
    assert sorted(places(set_after_construction(tree))) == sorted(f"b.py:{n}" for n in lines)


def test_a_callable_that_is_handed_to_a_method_and_kept_is_found(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            **PRODUCT,
            "b.py": """
                class Waking:
                    def __init__(self): self.heard = []
                    def hear(self, size: int, told: Callable[[], None] | None, *, by: Receive):
                        self.told, self.size = told, size
                        self.by = by
                def build(waking):
                    setattr(waking, "told", 1)
                    object.__setattr__(waking, "told", 1)
            """,
        },
    )
    found = sorted(places(set_after_construction(tree)))
    assert found == ["b.py:5", "b.py:6", "b.py:8", "b.py:9"]


def test_values_may_be_set_later(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            **PRODUCT,
            "b.py": """
                @dataclass
                class Parts:
                    told: Callable[[], None]
                class Walk:
                    def __init__(self): self.row = None
                    def go(self, row, status):
                        self.row = row
                        row.status, row.size = status, 3
            """,
        },
    )
    assert set_after_construction(tree) == []


def test_what_tests_replace_is_found(tmp_path: Path) -> None:
    product = made_up(tmp_path, PRODUCT)
    tests = made_up(
        tmp_path,
        {
            "test_a.py": """
                import sys, typer
                from lockstep import a
                from unittest.mock import patch
                def test_a(monkeypatch, intake, row):
                    monkeypatch.setattr(a, "SECONDS", 0)
                    monkeypatch.setattr("lockstep.a.SECONDS", 0)
                    monkeypatch.setattr(intake, "run", None)
                    intake.run = lambda: None
                    intake.receive = row
                    a.SECONDS = 0
                    setattr(intake, "run", row)
                    patch("lockstep.a.Intake")
                    patch.object(a, "Intake")
                    other: Any = a
                    other.encode = row
            """,
        },
        package="tests",
    )
    found = places(replaced_methods(tests, product))
    assert sorted(found) == sorted(
        f"test_a.py:{line}" for line in (6, 7, 8, 9, 10, 11, 12, 13, 14, 16)
    )


def test_tests_may_set_values_and_patch_what_is_not_ours(tmp_path: Path) -> None:
    product = made_up(tmp_path, PRODUCT)
    tests = made_up(
        tmp_path,
        {
            "test_a.py": """
                import sys, typer
                def test_a(monkeypatch, row):
                    monkeypatch.setattr(sys, "stderr", row)
                    monkeypatch.setattr(typer, "confirm", row)
                    monkeypatch.setattr("sys.stdin.isatty", row)
                    monkeypatch.setenv("HOME", "x")
                    row.status = "done"
                class Fake:
                    def __init__(self, run): self.run = run
            """,
        },
        package="tests",
    )
    assert replaced_methods(tests, product) == []
