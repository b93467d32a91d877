"""What a user's files touch of the API, read from scripts, notebooks, shell lines and HAR files without running any."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conformance.api.multipart import decode
from conformance.drift.usage.calls import Call, Fields, Use, sent
from conformance.drift.usage.cells import SHELL, Cell, Place, cells_of, files_of
from conformance.drift.usage.curl import curl_request, joined
from conformance.drift.usage.evaluation import evaluation, send_curl
from conformance.drift.usage.programs import Program
from conformance.model import Exchange
from conformance.spec.document import Document

_MAGIC = re.compile(r"^(?P<before>\s*(?:[\w, ]+=\s*)?)(?P<mark>!|%)(?P<command>.*)$")

Exchanges = Callable[[Path], Iterable[Exchange]]
"""Reads a HAR file; raises UsageError where it is none."""


@dataclass(frozen=True)
class Usage:
    """What the files touch. `notes` say what in them could not be read; of the rest nothing is claimed."""

    files: tuple[str, ...]
    uses: tuple[Use, ...]
    notes: tuple[str, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations seen, in order of their first use."""
        return tuple(dict.fromkeys(use.operation for use in self.uses))


def read_usage(paths: Sequence[Path], document: Document, exchanges: Exchanges) -> Usage:
    """The uses in the files, and in the files of folders; raises UsageError where one cannot be read."""
    files = files_of(tuple(paths))
    uses: list[Use] = []
    notes: list[str] = []
    for file in files:
        if file.suffix == ".har":
            uses.extend(_archive_uses(file, document, exchanges))
        else:
            uses.extend(_code_uses(cells_of(file), document, notes))
    return Usage(tuple(map(str, files)), tuple(dict.fromkeys(uses)), tuple(notes))


def _code_uses(cells: tuple[Cell, ...], document: Document, notes: list[str]) -> list[Use]:
    program = Program(document, evaluation)
    for cell in cells:
        if cell.language == SHELL:
            for line, command in joined(cell.text):
                program.place = cell.at
                request = curl_request(command)
                if request is not None:
                    send_curl(program, request, line)
            continue
        text, program.shell = python_of(cell.text)
        try:
            program.read(ast.parse(text).body, cell.at)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            notes.append(f"{cell.at(line)} is not valid Python and was skipped.")
    with suppress(RecursionError):
        program.finish()
    return program.uses


def python_of(text: str) -> tuple[str, dict[int, str]]:
    """A cell without its magics, line for line, and its shell commands by line: `!curl` becomes `__shell__(line)`."""
    out: list[str] = []
    commands: dict[int, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        magic = _MAGIC.match(line)
        if magic is None or _continues(out):
            out.append(line)
            continue
        command, blanks = magic["command"], 0
        while command.endswith("\\"):
            _, more = next(lines, (0, ""))
            command, blanks = f"{command[:-1]} {more}", blanks + 1
        commands[number] = command if magic["mark"] == "!" else ""
        out.extend([f"{magic['before']}__shell__({number})", *[""] * blanks])
    return "\n".join(out) + "\n", commands


def _continues(lines: list[str]) -> bool:
    """Whether the last line leaves a bracket or a string open, so that `%` or `!` after it is no magic."""
    try:
        ast.parse("\n".join(lines))
    except SyntaxError as error:
        message = error.msg or ""
        return "never closed" in message or "unterminated" in message or bool(lines and lines[-1].endswith("\\"))
    return False


def _archive_uses(file: Path, document: Document, exchanges: Exchanges) -> Iterator[Use]:
    for number, exchange in enumerate(exchanges(file), 1):
        yield from uses_of(exchange, document, Place(str(file), number, unit="entry"))


def uses_of(exchange: Exchange, document: Document, place: Place) -> Iterator[Use]:
    """What one exchange touches; nothing where it is of no operation of the document."""
    request = exchange.request
    match = document.match(request.method, request.path)
    if match is None:
        return
    multipart = request.media_type == "multipart/form-data"
    call = Call(
        request.method,
        request.url,
        place,
        body=exchange.question if not multipart else None,
        form=_parts(request.headers["content-type"], request.body) if multipart else None,
        headers=dict(request.headers.fields),
        by="har",
    )
    operation = match[0].id
    yield from sent(call, operation)
    if exchange.response is not None:
        yield Use(operation, "response.body", place, "har", whole=True)


def _parts(content_type: str, body: bytes) -> Fields:
    """A form's parts as a program would hold them: the text, or the file's name and a content that does not matter."""
    parts = decode(content_type, body).values()
    return Fields(
        {one.name: [one.filename, None] if one.filename else one.content.decode("utf-8", "replace") for one in parts}
    )
