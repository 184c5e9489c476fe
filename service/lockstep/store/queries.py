"""The named queries: one file each in `sql/`, by the name of the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

QUERIES: Final[Mapping[str, str]] = {
    path.stem: path.read_text() for path in sorted((Path(__file__).parent / "sql").glob("*.sql"))
}
