"""An answer made comparable: status, headers and body as places with values, ids replaced by where they were issued.

Two instances never give the same ids. An id is therefore named by the step and the place where its instance first gave
it: on both sides the pipeline of step 12 is the pipeline of step 12, whatever its number. Each kind of id has a mapping
of its own, so that a pipeline 7 and a deployment 7 are not confused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pyarrow as pa

from conformance.api.client import ARROW_FILE
from conformance.api.operations import INFER, STATUS, Kind, fields_of, row_of
from conformance.model import Exchange, Response

OBJECT, LIST = "(object)", "(list)"
"""What stands at the place of an object and of a list; what they hold stands at places of its own."""

_SKIPPED = frozenset(
    {
        *("content-length", "connection", "keep-alive", "transfer-encoding"),
        *("server", "via", "x-request-id", "x-correlation-id", "traceparent", "x-envoy-upstream-service-time"),
    }
)
"""Header fields of the connection, and those in which whoever passes an answer on names itself or the request."""

APPEARED = "body.(rows that appeared though a request was refused)"
"""Rows that no caller of this pass made, and that were not there before: nobody else's, where it is always so."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTED = str.maketrans({".": "%2E", "[": "%5B", "]": "%5D"})
"""How a field's name stands in a place, where it has characters that places are made with: a flattened column's has."""
_FIRST_ROWS, _LAST_ROWS = 32, 8
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INDEX = re.compile(r"\[\d+\]")
_LABEL = re.compile(r"^(?P<name>.*)-(?P<id>\d{1,18})$", re.DOTALL)


@dataclass(frozen=True)
class Id:
    """An id, by its kind, the place where it was issued, the JSON type and the form it has here, and itself."""

    kind: str
    issued: str
    type: str
    raw: int | str = field(default="", compare=False)
    form: str = ""

    def __str__(self) -> str:
        return f"the {self.kind} of {self.issued}{f', {self.form}' if self.form else ''}"


@dataclass(frozen=True)
class Numbers:
    """A list of numbers, compared as one value."""

    values: tuple[float, ...]
    whole: bool

    def __str__(self) -> str:
        shown = ", ".join(f"{value:g}" for value in self.values[:8])
        return f"[{shown}{', …' if len(self.values) > 8 else ''}]"


Leaf = None | bool | int | float | str | Id | Numbers
Kinds = Mapping[str, Kind]
"""The kind of id at each place of an answer's body: `{"$.engines[].name": Kind.POD}`."""

_COMMON = frozenset({Kind.SHA, *(kind for kind in Kind if kind.is_name)})
"""Kinds that are no instance's own: a digest and a name are the same on both sides."""


@dataclass(frozen=True)
class Answer:
    """One answer as places with values: `status`, `header.content-type`, `body.url`, `body.workspaces[0].id`.

    `variant` separates answers of one operation and status that legitimately look different: a deployment's status.
    `at` is the second since 1970 when it came. A request that got no answer has no status and `failure`.
    """

    status: int | None
    leaves: Mapping[str, Leaf]
    variant: str = ""
    at: float = 0.0
    failure: str = ""


@lru_cache(maxsize=65536)
def general(place: str) -> str:
    """A place with `[]` for each index."""
    return _INDEX.sub("[]", place)


@dataclass
class Issued:
    """Where each id of one side was issued, for one pass through the plan. `run` is the side's run id."""

    run: str
    origin: str
    known: dict[tuple[str, Any], str] = field(default_factory=dict)

    def issue(self, kind: str, value: Any, where: str) -> str:
        """Where the value was first seen as an id of that kind: here, if it is new."""
        return self.known.setdefault((kind, _key(value)), where)

    def has(self, kind: str, value: Any) -> bool:
        """Whether an earlier answer gave the value as an id of that kind."""
        return (kind, _key(value)) in self.known


def _key(value: Any) -> str:
    return str(value)


@cache
def _kinds(operation: str | None) -> Kinds:
    row = row_of(operation)
    # An address may be given again to another pod: it varies, and is no id.
    placed = [at for at in (*row.gives, *row.shows) if at.kind not in _COMMON and at.field != "ip"]
    kinds = {_place(at.place): at.kind for at in placed}
    if operation == INFER:  # an Arrow answer has the same columns as a JSON record has fields
        kinds |= {place.replace("$[]", "$.rows[]", 1): kind for place, kind in kinds.items()}
    return kinds


