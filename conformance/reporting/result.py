"""The result: one plain mapping that says everything a report needs, made once from a verdict and the run's facts."""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import conformance
from conformance import data, redaction
from conformance.model import Exchange, Finding, Judgement, Mark, Outcome, Verdict, WaiverUse
from conformance.reporting import sequences
from conformance.reporting.facts import Facts
from conformance.reporting.lifecycle import condensed
from conformance.reporting.snippets import Access, curl_of, files_of, python_of, reached_by
from conformance.spec.document import BASE_PROFILE, Document, profiles
from conformance.spec.requirements import load

_LONGEST = 4_000
"""Characters kept of one expected or actual text."""

_NEEDS = "# Its ids are of that run; the whole sequence makes new ones ({} before it)."

_SEQUENCE = 40
"""Exchanges kept of one finding's sequence; the last ones are those that matter."""


@dataclass(frozen=True)
class Circumstances:
    """What a run was, beside what it saw and its verdict.

    `target_kind` is live, emulated or recorded. `scope` is a phrase for people, "everything" when nothing narrowed it.
    `began` is epoch seconds and `seconds` the wall time. `drift` is the output of a comparison; `extra` adds keys to
    the result. `trust` names the PEM files that the run was given: authorities, a certificate of its own, and its key.
    """

    target_kind: str
    target_url: str
    profile: str = "2023.4"
    scope: str = "everything"
    seed: int | None = None
    strict: bool = False
    budget: str = ""
    began: float = 0.0
    seconds: float = 0.0
    drift: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    trust: tuple[str, str, str] = ("", "", "")


def result_of(verdict: Verdict, run: Circumstances, facts: Facts) -> dict[str, Any]:
    """The result (specs/result.schema.json): JSON-able, redacted, without absolute paths of this machine."""
    with reached_by(Access(run.profile, *run.trust)):
        requirements = [_requirement(judgement, facts.witnesses) for judgement in verdict.judgements]
    result = {
        "version": _version(),
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "reason": said(verdict.reason),
        "target": {"kind": run.target_kind, "url": _address(run.target_url)},
        "profile": run.profile,
        "scope": said(run.scope),
        "seed": run.seed,
        "strict": run.strict,
        "budget": run.budget,
        "started": datetime.datetime.fromtimestamp(run.began, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "counts": counts_of(requirements),
        "requirements": requirements,
        "waivers": [_waiver(use) for use in verdict.waivers],
        "reached": facts.statuses(),
        "requests": facts.requests,
        "digests": dict(digests_of(run.profile)),
        "suites": [dict(suite) for suite in facts.suites.values()],
        "timeline": plain(condensed(_since(run.began, facts.events))),
        **{key: plain(value) for key, value in run.extra.items()},
    }
    if run.drift is not None:
        result["drift"] = plain(run.drift)
    return result


def _since(began: float, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "at": round(max(0.0, event["at"] - began), 3)} for event in events if "at" in event]


def _version() -> str:
    try:
        return version("wallaroo-conformance")
    except PackageNotFoundError:
        return "not installed"


