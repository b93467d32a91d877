"""A user's files as pieces of code, and what their calls touch: operations, fields sent, fields read of an answer.

Nothing is executed. A notebook's cells and a page's fences are one program in the order they stand; curl lines are read
as the requests a shell would send, with holes where a variable stands.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from conformance.errors import UsageError
from conformance.spec.document import Document

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


HOLE = "\0"
"""A piece of text that is not known without running the program."""

_OPTIONS = {
    "method": ("-X", "--request"),
    "url": ("--url",),
    "header": ("-H", "--header"),
    "data": ("-d", "--data", "--data-ascii", "--data-binary"),
    "text": ("--data-raw", "--form-string"),
    "json": ("--json",),
    "form": ("-F", "--form"),
}
_WITH_VALUE = {option: kind for kind, options in _OPTIONS.items() for option in options}
_SKIPPED_VALUE = {
    *(
        "-o",
        "--output",
        "-u",
        "--user",
        "-A",
        "--user-agent",
        "-b",
        "--cookie",
        "-m",
        "--max-time",
        "--connect-timeout",
    ),
    *("--cacert", "--cert", "--key", "-w", "--write-out", "--retry", "-x", "--proxy", "-e", "--referer", "--resolve"),
}
_SHELL_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\}|\([^)]*\))")
_ENDS = ("|", "||", "&&", ";", ">", ">>", "<", "2>", "&")


@dataclass
class CurlRequest:
    """What a curl line sends: unknown pieces are HOLE; `form` holds name, value, file name and type of each part."""

    method: str = ""
    url: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str | None = None
    form: list[tuple[str, str]] = field(default_factory=list)


def joined(text: str) -> Iterator[tuple[int, str]]:
    """The commands of a shell text with their first lines, from 1; lines ending in a backslash are one."""
    command, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.rstrip().endswith("\\"):
            command += line.rstrip()[:-1] + " "
            continue
        command += line
        if command.count("'") % 2 and number < len(text.splitlines()):
            command += "\n"
            continue
        yield first, command
        command, first = "", 0
    if command:
        yield first, command


def curl_request(command: str | list[str], resolve: Callable[[str], Any] | None = None) -> CurlRequest | None:
    """The request of a command line, or of its words, that runs curl; None for any other.

    `resolve` gives the value of a `{name}` that a notebook puts into its shell lines; without it, `$NAME` is a hole and
    braces are plain text.
    """
    words = command if isinstance(command, list) else _words(command, notebook=resolve is not None)
    start = next((place for place, word in enumerate(words) if word == "curl" or word.endswith("/curl")), None)
    if start is None:
        return None
    request = CurlRequest()
    rest = iter(words[start + 1 :])
    for word in rest:
        if word in _ENDS:
            break
        option, attached = _option(word)
        if option in _WITH_VALUE:
            _take(request, _WITH_VALUE[option], attached if attached is not None else next(rest, ""))
        elif word in _SKIPPED_VALUE:
            next(rest, "")
        elif not word.startswith("-") and not request.url:
            request.url = word
    return _resolved(request, resolve) if resolve else request


def _words(command: str, *, notebook: bool) -> list[str]:
    if not notebook:
        command = _SHELL_VARIABLE.sub(HOLE, command)
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def _option(word: str) -> tuple[str, str | None]:
    if word.startswith("--") and "=" in word:
        name, value = word.split("=", 1)
        return name, value
    if len(word) > 2 and word[0] == "-" and word[1] in "XHdF":
        return word[:2], word[2:]
    return word, None


def _take(request: CurlRequest, kind: str, value: str) -> None:
    if kind == "header":
        name, _, content = value.partition(":")
        request.headers[name.strip()] = content.strip()
    elif kind == "form":
        name, _, content = value.partition("=")
        request.form.append((name, content))
    elif kind in ("data", "json", "text"):
        if kind != "text" and value.startswith("@"):
            value = HOLE  # what a file holds
        request.data = value if request.data is None else f"{request.data}&{value}"
        if kind == "json":
            request.headers.setdefault("Content-Type", "application/json")
    else:
        setattr(request, kind, value)


def _resolved(request: CurlRequest, resolve: Callable[[str], Any]) -> CurlRequest:
    """`{expression}` replaced by its value, `{{` and `}}` by braces, as IPython does for its shell lines."""
    whole = re.fullmatch(r"\{([^{}]+)\}", str(request.url))
    request.url = resolve(whole[1]) if whole else _filled(request.url, resolve)
    request.headers = {name: _filled(value, resolve) for name, value in request.headers.items()}
    request.data = None if request.data is None else _filled(request.data, resolve)
    request.form = [(name, _filled(value, resolve)) for name, value in request.form]
    return request


def _filled(text: str, resolve: Callable[[str], Any]) -> str:
    def piece(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        value = resolve(match[0][1:-1])
        return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else HOLE

    return _SHELL_VARIABLE.sub(HOLE, re.sub(r"\{\{|\}\}|\{[^{}]*\}", piece, text))


def json_with_holes(text: str) -> Any:
    """A JSON text with holes as a value: a hole within a string stays there, one that is a value is HOLE itself.

    None where the text is no JSON.
    """
    inside, out = False, []
    for place, char in enumerate(text):
        if char == '"' and (place == 0 or text[place - 1] != "\\"):
            inside = not inside
        out.append(char if char != HOLE else "\\u0000" if inside else '"\\u0000"')
    try:
        return json.loads("".join(out).strip(), strict=False)
    except (ValueError, RecursionError):
        return None


CALL = "operation"
"""The location of a use that is the call itself."""

_PREFIX = "/v1/api/"
_DEPTH = 8
_QUIET_HEADERS = (
    "authorization",
    "content-type",
    "user-agent",
    "accept-encoding",
    "content-length",
    "host",
    "connection",
)


@dataclass(frozen=True)
class Use:
    """One thing a file touches. `location` is in the words of a change's, without a status:
    `request.body.models[].sha`, `response.body.id`, `response.status`, or `operation` for the call itself.

    `by` is how: http, curl, har or sdk; `whole` that the value goes on as it is, so that more of it may be used;
    `detail` what was seen there, where it matters (a file's name).
    """

    operation: str
    location: str
    place: Place
    by: str = "http"
    whole: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Answer:
    """The value a call answers, or a part of it: `at` is empty for the HTTP response, else a location."""

    operation: str
    at: str = ""
    by: str = "http"

    def part(self, key: Any) -> Answer:
        """The value under a key, or an entry of an array for any number."""
        if not isinstance(key, str) and self.by == "sdk" and self.at.endswith("[]"):
            return self  # rows, which the SDK hands over as a list or as a frame
        step = f".{key}" if isinstance(key, str) else "[]"
        return replace(self, at=self.at + step)


class Fields(dict[str, Any]):
    """A dictionary of a program, with the place each key was written at."""

    def __init__(self, items: Mapping[str, Any] | None = None, places: Mapping[str, Place] | None = None) -> None:
        super().__init__(items or {})
        self.places: dict[str, Place] = dict(places or {})


class Opened(str):
    """A file that was opened; its text is the path."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The last part of the path, which is what a form calls the file; empty where it is not known."""
        last = self.replace("\\", "/").rsplit("/", 1)[-1]
        return "" if last == HOLE else last


@dataclass
class Call:
    """One request as far as the program shows it; anything unknown is None or HOLE within a text."""

    method: str
    url: Any
    place: Place
    body: Any = None
    form: Any = None
    query: Any = None
    headers: Any = None
    by: str = "http"


def operation_of(call: Call, document: Document) -> str | None:
    """The operation a call is of, None where it is of none or its URL is not known from its path on.

    A URL that another operation answered (the external URL of a pipeline) is the inference operation's.
    """
    if isinstance(call.url, Answer):
        of_url = call.url.operation.endswith("-url") and call.url.at.endswith(".url")
        infer = next((one.id for one in document.operations if "/infer/" in one.path), None)
        return infer if of_url else None
    if not isinstance(call.url, str):
        return None
    if _PREFIX in call.url:
        rest = call.url[call.url.index(_PREFIX) :]
    elif call.url.startswith(HOLE):  # what stands before the path is not known, the API's prefix with it
        rest = _PREFIX + call.url.lstrip(HOLE).lstrip("/")
    else:
        return None
    path = urlsplit(rest.replace(HOLE, "_")).path.rstrip("/")
    match = document.match(call.method.upper(), path)
    return match[0].id if match else None


def sent(call: Call, operation: str) -> Iterator[Use]:
    """The call itself and every field, header, parameter and media type that it sends."""
    yield Use(operation, CALL, call.place, call.by)
    body = json_with_holes(call.body) if isinstance(call.body, str) else call.body
    yield from _fields(operation, body, "request.body", call)
    for name, part in call.form.items() if isinstance(call.form, dict) else ():
        yield from _part(operation, name, part, call)
    if isinstance(call.url, str):
        for name, _ in parse_qsl(urlsplit(call.url.replace(HOLE, "_")).query, keep_blank_values=True):
            yield Use(operation, f"request.query.{name}", call.place, call.by)
    for name in call.query if isinstance(call.query, dict) else ():
        yield Use(operation, f"request.query.{name}", call.place, call.by)
    yield from _headers(operation, call)


def _fields(operation: str, value: Any, at: str, call: Call, depth: int = _DEPTH) -> Iterator[Use]:
    if depth == 0:
        return
    if isinstance(value, dict):
        places = value.places if isinstance(value, Fields) else {}
        for key, inner in value.items():
            location = f"{at}.{key}"
            yield Use(operation, location, places.get(key, call.place), call.by)
            yield from _fields(operation, inner, location, call, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(operation, inner, f"{at}[]", call, depth - 1)


def _part(operation: str, name: str, part: Any, call: Call) -> Iterator[Use]:
    """A part of a form: its value, or (file name, content, type) as requests and httpx take it."""
    location = f"request.body.{name}"
    named = isinstance(part, list) and len(part) > 1
    content = part[1] if named else part
    opened = content.name if isinstance(content, Opened) else ""
    filename = Opened(part[0]).name if named and isinstance(part[0], str) else opened
    places = call.form.places if isinstance(call.form, Fields) else {}
    yield Use(operation, location, places.get(name, call.place), call.by, detail=filename)
    known = isinstance(content, str) and not isinstance(content, Opened)
    content = json_with_holes(content) if known else content
    yield from _fields(operation, content, location, call)


def _headers(operation: str, call: Call) -> Iterator[Use]:
    for name, value in call.headers.items() if isinstance(call.headers, dict) else ():
        if name.lower() == "content-type" and isinstance(value, str) and HOLE not in value:
            yield Use(operation, f"request.content.{value}", call.place, call.by)
        elif name.lower() not in _QUIET_HEADERS:
            yield Use(operation, f"request.header.{name}", call.place, call.by)
    if call.form is not None:
        yield Use(operation, "request.content.multipart/form-data", call.place, call.by)
