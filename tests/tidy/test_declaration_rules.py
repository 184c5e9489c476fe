"""The rules of what is declared, tried on trees that break them."""

from pathlib import Path

from declared import (
    dead,
    idle_exceptions,
    invariants_of,
    repeated_classes,
    repeated_docstrings,
    undefined_invariants,
    unexplained_numbers,
)
from made_up import made_up, places


def test_what_nothing_uses_is_dead(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "__init__.py": "from lockstep.a import handed_on\n__all__ = ['handed_on']",
            "a.py": '''
                def handed_on(): ...
                def itself(n): return itself(n - 1)
                UNUSED = 1
                class Idle:
                    """Idle and UNUSED."""
                    field: int
                    def __init__(self): self.attribute = 1
                    def method(self): ...
            ''',
        },
    )
    names = [stray.partition(": ")[2] for stray in dead(tree, [tree], {})]
    assert names == [
        "handed_on", "itself", "UNUSED", "Idle", "Idle.field", "Idle.method", "Idle.attribute",
    ]  # fmt: skip


def test_what_is_named_somewhere_lives(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "a.py": """
                CONSTANT = 1
                def called(): ...
                def told_by_name(): ...
                @app.command()
                def command(): ...
                class Used:
                    given: int
                    matched: int
                    @property
                    def read(self): ...
            """,
            "b.py": """
                from lockstep.a import CONSTANT, Used, called
                print(CONSTANT, Used(given=called()).read, "lockstep.a:told_by_name")
                match x:
                    case Used(matched=1): ...
            """,
        },
    )
    assert dead(tree, [tree], {}) == []


def test_what_others_use_is_exempt_as_long_as_it_is_there(tmp_path: Path) -> None:
    tree = made_up(tmp_path, {"a.py": "class Wire:\n    def _ping(self): ...\nWire"})
    exempt = {"Wire._ping": "the driver", "Wire._pong": "nobody"}
    assert dead(tree, [tree], exempt) == []
    assert idle_exceptions(tree, exempt) == ["Wire._pong"]


def test_a_class_name_stands_once_or_for_a_port_and_its_adapter(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "ports/places.py": "class Places(Protocol): ...\nclass Word: ...",
            "walk/pool.py": "class Places: ...\nclass Walk: ...\nclass Keys(Protocol): ...",
            "gate/a.py": "class Walk: ...\nclass Rows(Protocol): ...",
            "store/a.py": "class Word: ...\nclass Keys: ...\nclass Rows: ...",
            "bus/a.py": "class Rows: ...",
        },
    )
    assert [stray.partition(":")[0] for stray in repeated_classes(tree)] == [
        "Rows",
        "Walk",
        "Word",
    ]


def test_a_long_docstring_is_said_once(tmp_path: Path) -> None:
    long = "Say something that takes more than forty characters."
    see = "See `ports.places.Places.reserve`, which says it."
    functions = [f'def f{n}():\n    """{text}"""\n' for n, text in enumerate((long, see, "Do."))]
    tree = made_up(tmp_path, dict.fromkeys(("a.py", "b.py"), "".join(functions)))
    (stray,) = repeated_docstrings(tree)
    assert stray.startswith(f"'{long}'")


def test_a_number_says_why_beside_above_or_below(tmp_path: Path) -> None:
    tree = made_up(
        tmp_path,
        {
            "a.py": '''
                from typing import Final
                BESIDE: Final = 1  # as many as fit
                # as long as one waits
                ABOVE = 2.0
                BELOW: Final = 3 * 1024
                """Bytes of a frame."""
                TEXT: Final = "4"
                IS_SO: Final = True
                SECOND: Final = 1

                BARE: Final = 5
                SPAN: Final = timedelta(hours=6)
                TOOLED: Final = 7  # noqa: N806
                class Class:
                    INNER: Final = -8
                    field: int = 9
                SOME: Final = (0.5, 1.0)
                NONE: Final = ()
            ''',
        },
    )
    found = unexplained_numbers(tree, {"SECOND": "a unit"})
    assert sorted(places(found)) == ["a.py:12", "a.py:13", "a.py:14", "a.py:16", "a.py:18"]


def test_an_invariant_that_no_page_defines_is_refused(tmp_path: Path) -> None:
    page = "| # | invariant |\n| --- | --- |\n| I1 | an event |\n| **I11** | a secret |\n"
    assert invariants_of(page) == {"I1", "I11"}
    tree = made_up(tmp_path, {"a.py": "# I1 and I11\n# I2\n"})
    assert places(undefined_invariants(tree, invariants_of(page))) == ["a.py:2"]
