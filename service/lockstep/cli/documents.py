"""Automations in files: found, read, validated."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import typer

from lockstep.catalog import build_catalog, load_plugins
from lockstep.cli.output import print_json, results
from lockstep.definition import Source, SourceError, read_all
from lockstep.definition import validate as judge
from lockstep.model.errors import EngineError
from lockstep.render import Renderer
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
BESIDE: Final = frozenset({"id", "name", "description", "group", "status", "definition"})


class DocumentsRefused(EngineError):
    """Files that hold no automations of ours; each fault has its place."""

    code = "documents.refused"


class Document(msgspec.Struct, frozen=True):
    """An automation in a file: its definition, and what stands beside it."""

    path: Path
    source: Source
    raw: Json
    under: tuple[str, ...]  # the path of the definition in the document

    @property
    def definition(self) -> Json:
        """What it does."""
        return self.raw["definition"] if self.under else self.raw

    @property
    def name(self) -> str:
        """Its name: beside the definition, else that of the definition."""
        beside = self.raw.get("name") if self.under else None
        inner = self.definition.get("name") if isinstance(self.definition, dict) else None
        return str(beside or inner or "")

    def at(self, issue: Issue) -> str:
        """Give a fault with its place, as compilers do."""
        line, column = issue.line or 1, issue.column or 1
        place = ".".join(str(part) for part in issue.path)
        hint = f" ({issue.hint})" if issue.hint else ""
        return f"{self.path}:{line}:{column}: {place or 'document'}: {issue.message}{hint}"


def find(paths: Sequence[Path]) -> Iterator[Path]:
    """Give the files that are meant, those of folders in order of their names.

    Raises:
        DocumentsRefused: There is no such file.
    """
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        elif path.is_file():
            yield path
        else:
            raise DocumentsRefused(f"{path}: there is no such file or folder")


def read(paths: Sequence[Path]) -> list[Document]:
    """Read all automations of files.

    Raises:
        DocumentsRefused: One cannot be read, or is no automation; all faults are named.
    """
    documents: list[Document] = []
    faults: list[str] = []
    for path in find(paths):
        try:
            sources = read_all(path.read_text())
        except SourceError as error:
            issue = error.issue
            faults.append(f"{path}:{issue.line}:{issue.column}: {issue.message}")
            continue
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}: cannot be read: {error}")
            continue
        for source in sources:
            documents.append(_document(path, source))
            faults += _around(documents[-1])
    if faults:
        raise DocumentsRefused("\n".join(faults))
    return documents


def _document(path: Path, source: Source) -> Document:
    raw = source.value
    under = ("definition",) if isinstance(raw, dict) and "definition" in raw else ()
    return Document(path, source, raw, under)


def _around(document: Document) -> Iterator[str]:
    """Give the faults of what stands beside a definition."""
    if not document.under:
        return
    for name in document.raw:
        if name not in BESIDE:
            known = ", ".join(sorted(BESIDE))
            issue = Issue(path=[name], message=f"unknown key `{name}`", hint=f"known are {known}")
            yield document.at(document.source.locate(issue))
    for name in ("id", "name", "description", "group", "status"):
        if not isinstance(document.raw.get(name, ""), str):
            issue = Issue(path=[name], message="expected a text")
            yield document.at(document.source.locate(issue))


def validate(paths: Sequence[Path], *, strict: bool, as_json: bool) -> None:
    """Say every fault; exit with 1 if there is one.

    This machine does not know the actions of services on the bus: an unknown action is a warning,
    unless `strict`.
    """
    catalog = build_catalog(True)
    load_plugins(catalog)
    renderer = Renderer(catalog.filters)
    faults: list[tuple[Document, Issue]] = []
    warnings: list[tuple[Document, Issue]] = []
    documents = read(paths)
    for document in documents:
        checked = judge(
            document.definition,
            catalog,
            renderer,
            positions=document.source,
            under=document.under,
        )
        for issue in checked.errors:
            unknown = issue.message.startswith("unknown action ") and not strict
            (warnings if unknown else faults).append((document, issue))
        warnings += [(document, issue) for issue in checked.warnings]
    if as_json:
        print_json(
            {
                "valid": not faults,
                "errors": [{"file": str(d.path), "issue": i} for d, i in faults],
                "warnings": [{"file": str(d.path), "issue": i} for d, i in warnings],
            }
        )
    else:
        for document, issue in faults:
            results.print(document.at(issue), markup=False, soft_wrap=True)
        for document, issue in warnings:
            results.print(f"warning: {document.at(issue)}", markup=False, soft_wrap=True)
        if not faults:
            results.print(f"{len(documents)} automations are valid")
    raise typer.Exit(1 if faults else 0)
