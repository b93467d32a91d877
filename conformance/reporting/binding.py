"""Values that answers gave and later requests use: what makes a sequence run again on a target with other ids."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from conformance.api import multipart
from conformance.model import Exchange
from conformance.reporting.call import PLACEHOLDER, Call, call_of, placeholder

Path = tuple[str | int, ...]
"""Keys and indices down into an answer."""

_GIVES: dict[str, tuple[tuple[str, Path], ...]] = {
    "pipelines.create": (
        ("pipeline", ("pipeline_pk_id",)),
        ("variant", ("pipeline_variant_pk_id",)),
        ("version", ("pipeline_variant_version",)),
    ),
    "pipelines.copy": (
        ("pipeline", ("pipeline_pk_id",)),
        ("variant", ("pipeline_variant_pk_id",)),
        ("version", ("pipeline_version",)),
        ("deployment", ("deployment", "id")),
    ),
    "pipelines.deploy": (("deployment", ("id",)),),
    "models.upload-and-convert": (("model", ("insert_models", "returning", 0, "models", 0, "id")),),
    "workspaces.create": (("workspace", ("workspace_id",)),),
}
"""What an operation's success gives: the kind of value and where it stands in the answer."""

_TAKES = {
    "pipeline_id": "pipeline",
    "source_pipeline": "pipeline",
    "pipeline_version_pk_id": "variant",
    "pipeline_version": "version",
    "deployment_id": "deployment",
    "model_ids": "model",
    "models_pk_id": "model",
    "workspace_id": "workspace",
    "version": "model_version",
}
"""Which kind of value a request's field takes."""

_DEPLOYMENT = re.compile(r"-(\d+)$")
_INFER = re.compile(r"(/pipelines/infer/[^/]*-)(\d+)(?=/)")
_RUN = re.compile(r"(?<=conformance-)[0-9a-f]{8}(?=-)")
"""The run's own part of every name it gives: another run of the same length stands there when the sequence is sent."""

_STATUS = "status.get-deployment"


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


def spoken(step: Step) -> str:
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


def steps_of(exchanges: Sequence[Exchange]) -> list[Step]:
    """The sequence with ids replaced by the variables that hold them, the base URL by `TARGET`, polls by waiting.

    A variable that no later request uses is not kept.
    """
    known = _Known(origin_of(exchanges))
    steps = [_step(exchange, known) for exchange in _without_polls(exchanges)]
    used = {match[1] for step in steps for match in PLACEHOLDER.finditer(spoken(step))}
    used |= {capture.among for step in steps for capture in step.captures if capture.name in used}
    return [replace(step, captures=tuple(c for c in step.captures if c.name in used)) for step in steps]


def origin_of(exchanges: Sequence[Exchange]) -> str:
    """The base URL of the first request: what stands before the API's own path, else scheme, host and port."""
    parts = urlsplit(exchanges[0].request.url)
    before, api, _ = parts.path.partition("/v1/api/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{before if api else ''}"


def _without_polls(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    for exchange, after in zip(exchanges, [*exchanges[1:], None], strict=True):
        repeated = after is not None and after.operation == exchange.operation == _STATUS
        if not (repeated and after and after.request.body == exchange.request.body):
            yield exchange


def _step(exchange: Exchange, known: _Known) -> Step:
    call = _bound(exchange, call_of(exchange.request), known)
    captures = tuple(_captures(exchange, known)) if exchange.ok else ()
    return Step(exchange, call, captures, _awaited(exchange))


def _awaited(exchange: Exchange) -> str:
    if exchange.operation != _STATUS:
        return ""
    answer = exchange.answer
    if exchange.status == 404:
        return "404"
    return "Running" if exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running" else ""


def _captures(exchange: Exchange, known: _Known) -> Iterator[Capture]:
    for kind, path in _GIVES.get(exchange.operation or "", ()):
        value = _at(exchange.answer, path)
        if isinstance(value, int | str) and not isinstance(value, bool):
            yield Capture(known.add(kind, value), path)
    if exchange.operation == "models.list-versions" and isinstance(exchange.answer, list):
        for row in exchange.answer:
            model = known.values.get(("model", row.get("id"))) if isinstance(row, dict) else None
            if model and isinstance(row.get("model_version"), str):
                yield Capture(known.add("model_version", row["model_version"]), ("model_version",), model)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _bound(exchange: Exchange, call: Call, known: _Known) -> Call:
    url = _renamed(call.url)
    if url.startswith(f"{known.origin}/"):
        url = placeholder("TARGET") + url.removeprefix(known.origin)
    url = _INFER.sub(lambda match: match[1] + (known.of("deployment", int(match[2])) or match[2]), url)
    parts = tuple(_bound_part(part, known) for part in call.parts)
    call = replace(call, url=url, parts=parts, text=_renamed(call.text))
    if not call.text or not isinstance(question := _json(call.text), dict):
        return call
    value = {key: _bind(key, item, known) for key, item in question.items()}
    text = json_text(value)
    return replace(call, value=value, text=text) if PLACEHOLDER.search(text) else call


def _renamed(text: str) -> str:
    return _RUN.sub(placeholder("RUN"), text)


def _bound_part(part: multipart.Part, known: _Known) -> multipart.Part:
    question = _json(_renamed(part.content.decode("utf-8", "replace"))) if part.filename is None else None
    if not isinstance(question, dict):
        return part
    text = json_text({key: _bind(key, item, known) for key, item in question.items()})
    return replace(part, content=text.encode()) if PLACEHOLDER.search(text) else part


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _bind(key: str, value: Any, known: _Known) -> Any:
    if isinstance(value, dict):
        return {name: _bind(name, item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_bind(key, item, known) for item in value]
    if key == "name" and isinstance(value, str) and (match := _DEPLOYMENT.search(value)):
        name = known.of("deployment", int(match[1]))
        return value[: match.start(1)] + name if name else value
    return known.of(_TAKES[key], value) or value if key in _TAKES else value


def json_text(value: Any) -> str:
    """JSON in which a placeholder that stands for an integer stands without quotes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(f'"({PLACEHOLDER.pattern})"', lambda match: match[0] if _is_text(match[2]) else match[1], text)


def _is_text(name: str) -> bool:
    return name.startswith(("VERSION_", "MODEL_VERSION_", "RUN"))
