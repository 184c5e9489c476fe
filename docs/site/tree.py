"""What the site shows: the pages of the tree, what they link to, lists of folders among that."""

import re
import subprocess
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Final

from markdown import Extension, Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT: Final = Path(__file__).parents[2]
_LINK: Final = re.compile(r"(\[[^\]]*\]\()([^)#\s:]+)(?=[)#])")


class Indent(Extension):
    """What belongs to an item of a list stands three columns in, as on GitHub."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 # that is its name
        """Set it."""
        md.tab_length = 3


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors and lists as GitHub does."""
    config.mdx_configs["toc"] = {"slugify": slugify(case="lower"), "permalink": True}
    config.markdown_extensions.append(Indent())
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Take the pages of the tree, at their places, in place of those of one folder."""
    tracked = _tracked()
    pages = {name for name in tracked if _is_page(name)}
    linked = {one for name in pages for one in _links(name, (ROOT / name).read_text())}
    folders = {one for one in linked if (ROOT / one).is_dir() and f"{one}/README.md" not in pages}
    listed = {name for name in tracked if str(PurePosixPath(name).parent) in folders}
    shown = pages | listed | (linked & set(tracked))
    theme = [file for file in files if not _is_of_tree(file)]
    return Files([
        *theme,
        *(File.generated(config, name, abs_src_path=str(ROOT / name)) for name in sorted(shown)),
        *(_list(config, folder, tracked) for folder in sorted(folders)),
    ])  # fmt: skip


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let a link to a folder lead to its page."""
    here = page.file.src_uri

    def led(found: re.Match[str]) -> str:
        target = _target(here, found[2])
        name = next((n for n in ("README.md", "index.md") if f"{target}/{n}" in files.src_uris), "")
        return f"{found[1]}{found[2].rstrip('/')}/{name}" if name else found[0]

    return _LINK.sub(led, markdown)


def _tracked() -> list[str]:
    """Name the files of the tree, without what git ignores."""
    words = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    found = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in dict.fromkeys(found.stdout.splitlines()) if (ROOT / name).is_file()]


def _is_page(name: str) -> bool:
    return name.endswith(".md") and not name.startswith(("tests/", "service/"))


def _is_of_tree(file: File) -> bool:
    return file.abs_src_path is not None and Path(file.abs_src_path).is_relative_to(ROOT / "docs")


def _target(page: str, link: str) -> str:
    """Give the path that a link of a page means."""
    return normpath(str(PurePosixPath(page).parent / link))


def _links(page: str, text: str) -> list[str]:
    return [_target(page, link) for _, link in _LINK.findall(text)]


def _list(config: MkDocsConfig, folder: str, tracked: list[str]) -> File:
    """Make the page of a folder that has none."""
    names = [PurePosixPath(one) for one in tracked if str(PurePosixPath(one).parent) == folder]
    lines = "".join(f"* [{one.name}]({one.name})\n" for one in sorted(names))
    text = f"# {folder}\n\nThe files of the folder.\n\n{lines}"
    return File.generated(
        config, f"{folder}/index.md", content=text, inclusion=InclusionLevel.NOT_IN_NAV
    )
