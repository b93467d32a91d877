"""A user's file as the cells that a rehearsal runs, each with the output that is stored for it."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.drift.usage.calls import PYTHON, Cell, cells_of
from conformance.drift.usage.reading import python_of
from conformance.errors import UsageError

ENDINGS = (".ipynb", ".md", ".py", ".sh", ".bash")
"""The files that are run; others in a folder are passed over."""

PROGRAMS = (".py", ".sh", ".bash")
"""Those that are run as one program, not cell by cell."""

_PASSED_OVER = ("node_modules", "__pycache__", "site-packages")
_HOST = re.compile(r"https?://(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,})(?::\d+)?(?P<path>/v1/api)?")
_IMAGE = "(image)"
_BRACES = re.compile(r"\{([^{}]+)\}")
_DOLLAR = re.compile(r"\$(\w+)")
_TAG = re.compile(r"<(style|script)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)
_TABLE = re.compile(r"<(?P<tag>table|div)\b.*?</(?P=tag)>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Stored:
    """What a file keeps of a cell's output: its text, and the name of the exception it ended in, if it did.

    `as_html` says that tables are kept as HTML alone, as a notebook that was turned into Markdown keeps them.
    """

    text: str
    error: str = ""
    as_html: bool = False


@dataclass(frozen=True)
class Runnable:
    """One cell to run. `code` is what the kernel is given; `stored` None where nothing is kept to compare with."""

    cell: Cell
    index: int
    code: str
    stored: Stored | None = None


@dataclass(frozen=True)
class Program:
    """One file: its cells in order, and the sentence that says why none of them can be run, if that is so."""

    path: Path
    cells: tuple[Runnable, ...]
    unfit: str = ""


def programs(paths: Sequence[Path]) -> tuple[Program, ...]:
    """The programs among the paths and in folders. Raises UsageError where one cannot be read, or there is none."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = (one for one in sorted(path.rglob("*")) if one.suffix in ENDINGS and one.is_file())
            files.update(dict.fromkeys(one for one in inside if not _hidden(one.relative_to(path))))
        elif not path.is_file():
            raise UsageError(f"There is no file {path}.")
        elif path.suffix not in ENDINGS:
            raise UsageError(f"{path} cannot be run; a rehearsal runs {', '.join(ENDINGS)}.")
        else:
            files[path] = None
    if not files:
        raise UsageError(
            f"Nothing under {', '.join(map(str, paths))} can be run; a rehearsal runs {', '.join(ENDINGS)}."
        )
    return tuple(_program(path) for path in files)


def named_host(files: Sequence[Program]) -> str:
    """The host that the files name for the API, in their code or in what is stored; empty where they name none."""
    texts = [
        text for one in files for cell in one.cells for text in (cell.code, cell.stored.text if cell.stored else "")
    ]
    found = [match for text in texts for match in _HOST.finditer(text)]
    labelled = [match["host"] for match in found if "api" in match["host"].split(".")]
    return next(iter([*labelled, *(match["host"] for match in found if match["path"])]), "").lower()


def _hidden(relative: Path) -> bool:
    return any(
        part.startswith(".") or part in ("node_modules", "__pycache__", "site-packages") for part in relative.parts
    )


def _program(path: Path) -> Program:
    cells = cells_of(path)
    if path.suffix in PROGRAMS:
        return Program(path, tuple(Runnable(cell, 1, cell.text) for cell in cells))
    if path.suffix == ".md":
        kept = list(_stored_in_page(path, cells))
        texts = [cell.text if cell.language == PYTHON else f"%%bash\n{cell.text}" for cell in cells]
        parts = zip(cells, texts, kept, strict=True)
        return Program(
            path, tuple(Runnable(cell, number, text, one) for number, (cell, text, one) in enumerate(parts, 1))
        )
    notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python"))
    unfit = "" if language.lower() == "python" else f"Its kernel is one for {language}; a rehearsal runs Python."
    raw = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    return Program(path, tuple(_of_notebook(cell, raw[cell.start.cell - 1]) for cell in cells), unfit)


