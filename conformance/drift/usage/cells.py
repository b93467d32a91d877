"""A user's files as pieces of code, each with the place it stands at: scripts, notebooks, shell scripts, Markdown.

Nothing is executed. A notebook's cells and a page's fences are one program in the order they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.errors import UsageError

PYTHON, SHELL = "python", "shell"
ENDINGS = (".py", ".ipynb", ".sh", ".bash", ".md", ".har")
"""The files that are read for use; others in a folder are passed over."""

_LIMIT = 64 * 2**20
_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<fence>```+|~~~+)\s*(?P<language>[\w+-]*)")
_PYTHON_FENCES = ("python", "py", "python3", "ipython", "ipython3")
_SHELL_FENCES = ("bash", "sh", "shell", "console", "zsh")
_CELL_MAGIC = re.compile(r"^\s*%%(\w+)")


@dataclass(frozen=True)
class Place:
    """Where something stands: a file as it was named, a line from 1, and the cell of a notebook from 1 (0: none).

    In a HAR file the number is that of an entry, and `unit` says so.
    """

    file: str
    line: int
    cell: int = 0
    unit: str = "line"

    def __str__(self) -> str:
        if self.unit != "line":
            return f"{self.file}, {self.unit} {self.line}"
        return f"{self.file}, cell {self.cell}, line {self.line}" if self.cell else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Cell:
    """One piece of code: its language, its text, and the place of its first line."""

    language: str
    text: str
    start: Place

    def at(self, line: int) -> Place:
        """The place of a line of this piece, counted from 1."""
        return Place(self.start.file, self.start.line + line - 1, self.start.cell)


def files_of(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files among the paths and, for folders, every file in them that can be read for use.

    Raises UsageError for a path that is not there, for a file of another kind, and where nothing is left.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = (one for one in sorted(path.rglob("*")) if one.suffix in ENDINGS and one.is_file())
            found.update(dict.fromkeys(one for one in inside if not _hidden(one.relative_to(path))))
        elif not path.is_file():
            raise UsageError(f"There is no file {path}.")
        elif path.suffix not in ENDINGS:
            raise UsageError(f"{path} cannot be searched for API calls; supported are {', '.join(ENDINGS)}.")
        else:
            found[path] = None
    if not found:
        raise UsageError(
            f"No file under {', '.join(map(str, paths))} can be searched; supported are {', '.join(ENDINGS)}."
        )
    return tuple(found)


def cells_of(path: Path) -> tuple[Cell, ...]:
    """The code of a script, notebook, shell script or Markdown page; UsageError where it cannot be read as such."""
    text = _text(path)
    if path.suffix == ".ipynb":
        return tuple(_notebook(path, text))
    if path.suffix == ".md":
        return tuple(_fences(str(path), text))
    return (Cell(PYTHON if path.suffix == ".py" else SHELL, text, Place(str(path), 1)),)


def _hidden(relative: Path) -> bool:
    return any(
        part.startswith(".") or part in ("node_modules", "__pycache__", "site-packages") for part in relative.parts
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LIMIT:
            raise UsageError(f"{path} is larger than {_LIMIT >> 20} MiB, too large to search.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}.") from None


def _notebook(path: Path, text: str) -> Iterator[Cell]:
    try:
        notebook = json.loads(text)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise UsageError(f"{path} is not a Jupyter notebook: it is not a JSON object with cells.") from None
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            yield _cell(_source(cell), Place(str(path), 1, number))


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _cell(text: str, start: Place) -> Cell:
    magic = _CELL_MAGIC.match(text)
    language = SHELL if magic and magic[1] in ("bash", "sh", "script") else PYTHON
    return Cell(language, re.sub(r"^\s*%%[^\n]*", "", text, count=1) if magic else text, start)


def _fences(file: str, text: str) -> Iterator[Cell]:
    opened: re.Match[str] | None = None
    lines: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, lines, first = fence, [], number + 1
        elif opened is not None and fence and fence["fence"].startswith(opened["fence"]) and not fence["language"]:
            language = opened["language"].lower()
            if language in (*_PYTHON_FENCES, *_SHELL_FENCES):
                kind = PYTHON if language in _PYTHON_FENCES else SHELL
                yield Cell(kind, "\n".join(lines), Place(file, first))
            opened = None
        elif opened is not None:
            lines.append(line)
