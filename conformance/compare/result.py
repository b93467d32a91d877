"""The result of a comparison: one plain mapping (specs/comparison.schema.json) that every report is made from."""

from __future__ import annotations

import datetime
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from conformance.compare.comparison import Compared, Difference
from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.redaction import redact_text
from conformance.reporting.sequences import bash_of
from conformance.reporting.snippets import curl_of, python_of

SAME, NON_BREAKING, BREAKING, NONE = "same", "non-breaking", "breaking", "none"
_LONGEST_BODY = 4000
_NEEDED = ("reason", "owner", "last_day")


@dataclass(frozen=True)
class Accepted:
    """An entry of the `--ignore` file: a difference that a person accepts until a day."""

    difference: str
    reason: str
    owner: str
    last_day: datetime.date


def read_accepted(path: Path) -> tuple[Accepted, ...]:
    """The entries of an `--ignore` file (TOML, `[[ignore]]`). Raises UsageError, one sentence."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {path} is not TOML: {error}.") from None
    entries = raw.get("ignore", [])
    if raw.keys() - {"ignore"} or not isinstance(entries, list):
        raise UsageError(f"{path} may hold [[ignore]] entries only.")
    return tuple(_accepted(entry, f"Entry {number} of {path}") for number, entry in enumerate(entries, 1))


def _accepted(entry: Any, where: str) -> Accepted:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is not an [[ignore]] table.")
    unknown = sorted(entry.keys() - {"difference", *_NEEDED})
    if unknown:
        raise UsageError(f"{where} has {unknown[0]!r}; it may have difference, {', '.join(_NEEDED)}.")
    missing = [name for name in ("difference", *_NEEDED) if not str(entry.get(name, "")).strip()]
    if missing:
        raise UsageError(f"{where} has no {missing[0]}; say which difference is accepted, why, by whom and until when.")
    day = entry["last_day"]
    try:
        day = datetime.date.fromisoformat(day) if isinstance(day, str) else day
    except ValueError:
        day = None
    if not isinstance(day, datetime.date) or isinstance(day, datetime.datetime):
        raise UsageError(f"{where} has a last_day that is not a date such as 2026-12-31.")
    return Accepted(str(entry["difference"]), str(entry["reason"]), str(entry["owner"]), day)


@dataclass(frozen=True)
class Compare:
    """What was asked for: the two sides as they were named, and what decides the exit code."""

    old: str
    new: str
    profile: str
    budget: str
    seed: int
    fail_on: str = BREAKING
    accepted: tuple[Accepted, ...] = ()


def result_of(asked: Compare, compared: Compared, today: datetime.date) -> dict[str, Any]:
    """The result as plain data. The exit code is 3 where the comparison could not see, else what `fail_on` says."""
    open_entries = {entry.difference: entry for entry in asked.accepted if entry.last_day >= today}
    counted = [one for one in compared.differences if one.id not in open_entries]
    accepted = [one for one in compared.differences if one.id in open_entries]
    standing = {one.id for one in counted if not one.follows}
    counted = [one if one.follows in standing else replace(one, follows="") for one in counted]
    verdict, code, reason = _verdict(asked, compared, counted, accepted)
    used = {one.id for one in accepted}
    return {
        "verdict": verdict,
        "exit_code": code,
        "reason": reason,
        "old": asked.old,
        "new": asked.new,
        "profile": asked.profile,
        "budget": asked.budget,
        "seed": asked.seed,
        "asked": compared.asked,
        "differences": [_plain(one) for one in counted],
        "accepted": [_plain(one) | {"reason": open_entries[one.id].reason} for one in accepted],
        "stale": [_stale(entry, today) for entry in asked.accepted if entry.difference not in used],
        "canary": compared.canary,
        "left_out": [{"reason": reason, "requests": count} for reason, count in sorted(compared.left_out.items())],
        "latency": _latencies(compared.seconds),
    }


def _verdict(
    asked: Compare, compared: Compared, counted: Sequence[Difference], accepted: Sequence[Difference]
) -> tuple[str, int, str]:
    breaking = sum(1 for one in counted if one.breaking and not one.follows)
    followers = sum(1 for one in counted if one.follows)
    besides = f" {_count(followers, 'more')} may follow from them." if followers else ""
    besides += "".join(f" {sentence}" for sentence in compared.broken_off)
    if breaking and asked.fail_on != "never":
        return BREAKING, 1, f"{_count(breaking, 'difference')} may break a caller.{besides}"
    if compared.canary != "found":
        return NONE, 3, "The comparison missed a difference that was planted in a copy of an answer: it is blind."
    if compared.broken_off:
        return NONE, 3, " ".join(compared.broken_off)
    if compared.left:
        return NONE, 3, " ".join(compared.left)
    if breaking:
        return BREAKING, 0, f"{_count(breaking, 'difference')} may break a caller; --fail-on never.{besides}"
    if counted:
        code = 1 if asked.fail_on == "any" else 0
        return NON_BREAKING, code, f"{_count(len(counted) - followers, 'difference')}, none breaks a caller.{besides}"
    if accepted:
        return SAME, 0, f"Nothing but accepted differences ({len(accepted)})."
    return SAME, 0, f"Both answered {_count(compared.asked, 'request')} alike."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 or noun == 'more' else 's'}"


def _stale(entry: Accepted, today: datetime.date) -> dict[str, str]:
    why = f"its last day was {entry.last_day}" if entry.last_day < today else "no difference needs it"
    return {"difference": entry.difference, "owner": entry.owner, "why": why}


def _plain(one: Difference) -> dict[str, Any]:
    new = one.new_exchange
    return {
        "id": one.id,
        "operation": one.operation,
        "location": one.location,
        "kind": one.kind,
        "breaking": one.breaking,
        "seen": one.how_often,
        "follows": one.follows,
        "old": redact_text(one.old),
        "new": redact_text(one.new),
        "curl": curl_of(new) if new else "",
        "old_curl": curl_of(one.old_exchange) if one.old_exchange else "",
        "python": python_of(new) if new else "",
        "request": f"{new.request.method} {new.request.path}" if new else "",
        "old_answer": _answer(one.old_exchange, one.old_body),
        "new_answer": _answer(new, one.new_body),
        "script": bash_of(one.sequence) if one.sequence else "",
        "requirements": [
            {"id": identifier, "kept_by": side}
            for side, rows in (("old", one.kept_by_old), ("new", one.kept_by_new))
            for identifier in sorted(rows)
        ],
    }


def _answer(exchange: Exchange | None, body: str) -> dict[str, Any] | None:
    if exchange is None or exchange.response is None:
        return None
    more = f"… ({len(body)} characters)" if len(body) > _LONGEST_BODY else ""
    return {
        "status": exchange.response.status,
        "content_type": exchange.response.headers.get("content-type", ""),
        "body": redact_text(body[:_LONGEST_BODY]) + more,
    }


def _latencies(seconds: Mapping[str, tuple[list[float], list[float]]]) -> list[dict[str, Any]]:
    """Medians by operation, and how likely chance alone would show such a difference (Mann-Whitney U, normal)."""
    rows = []
    for operation, (old, new) in sorted(seconds.items()):
        if min(len(old), len(new)) >= 8:
            rows.append(
                {
                    "operation": operation,
                    "old_ms": round(median(old) * 1000, 2),
                    "new_ms": round(median(new) * 1000, 2),
                    "p": round(mann_whitney(old, new), 4),
                }
            )
    return rows


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p value that two samples come from one distribution, by the normal approximation of U."""
    ranks = _ranks([*one, *other])
    u = sum(ranks[: len(one)]) - len(one) * (len(one) + 1) / 2
    mean = len(one) * len(other) / 2
    spread = math.sqrt(len(one) * len(other) * (len(one) + len(other) + 1) / 12)
    return math.erfc(abs(u - mean) / spread / math.sqrt(2)) if spread else 1.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for index in order[start : end + 1]:
            ranks[index] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def operations_of(differences: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The differences by operation, in the order given."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in differences:
        found.setdefault(one["operation"], []).append(one)
    return found
