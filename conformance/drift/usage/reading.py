"""What a user's files touch of the API, and which changes concern it; nothing is run.

What is not concerned was *not seen in these files*; nothing here says that it is safe.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conformance.api.multipart import decode
from conformance.drift.changes import Change, without_status
from conformance.drift.usage.calls import (
    CALL,
    SHELL,
    Call,
    Cell,
    Fields,
    Place,
    Use,
    cells_of,
    curl_request,
    files_of,
    joined,
    sent,
)
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


_DEMANDS = (
    "request-required-property-added",
    "request-property-became-required",
    "request-required-parameter-added",
    "request-parameter-became-required",
    "request-required-body-added",
    "request-body-became-required",
)
"""Kinds that concern every call, whether it sends what they are about or not."""


@dataclass(frozen=True)
class Concern:
    """A change and the uses it concerns, in order of place."""

    change: Change
    uses: tuple[Use, ...]

    @property
    def of_sdk(self) -> bool:
        """Whether the vendor's SDK alone sends or reads what changed: its caller has nothing to change in a file."""
        return all(use.by == "sdk" and use.location == CALL for use in self.uses)


def concerns(changes: Iterable[Change], usage: Usage, unless: Mapping[str, str] | None = None) -> tuple[Concern, ...]:
    """The changes that touch something in the files, each with its uses; `unless` maps a change's id to a pattern of
    file names it does not concern."""
    found = []
    for change in changes:
        uses = [use for use in usage.uses if use.operation == change.operation]
        touched = _touched(change, uses)
        pattern = (unless or {}).get(change.id)
        if pattern:
            touched = [use for use in touched if not (use.detail and re.search(pattern, use.detail))]
        if touched:
            found.append(Concern(change, tuple(dict.fromkeys(touched))))
    return tuple(found)


def _touched(change: Change, uses: list[Use]) -> list[Use]:
    calls = [use for use in uses if use.location == CALL]
    sdk = [use for use in calls if use.by == "sdk" and change.breaking]
    location = without_status(change.location)
    if change.operation is None:
        return []
    if not location.startswith(("request", "response")) or change.kind in _DEMANDS or location == "request.body":
        return calls
    if location.startswith("request.content."):
        return _content(location, uses, calls)
    if location.startswith(("request.body", "response.body")):
        if location == "response.body" or (location == "response.body[]" and change.breaking):
            return [*(_values(location, uses) if change.breaking else ()), *calls]
        found = _values(location, uses)
        told = {use.place for use in found}
        return found + [use for use in sdk if use.place not in told]
    if location.startswith("request."):
        return [use for use in uses if use.location == location] + sdk
    status = [use for use in uses if use.location == "response.status"]
    return calls if change.breaking else status


def _values(location: str, uses: list[Use]) -> list[Use]:
    """Uses of the value, of what is inside it, and of what holds it where that goes on whole or is unseen inside."""
    same = [use for use in uses if use.location == location or _inside(use.location, location)]
    holders = [use for use in uses if _inside(location, use.location)]
    whole = [use for use in holders if use.whole]
    if location.startswith("request.") and not same:
        deeper = {use.location for use in uses}
        whole += [use for use in holders if not any(_inside(other, use.location) for other in deeper)]
    return same + whole


def _inside(location: str, holder: str) -> bool:
    return location.startswith(holder) and location[len(holder) : len(holder) + 1] in (".", "[")


def _content(location: str, uses: list[Use], calls: list[Use]) -> list[Use]:
    """Calls that send the media type, and those whose media type is not known."""
    wanted = location.removeprefix("request.content.").split(";")[0].strip().lower()
    sent = {use.place: use for use in uses if use.location.startswith("request.content.")}
    named = [use for use in sent.values() if use.location[16:].split(";")[0].strip().lower() == wanted]
    return named or ([] if sent else calls)