@cache
def _listed(operation: str | None) -> Kinds:
    """Lists that tell of what other callers made too: the kind of id of their rows."""
    return {_place(at.place): at.kind for at in row_of(operation).shows if at.place.endswith("[].id")}


def _place(place: str) -> str:
    return f"${place}" if place.startswith("[") else f"$.{place}"


class Reader:
    """Reads the answers of one pass, in the order of the plan. `run` is the pass's run id, `origin` its base URL."""

    def __init__(self, run: str, origin: str) -> None:
        self._issued = Issued(run, origin)
        self._momentary = False
        self._others: dict[str, set[str]] = {}

    def read(self, exchange: Exchange, step: int, *, momentary: bool = False, after_refusal: bool = False) -> Answer:
        """The exchange's answer. Ids that it gives for the first time are issued at `step`.

        A `momentary` answer issues none: the other side may show them at another step. A list that is asked for right
        `after_refusal` also tells whether anything appeared in it that nobody of this pass made.
        """
        self._momentary = momentary
        response = exchange.response
        at = exchange.ended or exchange.started or 0.0
        if response is None:
            return Answer(None, {}, at=at, failure=exchange.failure or "no answer")
        leaves: dict[str, Leaf] = {}
        for name, value in response.headers.items() if response.headers_known else ():
            if name not in _SKIPPED:
                leaves[f"header.{name}"] = self._text(value)
        if {"content-length", "transfer-encoding"} <= {name.lower() for name, _ in response.headers.fields}:
            leaves["header.(framed twice)"] = True
        if response.body_known and response.body.startswith(_BYTE_ORDER_MARK):
            leaves["body.(byte order mark)"] = True
        variant = ""
        if response.body_known:
            body = _value(response, whole=bool(_listed(exchange.operation)))
            if isinstance(body, dict) and exchange.operation == STATUS and exchange.ok:
                variant = str(body.get("status"))
            kinds = _kinds(exchange.operation) if exchange.ok else {}
            listed = _listed(exchange.operation)
            if listed and exchange.ok and not self._only_ours(exchange):
                others = self._others.get(exchange.operation or "")
                here = self._others[exchange.operation or ""] = set(map(_key, self._rows_of_others(body, "$", listed)))
                if others is not None and after_refusal:
                    leaves[APPEARED] = len(here - others)
                body = self._known_rows(body, "$", listed)
            for place, leaf in self._walk(body, "$", "$", kinds, f"step {step}", ""):
                leaves["body" + place[1:]] = leaf
        return Answer(response.status, leaves, variant, at)

    def shown(self, exchange: Exchange, other: Reader) -> str:
        """The answer's body as text for a person, with the ids, names and address that `other` has for the same things.

        JSON is indented, Arrow is shown as JSON. Empty where there is no answer.
        """
        if exchange.response is None or not exchange.response.body_known:
            return ""
        body = _value(exchange.response, whole=True)
        if isinstance(body, str):
            return self._on(body, other)
        issued = {(kind, where): key for (kind, key), where in other._issued.known.items()}
        kinds = _kinds(exchange.operation) if exchange.ok else {}

        def changed(value: Any, where: str) -> Any:
            if isinstance(value, dict):
                return {name: changed(item, f"{where}.{name}") for name, item in value.items()}
            if isinstance(value, list):
                return [changed(item, f"{where}[]") for item in value]
            kind = kinds.get(where)
            if kind is not None and self._issued.has(kind, value):
                known = issued.get((kind, self._issued.known[kind, _key(value)]), _key(value))
                return int(known) if isinstance(value, int) and known.isdecimal() else known
            return self._on(value, other) if isinstance(value, str) else value

        return json.dumps(changed(body, "$"), indent=1, ensure_ascii=False)

    def _on(self, text: str, other: Reader) -> str:
        return text.replace(self._issued.run, other._issued.run).replace(self._issued.origin, other._issued.origin)

    def _known_rows(self, value: Any, where: str, listed: Kinds) -> Any:
        """The value without rows that another caller made: neither the row's id nor its name is of this pass."""
        if isinstance(value, dict):
            return {name: self._known_rows(item, f"{where}.{name}", listed) for name, item in value.items()}
        if isinstance(value, list):
            kind = listed.get(f"{where}[].id")
            if kind is not None:
                return [row for row in value if not isinstance(row, dict) or self._is_ours(row, kind)]
        return value

    def _rows_of_others(self, value: Any, where: str, listed: Kinds) -> Iterator[Any]:
        """The ids of rows that another caller made."""
        if isinstance(value, dict):
            for name, item in value.items():
                yield from self._rows_of_others(item, f"{where}.{name}", listed)
        kind = listed.get(f"{where}[].id")
        if isinstance(value, list) and kind is not None:
            rows = (row for row in value if isinstance(row, dict))
            yield from (row.get("id") for row in rows if not self._is_ours(row, kind))

    def _only_ours(self, exchange: Exchange) -> bool:
        """Whether a list was asked for things of this pass alone: then no row can be another caller's."""
        row = row_of(exchange.operation)
        fields = fields_of(exchange.operation, exchange.request)
        asked = [(at.kind, fields[at.field]) for at in row.takes if fields.get(at.field) is not None]
        return bool(asked) and all(
            f"-{self._issued.run}-" in str(value) if kind.is_name else self._issued.has(kind, value)
            for kind, value in asked
        )

    def _is_ours(self, row: Mapping[str, Any], kind: Kind) -> bool:
        return self._issued.has(kind, row.get("id")) or f"-{self._issued.run}-" in str(row.get("name"))

    def _walk(
        self, value: Any, place: str, where: str, kinds: Kinds, step: str, row: str
    ) -> Iterator[tuple[str, Leaf]]:
        if isinstance(value, dict):
            yield place, OBJECT
            row = self._row(value, where, kinds, row)
            for name in sorted(value, key=lambda key: (f"{where}.{key}" not in kinds, key)):
                key = name.translate(_QUOTED)
                yield from self._walk(value[name], f"{place}.{key}", f"{where}.{key}", kinds, step, row)
        elif isinstance(value, list):
            if f"{where}[]" not in kinds and value and all(type(item) in (int, float) for item in value):
                yield place, Numbers(tuple(map(float, value)), all(isinstance(item, int) for item in value))
                return
            yield place, LIST
            yield f"{place}.length", value.total if isinstance(value, _Rows) else len(value)
            walked = {
                index: list(self._walk(value[index], f"{place}[{index}]", f"{where}[]", kinds, step, row))
                for index in self._by_issue(value, kinds.get(f"{where}[].id"))
            }
            for index in range(len(value)):
                yield from walked[index]
        elif where in kinds and value is not None and value != "":
            yield place, self._id(kinds[where], value, f"{step}{row} at {where[2:]}")
        elif isinstance(value, str):
            yield place, self._text(value)
        else:
            yield place, value

    def _by_issue(self, rows: Sequence[Any], kind: Kind | None) -> list[int]:
        """The rows of a list, those with known ids first and in the order of these: what they issue depends on that."""
        if kind is None:
            return list(range(len(rows)))
        ids = [_key(row.get("id")) if isinstance(row, dict) else "" for row in rows]
        return sorted(range(len(rows)), key=lambda index: self._issued.known.get((kind, ids[index]), "~"))

    def _row(self, value: Mapping[str, Any], where: str, kinds: Kinds, row: str) -> str:
        """How a row of a list is named: by its own id, so that its other ids do not depend on its position."""
        kind = kinds.get(f"{where}.id")
        if where.endswith("[]") and kind is not None and self._issued.has(kind, value.get("id")):
            return f" beside {self._issued.known[kind, _key(value.get('id'))]}"
        return row

    def _id(self, kind: Kind, value: Any, where: str) -> Leaf:
        if kind is Kind.URL and isinstance(value, str):
            return self._url(value)
        if self._momentary and not self._issued.has(kind, value):
            return Id(kind, "no earlier step", type_of(value), value, _form(value))
        return Id(kind, self._issued.issue(kind, value, where), type_of(value), value, _form(value))

    def _url(self, url: str) -> str:
        parts = urlsplit(url)
        segments = []
        for segment in parts.path.split("/"):
            match = _LABEL.match(unquote(segment))
            known = match and self._issued.has(Kind.DEPLOYMENT, match["id"])
            issued = f"{match['name']}-<{self._issued.known[Kind.DEPLOYMENT, match['id']]}>" if known and match else ""
            segments.append(issued or segment)
        return self._text(urlunsplit((parts.scheme, parts.netloc, "/".join(segments), parts.query, "")))

    def _text(self, text: str) -> str:
        """A text without what differs by design: the run's id in names, and the instance's own address."""
        return text.replace(self._issued.run, "RUN").replace(self._issued.origin, "TARGET")


