"""The rules of where things lie, tried on trees that break them."""

from pathlib import Path

from layout import folders, long_files, long_functions, loose_modules, wide_lines
from made_up import made_up, places


def test_a_module_without_a_folder_is_loose(tmp_path: Path) -> None:
    files = {"__main__.py": "", "app.py": "", "walk/pool.py": "", "gate/__init__.py": ""}
    assert places(loose_modules(made_up(tmp_path, files))) == ["app.py:1"]


def test_modules_are_counted_by_their_folder(tmp_path: Path) -> None:
    files = {"walk/a.py": "", "walk/b.py": "", "walk/kinds/c.py": "", "gate/__init__.py": ""}
    counted = folders(made_up(tmp_path, files))
    assert {folder.name: count for folder, count in counted.items()} == {"walk": 2, "kinds": 1}


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * 50
    tree = made_up(
        tmp_path,
        {"a.py": f"def fine():\n{body[:-10]}\ndef long():\n{body}", "b.py": f"'{'x' * 99}'\n"},
    )
    assert places(long_functions(tree)) == ["a.py:52"]
    assert places(wide_lines(tree)) == ["b.py:1"]
    assert places(long_files(tree, 52)) == ["a.py:1"]