def counts_of(requirements: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many requirements have each outcome; `broken` counts those that gate, `warnings` the broken that do not."""
    counts = dict.fromkeys(("held", "broken", "warnings", "waived", "untested"), 0)
    for requirement in requirements:
        warning = requirement["outcome"] == Outcome.BROKEN and not requirement["gates"]
        counts["warnings" if warning else str(requirement["outcome"])] += 1
    return counts


def _requirement(judgement: Judgement, witnesses: Mapping[str, Exchange]) -> dict[str, Any]:
    row = judgement.requirement
    witness = witnesses.get(row.id) if judgement.outcome is Outcome.HELD else None
    shown: dict[str, Any] = {"witness": {"curl": curl_of(witness), "python": python_of(witness)}} if witness else {}
    if judgement.known:
        shown["known"] = True
    if "unresolved" in row.notes:
        shown["untestable"] = True
    return {
        **shown,
        "id": row.id,
        "operation": row.operation,
        "outcome": judgement.outcome.value,
        "level": row.level.value,
        "basis": row.basis.value,
        "gates": judgement.gates,
        "text": row.text,
        "source": row.source,
        "evidence": judgement.evidence,
        "broke": judgement.broke,
        "reason": said(judgement.reason),
        "findings": [_finding(finding, row.operation) for finding in judgement.findings],
    }


def _finding(finding: Finding, operation: str) -> dict[str, Any]:
    shown = finding.evidence[-1] if finding.evidence else None
    kept = tuple(sequences.without_polls(finding.evidence))[-_SEQUENCE:]
    needed = [_NEEDS.format(len(kept) - 1)] if len(kept) > 1 else []
    entry: dict[str, Any] = {
        "expected": said(finding.expected),
        "actual": said(finding.actual),
        "operation": finding.operation or operation,
        "curl": "\n".join([curl_of(shown), *needed]) if shown else "",
        "python": "\n".join([*needed, python_of(shown)]) if shown else "",
        "fingerprint": finding.fingerprint,
        "requests": _requests(kept),
    }
    if shown and (number := shown.request.headers.get("x-request-id")):
        entry["request_id"] = said(number)
    if finding.repeated[1]:
        entry["repeated"] = f"{finding.repeated[0]} of {finding.repeated[1]}"
    if shown and shown.source:
        entry["where"] = said(shown.source)
    if shown and sequences.can_be_replayed(kept, finding.requirement):
        told = replace(finding, expected=entry["expected"], actual=entry["actual"])
        files = {name: content for exchange in kept for name, content in files_of(exchange.request).items()}
        if files:
            entry["files"] = {n: base64.b64encode(gzip.compress(c, mtime=0)).decode() for n, c in files.items()}
        entry |= {"script": sequences.bash_of(kept), "pytest": sequences.pytest_of(kept, told)}
    return entry


def _requests(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """The requests in order; the one where it showed has its answer, and so has the one before it that asked alike."""
    shown = {len(exchanges) - 1}
    alike = [n for n, one in enumerate(exchanges[:-1]) if one.operation and one.operation == exchanges[-1].operation]
    shown.update(alike[-1:])
    return [_request(exchange, answered=index in shown) for index, exchange in enumerate(exchanges)]


def _request(exchange: Exchange, *, answered: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operation": exchange.operation or "",
        "method": exchange.request.method,
        "path": said(exchange.request.path),
        "status": None if Mark.STATUS_INFERRED in exchange.labels else exchange.status,
        "failure": said(exchange.failure),
    }
    if answered and exchange.response is not None:
        entry["answer"] = _answer(exchange)
    return entry


def _answer(exchange: Exchange) -> dict[str, Any]:
    response = redaction.redact_exchange(exchange).response
    assert response is not None
    fields = [[name, said(value)] for name, value in response.headers.fields] if response.headers_known else []
    answer: dict[str, Any] = {"headers": fields, "size": len(response.body), "body": ""}
    if not response.body_known:
        return answer | {"unknown": True}
    try:
        answer["body"] = said(response.body[: 4 * _LONGEST].decode() if response.body else "")
    except UnicodeDecodeError:
        answer["binary"] = True
    return answer


def _waiver(use: WaiverUse) -> dict[str, Any]:
    waiver = use.waiver
    return {
        "requirement": waiver.requirement,
        "standing": use.standing.value,
        "reason": said(waiver.reason),
        "owner": said(waiver.owner),
        "last_day": waiver.last_day.isoformat(),
        "operation": waiver.operation,
        "profile": waiver.profile,
        "fingerprint": waiver.fingerprint,
    }


def said(text: str) -> str:
    """A text as any report may hold it: redacted, this machine's folders cut off, of bounded length."""
    for folder in _folders():
        text = text.replace(folder, "…")
    text = redaction.redact_text(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters in all)"


def _folders() -> tuple[str, ...]:
    known = (str(data.ROOT), str(Path.cwd()), tempfile.gettempdir(), str(Path.home()))
    return tuple(f"{folder}/" for folder in sorted(known, key=len, reverse=True) if len(folder) > 1)


def plain(value: Any) -> Any:
    """A JSON value as any report may hold it, text by text."""
    if isinstance(value, str):
        return said(value)
    if isinstance(value, Mapping):
        return {said(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def _address(url: str) -> str:
    parts = urlsplit(url)
    return said(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


@cache
def digests_of(profile: str) -> dict[str, str]:
    """`spec`: the composed description; `catalogue`: its requirements; `suite`: the sources of this package."""
    known = profile if profile in profiles() else BASE_PROFILE
    rows = [
        [row.id, row.text, row.level, row.basis, row.check, {name: str(note) for name, note in row.notes.items()}]
        for row in load(known).rows
    ]
    return {"spec": _of(Document.load(known).raw), "catalogue": _of(rows), "suite": _of_sources()}


def _of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _of_sources() -> str:
    root = Path(conformance.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()
