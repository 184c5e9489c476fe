"""Write `previous.sql`: the statements of a released version, for the tests of the next one.

python tests/upgrade/snapshot.py REVISION
"""

import subprocess
import sys
from pathlib import Path

from lockstep.store.queries import parse

STORE = "service/lockstep/store"
FILE = Path(__file__).with_name("previous.sql")
HEAD = """\
-- The statements of the version before, and the migration up to which it knew the schema.
-- Written anew at each release: python tests/upgrade/snapshot.py REVISION
-- schema: {schema}
"""


def git(*words: str) -> str:
    """Ask git."""
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def main(revision: str) -> None:
    """Collect the files of a revision."""
    listed = git("ls-tree", "-r", "--name-only", revision, f"{STORE}/sql", f"{STORE}/migrations")
    files = [Path(name) for name in listed.split()]
    migrations = sorted(file.stem for file in files if file.parent.name == "migrations")
    parts = [HEAD.format(schema=migrations[-1])]
    queries = Path(STORE, "sql")
    for file in sorted(file for file in files if file.is_relative_to(queries)):
        name = file.relative_to(queries).with_suffix("").as_posix()
        text = parse(name, git("show", f"{revision}:{file}")).text.rstrip()
        parts.append(f"-- name: {name}\n{text}\n")
    FILE.write_text("\n".join(parts))


if __name__ == "__main__":
    main(sys.argv[1])
