"""What a run saw: one value, filled where exchanges are judged and added up until it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from conformance.model import Exchange, Finding, Headers, Request, Response, label_of
from conformance.targets.target import GATEWAY, HASTE, LOST, UNKNOWN


@dataclass
class Facts:
    """What an item saw, or all items of a run.

    `broken` are findings kept whole; `broke` counts all that broke, kept or not, and `held` what held, by (requirement,
    operation); `reached` counts answers by (operation, status). `marks` are what was met of the document (`run.reach`),
    `events` the lifecycle's (`reporting.timeline`). `observed` says of requirements that hold in more than one way
    which way was seen; `witnesses` gives the first exchange in which a requirement was seen to hold. `notes` are
    sentences on the run itself, `incidents` those that keep it from a verdict, `troubles` what stood between us and the
    API (`Target.troubles`). `suites` and `left_out` tell of items: by suite, and skipped ones by reason; of the
    suites in `partial` pytest was told to run only a part. `items` are seconds by item, and `plan` is how they were
    divided over shards (`run.shards`).
    """

    broken: list[Finding] = field(default_factory=list)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    broke: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, int]] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)
    observed: dict[str, str] = field(default_factory=dict)
    witnesses: dict[str, Exchange] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str, int, str]] = field(default_factory=list)
    requests: int = 0
    suites: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    partial: list[str] = field(default_factory=list)
    items: dict[str, float] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)

    def add(self, other: Facts) -> None:
        """Take in what another stretch of the run saw; of what is told once, the first stays."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            elif isinstance(mine, dict):
                mine.update({key: value for key, value in theirs.items() if key not in mine})
            else:
                setattr(self, one.name, mine + theirs)

    def suite(self, name: str) -> dict[str, Any]:
        """What is told of a suite: its name, items and failed items, and seconds once an item has run."""
        return self.suites.setdefault(name, {"name": name, "items": 0, "failed": 0})

    @property
    def trouble(self) -> Troubles:
        """What stood between us and the API, counted."""
        counted = Troubles()
        counted.add(self.troubles)
        return counted

    def statuses(self) -> dict[str, dict[str, int]]:
        """How often each operation answered with each status: `{"pipelines.deploy": {"200": 4}}`."""
        told: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(self.reached.items()):
            told.setdefault(operation, {})[str(status)] = count
        return told


_MOST_SHARE = 0.05
"""The share of a run's answers that a gateway may have written; beyond, the rest says too little of the API."""

_FEW = 10
"""So few answers of a gateway are a passing trouble, however short the run."""

_KINDS_SHOWN = 3


class Troubles:
    """They are counted by kind and by what each was, with the first request of each for instance."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, seen: Iterable[Sequence[Any]]) -> None:
        """Take in what a target told of (`Target.troubles`)."""
        for kind, what, count, example in seen:
            self._counts[kind, what] += count
            self._examples.setdefault((kind, what), example)

    def count(self, kind: str) -> int:
        """How often there was trouble of a kind: `gateway`, `haste`, `lost` or `unknown`."""
        return sum(count for (one, _), count in self._counts.items() if one == kind)

    def as_json(self, requests: int) -> dict[str, Any]:
        """For the result: counts, and the gateway's answers by status and writer."""
        kinds = {what: count for (kind, what), count in self._counts.items() if kind == GATEWAY}
        return {
            "answers": self.count(GATEWAY),
            "share": round(self.count(GATEWAY) / requests, 4) if requests else 0.0,
            "kinds": kinds,
            "throttled": self.count(HASTE),
            "lost": self.count(LOST),
            "unknown": self.count(UNKNOWN),
        }

    def notes(self, requests: int) -> list[str]:
        """A sentence for each kind of trouble there was, for the verdict."""
        notes = []
        if count := self.count(GATEWAY):
            notes.append(
                f"{count} of {requests} answers ({_percent(count, requests)}) came from a gateway, not from the API "
                f"({self._shown(GATEWAY)}); nothing is concluded from them."
            )
        if count := self.count(HASTE):
            notes.append(
                f"{_times(count, 'request was', 'requests were')} refused because of a rate limit "
                f"({self._shown(HASTE)}), and sent "
                "again more slowly. --rate N limits the run to N requests a second from the start."
            )
        if count := self.count(LOST):
            notes.append(
                f"{_times(count, 'answer was', 'answers were')} lost on the way ({self._shown(LOST)}); requests that "
                "do no "
                "harm were sent again."
            )
        if count := self.count(UNKNOWN):
            notes.append(
                f"The outcome of {_times(count, 'request', 'requests')} is unknown ({self._shown(UNKNOWN)}): the "
                "answer was lost, but the request may have taken effect. Nothing is concluded from it."
            )
        return notes

    def incident(self, requests: int) -> str:
        """Why there can be no verdict for so many answers of a gateway; empty where they are few."""
        count = self.count(GATEWAY)
        if count <= _FEW or count <= _MOST_SHARE * requests:
            return ""
        return (
            f"{count} of {requests} answers ({_percent(count, requests)}) came from a gateway, not from the API "
            f"({self._shown(GATEWAY)}): too many to judge the API by the rest. Run the suite where no gateway refuses "
            "it."
        )

    def _shown(self, kind: str) -> str:
        found = [(count, what) for (one, what), count in self._counts.items() if one == kind]
        found.sort(key=lambda pair: (-pair[0], pair[1]))
        shown = [f"{count} × {what}, first to {self._examples[kind, what]}" for count, what in found[:_KINDS_SHOWN]]
        return "; ".join([*shown, *([f"and {len(found) - _KINDS_SHOWN} kinds more"] if found[_KINDS_SHOWN:] else [])])


