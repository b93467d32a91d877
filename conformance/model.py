"""The nouns of the suite as frozen values: operations, requirements, exchanges, findings, waivers and verdicts."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

_OF_THE_RUN = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-fA-F]{8,}\b|[0-9]+(?:\.[0-9]+)?")
"""What may differ between two runs that see the same: quoted values, digests and numbers."""


class Effect(StrEnum):
    """What an operation does to the target (`x-effect` in the document), since every operation is a POST."""

    READ = "read"
    CREATE = "create"
    MUTATE = "mutate"
    DESTROY = "destroy"
    COMPUTE = "compute"


class Basis(StrEnum):
    """Why a requirement may be demanded, strongest first."""

    STATED = "stated"
    SHOWN = "shown"
    STANDARD = "standard"
    DECIDED = "decided"


class Level(StrEnum):
    """How strongly it is demanded (RFC 2119's words)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Outcome(StrEnum):
    """What a run says of one requirement."""

    HELD = "held"
    BROKEN = "broken"
    WAIVED = "waived"
    UNTESTED = "untested"


@dataclass(frozen=True)
class Operation:
    """Method and path of the document, by its `operationId`. `path` is a template: `/v1/api/pipelines/create`."""

    id: str
    method: str
    path: str
    effect: Effect


Intent = Literal["", "valid", "invalid"]
"""What the sender of a request means: no claim, that it must be served, or that it must be refused."""


class Mark(StrEnum):
    """What is special about a request, said by its sender."""

    CLEANING = "cleaning"
    GENERATED = "generated"
    """Its body counts for the keywords that a run met."""
    TOGETHER = "together"
    """It was sent at the same moment as others."""
    TURNED_AWAY = "turned-away"
    """The same token was refused a moment before."""
    UNKNOWN = "unknown"
    """Nobody knows what came of it: its answer was lost, and what it does may have been done."""
    STATUS_INFERRED = "status-inferred"
    """Its status was not recorded but follows from its body: nothing is claimed of it."""
    DESCRIBED = "described"
    """It is as the document describes, and names nothing that does not exist."""
    DEADLINE = "deadline"
    """After this question a wait gives up."""
    BEFORE_RUNNING = "before-running"
    """Good rows for a deployment that is not known to run."""
    NEVER_WAS = "never-was"
    ELSEWHERE = "elsewhere"
    """It asks about what another workspace has."""
    HANDED_OUT = "handed-out"
    """Rows sent to an external URL to the letter, whose path serves under the target's own address."""
    SOURCE_GONE = "source-gone"
    """Rows sent to a copy once the deployment of its source is gone."""
    SWAPPED = "swapped"
    """It asks once another version was deployed over one that ran, and had its time."""
    UNDER_LOAD = "under-load"
    """Good rows for a deployment that runs, while many others ask too."""
    IMPOSSIBLE_ID = "impossible-id"
    """It holds an id that nothing can have: 0, a negative one, one beyond 2^31."""
    RUBBISH = "rubbish"
    """An upload whose file is no model."""
    METHOD = "method"
    HEAD_OR_OPTIONS = "head-or-options"
    BEYOND = "beyond"
    NOWHERE = "nowhere"
    DOCUMENTATION = "documentation"


class Purpose(StrEnum):
    """What a request is sent to show, with a word that says of what: `promise:takes-a-copy`."""

    PROMISE = "promise"
    """A valid request of the row of that slug."""
    REFUSES = "refuses"
    """An invalid request of the row of that slug."""
    READING = "reading"
    """Which reading of the row of that slug an instance follows."""
    ABOUT = "about"
    """A request of no operation, beside that one."""
    AFTER_REFUSAL = "after-refusal"
    """What that operation must not have changed."""
    IDENTITY = "identity"
    """Credentials with that fault."""
    GRANT = "grant"
    """A token that came from that grant."""

    def of(self, word: str) -> Aim:
        """The label that says so of that word."""
        return Aim(f"{self}:{word}")

    def words(self, labels: Iterable[Label]) -> list[str]:
        """What labels of this kind say it of, sorted."""
        return sorted(label.word for label in labels if isinstance(label, Aim) and label.purpose is self)


class Aim(str):
    """A purpose and its word, `<purpose>:<word>`. Raises ValueError where it is neither."""

    __slots__ = ()

    def __new__(cls, text: str) -> Aim:
        purpose, _, word = text.partition(":")
        if not Purpose(purpose) or not word:
            raise ValueError(f"{text!r} lacks the word after its purpose")
        return super().__new__(cls, text)

    @property
    def purpose(self) -> Purpose:
        """What kind of thing it says."""
        return Purpose(self.partition(":")[0])

    @property
    def word(self) -> str:
        """Of what it says so."""
        return self.partition(":")[2]


Label = Mark | Aim
"""All that a request may carry: nothing else is a label."""


def label_of(text: str) -> Label:
    """The label that a text is. Raises ValueError where it is none."""
    return Aim(text) if ":" in text else Mark(text)


@dataclass(frozen=True)
class Requirement:
    """One promise. `id` is `<operation id>.<kebab sentence>`; `source` says where the promise stands.

    `unreached` is a written reason why this kind of target may leave it untested, by target kind
    (`live`, `emulated`, `recorded`), empty where there is none.
    """

    id: str
    operation: str
    text: str
    level: Level
    basis: Basis
    source: str
    profiles: tuple[str, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)
    check: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gates(self) -> bool:
        """A broken *must* that is stated or shown makes a target non-conformant; nothing else does."""
        return self.level is Level.MUST and self.basis in (Basis.STATED, Basis.SHOWN)


class Headers(Mapping[str, str]):
    """HTTP header fields in order, looked up without regard to case; repeated fields join (RFC 9110 5.3)."""

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self.fields: tuple[tuple[str, str], ...] = tuple((name, value) for name, value in pairs)
        self._joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            self._joined[key] = f"{self._joined[key]}, {value}" if key in self._joined else value

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        """Names only: values may hold credentials."""
        return f"Headers({', '.join(self._joined)})"


class _Body:
    headers: Headers
    body: bytes

    @cached_property
    def media_type(self) -> str:
        """The content type without its parameters, lower case, empty where there is none."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none (RFC 8259; `NaN` and infinities are not JSON).

        A body of more values than any answer has a use for counts as none: as Python's they would fill the memory.
        """
        value, refusal = self._parsed
        if refusal is not None:
            raise refusal.with_traceback(None)
        return value

    @property
    def is_json(self) -> bool:
        """Whether the body parses as JSON."""
        return self._parsed[1] is None

    @cached_property
    def _parsed(self) -> tuple[Any, ValueError | RecursionError | None]:
        """The value, or why there is none: each check asks, and a body that is no JSON may be large."""
        if len(self.body) > _SMALL and sum(map(self.body.count, b",[{")) > max(_MOST_VALUES, len(self.body) // 9):
            return None, ValueError("too many values")
        try:
            return json.loads(self.body, parse_constant=_refuse_constant), None
        except (ValueError, RecursionError) as error:
            return None, error


_SMALL = 1024 * 1024
_MOST_VALUES = 300_000


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Request(_Body):
    """What was sent. `url` is absolute; `body` the bytes on the wire, empty where there is none.

    `body_known` is False where a capture did not keep the body: then nothing is claimed of what was asked.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    body_known: bool = True

    @property
    def path(self) -> str:
        """The URL's path, percent-encoded as sent."""
        return urlsplit(self.url).path


@dataclass(frozen=True)
class Response(_Body):
    """What came back. `status` is None where a recording does not know it; `elapsed` seconds to the last byte.

    `body_known` is False where traffic was kept without its bodies: then nothing is claimed of the body.
    """

    status: int | None
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    elapsed: float | None = None
    body_known: bool = True
    headers_known: bool = True

    @property
    def ok(self) -> bool:
        """A 2xx. An unknown status is not one."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Exchange:
    """One request and its response: the only evidence there is.

    `operation` is the operation's id, None for a request of no operation; `parameters` the path parameters, decoded;
    `started` and `ended` seconds on one clock, None where unknown; `response` None where no answer came, and `failure`
    is then the sentence that says why.
    """

    request: Request
    response: Response | None
    operation: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    failure: str = ""
    source: str = ""
    intent: Intent = ""
    labels: frozenset[Label] = frozenset()

    @property
    def status(self) -> int | None:
        """The response's status, None where there is none or it is unknown."""
        return self.response.status if self.response else None

    @property
    def ok(self) -> bool:
        """Whether a 2xx came."""
        return self.response is not None and self.response.ok

    @property
    def refusable(self) -> bool:
        """Whether it names what cannot be or is known to be invalid: nothing is promised of what a success says."""
        return self.intent == "invalid" or Mark.IMPOSSIBLE_ID in self.labels

    @property
    def answer(self) -> Any:
        """The response's JSON, None where it is none."""
        return self.response.json if self.response and self.response.is_json else None

    @property
    def question(self) -> Any:
        """The request's JSON, None where it is none."""
        return self.request.json if self.request.is_json else None


@dataclass(frozen=True)
class Finding:
    """A requirement seen to hold, or not, with the exchanges that show it (the last one is where it showed).

    `shrunk` says that the evidence is the smallest sequence found to show it again, from nothing. `repeated` is how
    often it showed again of how many times that sequence was asked, (0, 0) where it was not.
    """

    requirement: str
    held: bool
    expected: str = ""
    actual: str = ""
    evidence: tuple[Exchange, ...] = ()
    operation: str = ""
    shrunk: bool = False
    repeated: tuple[int, int] = (0, 0)

    @property
    def fingerprint(self) -> str:
        """The same broken promise seen again has the same fingerprint: no id, time or value of the run is in it."""
        expected = _OF_THE_RUN.sub("#", self.expected)
        text = f"{self.requirement}\0{self.operation}\0{expected}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Waiver:
    """A broken requirement excused until `last_day`; empty `operation`, `profile` and `fingerprint` mean any."""

    requirement: str
    reason: str
    owner: str
    last_day: datetime.date
    operation: str = ""
    profile: str = ""
    fingerprint: str = ""


class Standing(StrEnum):
    """What became of a waiver in a run: it excused something, had nothing to excuse, outlived its need or its day."""

    USED = "used"
    IDLE = "idle"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True)
class WaiverUse:
    """A waiver and what became of it. *Stale* (the requirement holds) and *expired* fail a run."""

    waiver: Waiver
    standing: Standing


@dataclass(frozen=True)
class Judgement:
    """What is concluded of one requirement: its outcome, how often it was seen to hold or not, and what broke it.

    `findings` holds one broken finding of each fingerprint, the one with the fewest exchanges. `gates` says whether
    the requirement, were it broken and not waived, decides this run's exit code (strictness and scope included).
    `reason` says why it is untested, waived, or broken without gating, empty where there is nothing to say.
    `known` says that it would gate, were it not broken in the baseline too; `broke` how often of `evidence` it broke.
    """

    requirement: Requirement
    outcome: Outcome
    evidence: int
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    gates: bool = False
    known: bool = False
    broke: int = 0


@dataclass(frozen=True)
class Verdict:
    """Every requirement's outcome. `word` is conformant, not-conformant or none; `exit_code` 0, 1 or 3."""

    word: str
    exit_code: int
    reason: str
    judgements: tuple[Judgement, ...]
    waivers: tuple[WaiverUse, ...] = ()