def _of_notebook(cell: Cell, raw: Mapping[str, Any]) -> Runnable:
    source = raw.get("source", raw.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    outputs = [one for one in raw.get("outputs", ()) if isinstance(one, dict)]
    return Runnable(cell, cell.start.cell, text, shown(outputs) if outputs else None)


def shown(outputs: Iterable[Mapping[str, Any]], *, as_html: bool = False) -> Stored:
    """Outputs of a notebook's cell as one text: what is written to standard error, and pictures, are left out."""
    texts: list[str] = []
    error = ""
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream" and output.get("name", output.get("stream")) != "stderr":
            texts.append(_joined(output.get("text", "")))
        elif kind in ("display_data", "execute_result", "pyout"):
            texts.append(_of_data(output.get("data", output), as_html=as_html))
        elif kind in ("error", "pyerr"):
            error = str(output.get("ename", ""))
    return Stored("\n".join(texts), error)


def _of_data(data: Mapping[str, Any], *, as_html: bool) -> str:
    if "text/html" in data and (as_html or "text/plain" not in data):
        return without_tags(_joined(data["text/html"]))
    if any(name.startswith("image/") for name in data):
        return _IMAGE
    return _joined(data.get("text/plain", data.get("text", "")))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def without_tags(text: str) -> str:
    """The text of HTML, its tags as spaces."""
    return html.unescape(_TAG.sub(" ", text))


def _stored_in_page(path: Path, cells: Sequence[Cell]) -> Iterator[Stored | None]:
    """What stands between a fence and the next fence or heading as an indented block or a table of HTML."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for cell in cells:
        start = cell.start.line + len(cell.text.splitlines())
        texts: list[str] = []
        for line in lines[start:]:
            if re.match(r" {0,3}(```|~~~|#)", line):
                break
            texts.append(line)
        yield _of_page("\n".join(texts))


def _of_page(text: str) -> Stored | None:
    tables = [without_tags(found[0]) for found in _TABLE.finditer(text)]
    beside = _TABLE.sub("", text)
    kept = [line[4:] for line in beside.splitlines() if line.startswith("    ") and not _is_list(beside)]
    if not kept and not tables:
        return None
    return Stored("\n".join([*kept, *tables]), as_html=bool(tables))


def _is_list(text: str) -> bool:
    """Whether an indented block belongs to a list, not to the cell."""
    return re.search(r"^\s{0,3}([*+-]|\d+\.)\s", text, re.MULTILINE) is not None


@dataclass(frozen=True)
class Names:
    """The names a statement reads and those it binds."""

    reads: frozenset[str]
    binds: frozenset[str]


def names_in(code: str) -> tuple[tuple[int, Names], ...]:
    """The names of each statement of a cell, with the line it begins at; empty where it is no Python."""
    text, commands = python_of(code)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple((node.lineno, _names(node, commands)) for node in tree.body)


def _names(statement: ast.stmt, commands: Mapping[int, str]) -> Names:
    reads: set[str] = set()
    binds: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            (reads if isinstance(node.ctx, ast.Load) else binds).add(node.id)
            if node.id == "__shell__":
                reads |= _in_shell(commands.get(node.lineno, ""))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            binds.add(node.name)
        elif isinstance(node, ast.alias):
            binds.add((node.asname or node.name).partition(".")[0])
    return Names(frozenset(reads), frozenset(binds))


def _in_shell(command: str) -> set[str]:
    """The names that IPython puts into a shell command: those in `{…}`, and `$name`."""
    found = set(_DOLLAR.findall(command))
    for expression in _BRACES.findall(command.replace("{{", " ")):
        try:
            found |= {node.id for node in ast.walk(ast.parse(expression.strip())) if isinstance(node, ast.Name)}
        except SyntaxError:
            continue
    return found
