"""Values that answers gave and later requests use: what makes a sequence run again on a target with other ids."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.api import multipart
from conformance.api.operations import (
    STATUS,
    Kind,
    OperationRow,
    Path,
    given,
    owner,
    row_of,
    split_name,
    with_fields_changed,
    with_path_changed,
)
from conformance.model import Exchange
from conformance.reporting.call import PLACEHOLDER, Call, base_of, call_of, placeholder

_RUN = re.compile(r"(?<=conformance-)[0-9a-f]{8}(?=-)")
"""The run's own part of every name it gives: another run of the same length stands there when the sequence is sent."""


@dataclass(frozen=True)
class Capture:
    """A value to keep: the variable and where it stands; `among` picks the row whose `id` is that variable's."""

    name: str
    path: Path
    among: str = ""


@dataclass(frozen=True)
class Step:
    """One request of a sequence. `until` is what a status is waited for (`Running` or `404`), empty for one request."""

    exchange: Exchange
    call: Call
    captures: tuple[Capture, ...] = ()
    until: str = ""


def placeholders_in(step: Step) -> str:
    """All text of a step in which placeholders can stand."""
    form = (part.content.decode("utf-8", "replace") for part in step.call.parts if part.filename is None)
    return "".join((step.call.url, step.call.text, *form))


@dataclass
class _Known:
    origin: str
    values: dict[tuple[str, Any], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, value: Any) -> str:
        self.counts[kind] += 1
        self.values[kind, value] = name = f"{kind}_{self.counts[kind]}".upper()
        return name

    def of(self, kind: str, value: Any) -> str:
        name = self.values.get((kind, value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
        return placeholder(name) if name else ""

    def bound(self, kind: Kind, value: Any) -> Any:
        """The variable that holds a value, the value itself where none does."""
        if kind is not Kind.DEPLOYMENT_NAME:
            return self.of(kind, value) or value
        parts = split_name(value)
        held = self.of(Kind.DEPLOYMENT, parts[1]) if parts else ""
        return f"{parts[0]}-{held}" if parts and held else value


def steps_of(exchanges: Sequence[Exchange]) -> list[Step]:
    """The sequence with ids replaced by the variables that hold them, the base URL by `TARGET`, polls by waiting.

    A variable that no later request uses is not kept.
    """
    known = _Known(origin_of(exchanges))
    steps = [_step(exchange, known) for exchange in _without_polls(exchanges)]
    used = {match[1] for step in steps for match in PLACEHOLDER.finditer(placeholders_in(step))}
    used |= {capture.among for step in steps for capture in step.captures if capture.name in used}
    return [replace(step, captures=tuple(c for c in step.captures if c.name in used)) for step in steps]


def origin_of(exchanges: Sequence[Exchange]) -> str:
    """The base URL that the first request was sent to."""
    return base_of(exchanges[0].request.url)


def _without_polls(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    for exchange, after in zip(exchanges, [*exchanges[1:], None], strict=True):
        repeated = after is not None and after.operation == exchange.operation == STATUS
        if not (repeated and after and after.request.body == exchange.request.body):
            yield exchange


def _step(exchange: Exchange, known: _Known) -> Step:
    call = _bound(exchange, call_of(exchange.request), known)
    captures = tuple(_captures(exchange, known)) if exchange.ok else ()
    return Step(exchange, call, captures, _awaited(exchange))


def _awaited(exchange: Exchange) -> str:
    if exchange.operation != STATUS:
        return ""
    answer = exchange.answer
    if exchange.status == 404:
        return "404"
    return "Running" if exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running" else ""


def _captures(exchange: Exchange, known: _Known) -> Iterator[Capture]:
    for at, way, value in given(exchange):
        thing = owner(exchange, at, way)
        among = known.values.get(thing, "") if thing else ""
        if among:
            yield Capture(known.add(at.kind, value), way[-1:], among)
        elif thing is None:
            yield Capture(known.add(at.kind, value), way)


def _bound(exchange: Exchange, call: Call, known: _Known) -> Call:
    url = _renamed(call.url)
    if url.startswith(f"{known.origin}/"):
        url = placeholder("TARGET") + url.removeprefix(known.origin)
    row = row_of(exchange.operation)
    url = with_path_changed(row.id, url, known.bound, quoted=False)
    parts = tuple(_bound_part(part, row, known) for part in call.parts)
    call = replace(call, url=url, parts=parts, text=_renamed(call.text))
    if not call.text or not isinstance(question := _json(call.text), dict):
        return call
    value = with_fields_changed(row, question, known.bound)
    text = json_text(value)
    return replace(call, value=value, text=text) if PLACEHOLDER.search(text) else call


def _renamed(text: str) -> str:
    return _RUN.sub(placeholder("RUN"), text)


def _bound_part(part: multipart.Part, row: OperationRow, known: _Known) -> multipart.Part:
    question = _json(_renamed(part.content.decode("utf-8", "replace"))) if part.filename is None else None
    if not isinstance(question, dict):
        return part
    text = json_text(with_fields_changed(row, question, known.bound))
    return replace(part, content=text.encode()) if PLACEHOLDER.search(text) else part


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_text(value: Any) -> str:
    """JSON in which a placeholder that stands for an integer stands without quotes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(f'"({PLACEHOLDER.pattern})"', lambda match: match[0] if _is_text(match[2]) else match[1], text)


def _is_text(name: str) -> bool:
    return name.startswith(("VERSION_", "MODEL_VERSION_", "RUN"))
