"""curl lines as requests: what a shell command would send, with holes where a variable stands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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