def _percent(count: int, whole: int) -> str:
    return f"{100 * count / max(1, whole):.1f} %"


def _times(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many}"


_LARGEST_BODY = 1024 * 1024
"""Bytes of a body that travel; what is larger is evidence nobody reads, and its report says so by a length."""


def of_facts(facts: Facts) -> dict[str, Any]:
    """Facts as texts, numbers, lists and mappings."""
    told = {one.name: getattr(facts, one.name) for one in fields(facts)}
    counts = {name: [[*_key(key), count] for key, count in value.items()] for name, value in told.items()
              if isinstance(value, Counter)}  # fmt: skip
    kept = {
        "broken": [of_finding(finding) for finding in facts.broken],
        "witnesses": {name: of_exchange(exchange) for name, exchange in facts.witnesses.items()},
        "troubles": [list(one) for one in facts.troubles],
    }
    return told | counts | kept


def to_facts(plain: Mapping[str, Any]) -> Facts:
    """The facts that `of_facts` wrote down."""
    facts = Facts()
    for one in fields(facts):
        value = plain[one.name]
        if isinstance(getattr(facts, one.name), Counter):
            value = Counter({key[0] if len(key) == 1 else tuple(key): count for *key, count in value})
        setattr(facts, one.name, value)
    facts.broken = [to_finding(finding) for finding in plain["broken"]]
    facts.witnesses = {name: to_exchange(exchange) for name, exchange in plain["witnesses"].items()}
    facts.troubles = [(kind, what, count, example) for kind, what, count, example in plain["troubles"]]
    return facts


def _key(key: str | tuple[Any, ...]) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def of_finding(finding: Finding) -> dict[str, Any]:
    """A finding as texts, numbers, lists and mappings; bodies as latin-1 text."""
    return {
        "requirement": finding.requirement,
        "held": finding.held,
        "expected": finding.expected,
        "actual": finding.actual,
        "operation": finding.operation,
        "shrunk": finding.shrunk,
        "repeated": list(finding.repeated),
        "evidence": [of_exchange(exchange) for exchange in finding.evidence],
    }


def to_finding(plain: Mapping[str, Any]) -> Finding:
    """The finding that `of_finding` wrote down."""
    evidence = tuple(to_exchange(exchange) for exchange in plain["evidence"])
    return Finding(**{**plain, "evidence": evidence, "repeated": tuple(plain["repeated"])})


def of_exchange(exchange: Exchange) -> dict[str, Any]:
    """An exchange as texts, numbers, lists and mappings; bodies as latin-1 text."""
    request, response = exchange.request, exchange.response
    return {
        "request": [
            request.method,
            request.url,
            [list(pair) for pair in request.headers.fields],
            _of(request.body),
            request.body_known,
        ],
        "response": None
        if response is None
        else [
            response.status,
            [list(pair) for pair in response.headers.fields],
            _of(response.body),
            response.elapsed,
            response.body_known,
        ],
        "operation": exchange.operation,
        "parameters": dict(exchange.parameters),
        "started": exchange.started,
        "ended": exchange.ended,
        "failure": exchange.failure,
        "intent": exchange.intent,
        "labels": sorted(map(str, exchange.labels)),
    }


def to_exchange(plain: Mapping[str, Any]) -> Exchange:
    """The exchange that `of_exchange` wrote down."""
    method, url, fields, body, known = plain["request"]
    answer = plain["response"]
    response = None
    if answer is not None:
        response = Response(answer[0], _headers(answer[1]), answer[2].encode("latin-1"), answer[3], answer[4])
    return Exchange(
        request=Request(method, url, _headers(fields), body.encode("latin-1"), known),
        response=response,
        operation=plain["operation"],
        parameters=plain["parameters"],
        started=plain["started"],
        ended=plain["ended"],
        failure=plain["failure"],
        intent=plain["intent"],
        labels=frozenset(map(label_of, plain["labels"])),
    )


def _headers(fields: list[list[str]]) -> Headers:
    return Headers([(name, value) for name, value in fields])


def _of(body: bytes) -> str:
    return body[:_LARGEST_BODY].decode("latin-1")