def _form(value: Any) -> str:
    """The form of an id that is a text: a UUID, digits, or neither."""
    text = value if isinstance(value, str) else ""
    return "a UUID" if UUID.fullmatch(text) else "digits" if text.isdecimal() else ""


class _Rows(list[Any]):
    """The first and last rows of a long list of `total` rows: they stand for the others."""

    total = 0


def _shortened(value: Any) -> Any:
    """The value with long lists cut, and with texts that hold a JSON object as that object."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        if not value or isinstance(value[0], int | float):
            return value
        rows = value if len(value) <= _FIRST_ROWS + _LAST_ROWS else [*value[:_FIRST_ROWS], *value[-_LAST_ROWS:]]
        kept = _Rows(_shortened(row) for row in rows)
        kept.total = len(value)
        return kept
    if isinstance(value, str) and value.startswith("{"):
        try:
            return {"(text of)": _shortened(json.loads(value))}
        except (ValueError, RecursionError):
            return value
    return value


def _value(response: Response, *, whole: bool = False) -> Any:
    """The body as a JSON value: Arrow as its schema and rows, other bodies as text."""
    if not response.body:
        return "(empty)"
    if response.media_type == ARROW_FILE:
        return _table(response.body)
    if response.is_json:
        return response.json if whole else _shortened(response.json)
    return response.body[:4096].decode("utf-8", "backslashreplace")


def _table(content: bytes) -> Any:
    try:
        table = pa.ipc.open_file(BytesIO(content)).read_all()
    except (pa.ArrowInvalid, OSError):
        return "(not an Arrow file)"
    first, last = table.slice(0, _FIRST_ROWS), table.slice(max(_FIRST_ROWS, len(table) - _LAST_ROWS))
    rows = _Rows(_shortened(_plain([*first.to_pylist(), *last.to_pylist()])))
    rows.total = len(table)
    columns = [{"name": column.name, "type": str(column.type), "nullable": column.nullable} for column in table.schema]
    return {"columns": columns, "rows": rows}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def type_of(value: object) -> str:
    """The JSON type of a leaf."""
    if isinstance(value, Id):
        return value.type
    if value in (OBJECT, LIST) and isinstance(value, str):
        return value.strip("()")
    if isinstance(value, Numbers):
        return "array of integers" if value.whole else "array of numbers"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def reordered(answer: Answer, unordered: Sequence[str]) -> Answer:
    """The answer with the lists at these general places sorted by what their rows hold that is not noise."""
    leaves = dict(answer.leaves)
    for where in unordered:
        for place in [place for place in leaves if f"{place}[1]" in leaves and general(place) == where]:
            leaves = _sorted(leaves, place)
    return Answer(answer.status, leaves, answer.variant, answer.at, answer.failure)


def _sorted(leaves: dict[str, Leaf], place: str) -> dict[str, Leaf]:
    rows = rows_of(leaves, place)
    kept = {name: leaf for name, leaf in leaves.items() if not name.startswith(f"{place}[")}
    for index, row in enumerate(sorted(rows, key=row_key)):
        kept |= {f"{place}[{index}]{rest}": leaf for rest, leaf in row.items()}
    return kept


def rows_of(leaves: Mapping[str, Leaf], place: str) -> list[dict[str, Leaf]]:
    """The rows of the list at a place, each as places below it."""
    rows: dict[str, dict[str, Leaf]] = {}
    for name, leaf in leaves.items():
        if name.startswith(f"{place}["):
            index, _, rest = name[len(place) + 1 :].partition("]")
            rows.setdefault(index, {})[rest] = leaf
    return list(rows.values())


def row_key(row: Mapping[str, Leaf]) -> str:
    """What a row is told from others by: its ids, or else all it holds."""
    ids = [f"{rest}={leaf.issued}" for rest, leaf in sorted(row.items()) if isinstance(leaf, Id)]
    return repr(ids or sorted((rest, str(leaf)) for rest, leaf in row.items()))
