"""A recorded target: a respx router that answers as the recordings did, offline; nothing is patched."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import respx

from conformance.api import multipart
from conformance.errors import SuiteError
from conformance.model import Exchange, Headers, Request
from conformance.redaction import redact_text, redact_value
from conformance.spec.document import Document
from conformance.targets.credentials import FixedToken
from conformance.targets.target import Target

URL = "http://recorded"
_HOP = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})
_MISSING = object()


class NoRecordingError(SuiteError):
    """A request that no recording answers; says which recording is nearest and where it differs."""


class Recorded:
    """Recordings that answer requests. The same request recorded again gives its answers in turn, the last for good.

    A request is the same where method, path, query and body are: hosts may differ, JSON is compared as values and
    forms part by part. Whether it carried a token counts only where recordings of it differ in that.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.exchanges = tuple(exchange for exchange in exchanges if _answers(exchange))
        self.asked: list[Exchange] = []
        self._lock = threading.Lock()
        self._questions = [_question(exchange.request) for exchange in self.exchanges]
        self._turn: dict[int, int] = {}

    @property
    def never_asked(self) -> tuple[Exchange, ...]:
        """The recordings that no request has met so far."""
        met = {id(exchange) for exchange in self.asked}
        return tuple(exchange for exchange in self.exchanges if id(exchange) not in met)

    @property
    def transport(self) -> httpx.MockTransport:
        """A transport for `httpx.Client` or `httpx.AsyncClient`."""
        router = respx.Router(assert_all_called=False)
        self.route(router)
        return httpx.MockTransport(router.handler)

    def route(self, router: respx.Router) -> None:
        """Let a respx router answer from these recordings, and refuse whatever else it is asked."""
        places = dict.fromkeys((e.request.method, unquote(urlsplit(e.request.url).path)) for e in self.exchanges)
        for method, path in places:
            router.route(method=method, path=path).mock(side_effect=self.answer)
        router.route().mock(side_effect=self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What was recorded for a request. Raises NoRecordingError, or httpx.ReadError where no answer had come."""
        asked = Request(request.method, str(request.url), Headers(request.headers.multi_items()), request.read())
        with self._lock:
            exchange = self._next(asked)
            self.asked.append(exchange)
        if exchange.response is None:
            raise httpx.ReadError(exchange.failure or "the recording holds no answer", request=request)
        return _response(exchange)

    def _next(self, asked: Request) -> Exchange:
        question = _question(asked)
        same = [i for i, known in enumerate(self._questions) if not any(_differences(question, known))]
        if not same:
            raise NoRecordingError(self._sentence(asked, question))
        token = "authorization" in asked.headers
        turns = [i for i in same if ("authorization" in self.exchanges[i].request.headers) == token] or same
        turn = self._turn.get(turns[0], 0)
        self._turn[turns[0]] = min(turn + 1, len(turns) - 1)
        return self.exchanges[turns[turn]]

    def _sentence(self, asked: Request, question: dict[str, Any]) -> str:
        body = asked.body[:200].decode("utf-8", "replace")
        shown = redact_text(f"{asked.method} {urlsplit(asked.url).path} {body}".strip())
        ranked = [(_distance(question, known), i) for i, known in enumerate(self._questions)]
        if not ranked:
            return f"No recording answers {shown}: there are no recordings."
        nearest = min(ranked)[1]
        differences = list(_differences(question, self._questions[nearest]))
        where, here, there = differences[0]
        more = f", and at {len(differences) - 1} more places" if len(differences) > 1 else ""
        return (
            f"No recording answers {shown}. The nearest is {self.exchanges[nearest].source or 'unnamed'}; "
            f"it differs at {where} ({_shown(where, here)}, not {_shown(where, there)}){more}."
        )


def recorded(exchanges: Iterable[Exchange], document: Document) -> Target:
    """A target that answers from recordings, for the same client and suites as a live one.

    Its URL is that of the first recording that knows a host: what answers say of hosts is said of that one.
    """
    recordings = Recorded(exchanges)
    known = (urlsplit(exchange.request.url) for exchange in recordings.exchanges)
    url = next((f"{parts.scheme}://{parts.netloc}" for parts in known if parts.netloc), URL)
    client = httpx.Client(transport=recordings.transport)
    return Target("recorded", url, client, document.match, FixedToken("recorded"))


def _answers(exchange: Exchange) -> bool:
    return exchange.response is None or exchange.response.body_known


def _question(request: Request) -> dict[str, Any]:
    """A request as it is compared: under `$` its body, the rest by name."""
    parts = urlsplit(request.url)
    return {
        "method": request.method.upper(),
        "path": unquote(parts.path),
        "query": sorted(parse_qsl(parts.query, keep_blank_values=True)),
        "$": _comparable(request),
    }


def _comparable(request: Request) -> Any:
    if request.is_json:
        return request.json
    form = multipart.decode(request.headers.get("content-type", ""), request.body)
    if not form:
        return request.body
    return {name: _part(part.content) for name, part in form.items()}


def _part(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def _response(exchange: Exchange) -> httpx.Response:
    """The recorded answer. Where its status or media type is unknown, 200 and the JSON that it is stand in."""
    response = exchange.response
    assert response is not None
    fields = [(name, value) for name, value in response.headers.fields if name.lower() not in _HOP]
    if not response.headers_known and response.body and response.is_json:
        fields.append(("Content-Type", "application/json"))
    return httpx.Response(response.status or 200, headers=fields, content=response.body)


def _distance(one: dict[str, Any], other: dict[str, Any]) -> tuple[int, int, int]:
    """How far two requests are apart: another path counts most, by how early the paths part."""
    pairs = zip(one["path"].split("/"), other["path"].split("/"), strict=False)
    shared = next((i for i, (here, there) in enumerate(pairs) if here != there), len(one["path"].split("/")))
    elsewhere = one["path"] != other["path"] or one["method"] != other["method"]
    return (elsewhere, -shared if elsewhere else 0, sum(1 for _ in _differences(one["$"], other["$"])))


def _differences(here: Any, there: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """JSON path, this value and the other, for each place where two values differ."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in dict.fromkeys((*here, *there)):
            place = f"{where}.{name}" if where else name
            yield from _differences(here.get(name, _MISSING), there.get(name, _MISSING), place)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for index, (one, other) in enumerate(zip(here, there, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif here is _MISSING or there is _MISSING or type(here) is not type(there) or here != there:
        yield where or "$", here, there


def _shown(where: str, value: Any) -> str:
    """A value as a sentence shows it: redacted by the name of the field it stands in, and short."""
    if value is _MISSING:
        return "absent"
    field = where.rpartition(".")[2].partition("[")[0]
    kept = redact_value({field: value})[field]
    text = f"{len(value)} bytes" if isinstance(value, bytes) else json.dumps(kept, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"


def names_of(exchanges: Sequence[Exchange]) -> str:
    """The recordings' names in a line, for a sentence; one that stands for many is counted."""
    names = Counter(exchange.source or exchange.request.path for exchange in exchanges)
    return ", ".join(name if count == 1 else f"{name} ({count} of them)" for name, count in names.items())
