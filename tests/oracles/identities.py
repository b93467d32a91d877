"""Identity and time set aside: where in requests and answers ids and moments stand, and which id stands for which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from conformance.api.operations import OPERATIONS, At, OperationRow
from conformance.model import Request

_API = "/v1/api/"


def _places(row: OperationRow, places: Iterable[At]) -> dict[str, str]:
    """Places as `$.models[].version`, with the kind of identity there; names are the caller's own, the same twice."""
    start = f"$.{row.part}." if row.part else "$."
    return {f"{start}{at.place}".replace("$.[]", "$[]"): str(at.kind) for at in places if not at.kind.is_name}


QUESTIONS: Mapping[str, Mapping[str, str]] = {row.id: _places(row, row.takes) for row in OPERATIONS}
"""The kind of identity at each place of a request's body, by operation."""

ANSWERS: Mapping[str, Mapping[str, str]] = {
    row.id: _places(replace(row, part=""), (*row.gives, *row.shows)) for row in OPERATIONS
}
"""The kind of identity at each place of an answer's body, by operation."""

TIMES: Mapping[str, frozenset[str]] = {
    row.id: frozenset(f"$.{place}".replace("$.[]", "$[]") for place in row.times) for row in OPERATIONS
}
"""Places that hold moments and durations: their values are never compared."""

_DEPLOYMENT = re.compile(r"(.+)-(\d+)")


class ContradictionError(ValueError):
    """An id that stood for one thing now stands for another; the text says which."""


@dataclass(frozen=True)
class Identities:
    """Which id of the one side is which of the other, one to one, by kind. A value: learning makes a new one."""

    there: Mapping[tuple[str, Any], Any] = field(default_factory=dict)
    here: Mapping[tuple[str, Any], Any] = field(default_factory=dict)

    def learn(self, kind: str, one: Any, other: Any) -> Identities:
        """Take `one` for `other`. Raises ContradictionError where either was taken for something else."""
        if kind == "deployment name":
            return self._learn_name(one, other)
        if kind == "url":
            return self._learn_url(one, other)
        known, back = self.there.get((kind, one), other), self.here.get((kind, other), one)
        if known != other:
            raise ContradictionError(f"{kind} {one} was {known} before, and is {other} now")
        if back != one:
            raise ContradictionError(f"{kind} {other} stood for {back} before, and stands for {one} now")
        return replace(self, there={**self.there, (kind, one): other}, here={**self.here, (kind, other): one})

    def _learn_name(self, one: Any, other: Any) -> Identities:
        ours, theirs = _DEPLOYMENT.fullmatch(str(one)), _DEPLOYMENT.fullmatch(str(other))
        if ours is None or theirs is None or ours[1] != theirs[1]:
            raise ContradictionError(f"the deployment's name is {other}, not like {one}")
        return self.learn("deployment", int(ours[2]), int(theirs[2]))

    def _learn_url(self, one: Any, other: Any) -> Identities:
        ours, theirs = urlsplit(str(one)).path.split("/"), urlsplit(str(other)).path.split("/")
        if len(ours) != len(theirs):
            raise ContradictionError(f"the URL's path is {'/'.join(theirs)}, not like {'/'.join(ours)}")
        learned = self
        for here, there in zip(map(unquote, ours), map(unquote, theirs), strict=True):
            if here != there:
                learned = learned._learn_name(here, there)
        return learned

    def mapped(self, kind: str, one: Any) -> Any:
        """The other side's id for one of ours; ours itself where nothing was learned of it."""
        if kind == "deployment name" and (match := _DEPLOYMENT.fullmatch(str(one))):
            return f"{match[1]}-{self.mapped('deployment', int(match[2]))}"
        return self.there.get((kind, one), one)


def paired(one: Any, other: Any, where: str = "$") -> Iterator[tuple[str, Any, Any]]:
    """The leaves that two JSON values have in common, with their place; array positions are `[]`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one:
            if name in other:
                yield from paired(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        for here, there in zip(one, other, strict=False):
            yield from paired(here, there, f"{where}[]")
    elif not isinstance(one, dict | list) and not isinstance(other, dict | list):
        yield where, one, other


def translated(operation: str, question: Any, identities: Identities) -> Any:
    """A request's JSON with our ids replaced by the other side's."""
    return _translated(question, "$", QUESTIONS.get(operation, {}), identities)


def _translated(value: Any, where: str, kinds: Mapping[str, str], identities: Identities) -> Any:
    if isinstance(value, dict):
        return {name: _translated(item, f"{where}.{name}", kinds, identities) for name, item in value.items()}
    if isinstance(value, list):
        return [_translated(item, f"{where}[]", kinds, identities) for item in value]
    return identities.mapped(kinds[where], value) if where in kinds and value is not None else value


def readdressed(request: Request, base: str, identities: Identities) -> Request:
    """A request sent to another instance: its base URL, and the deployment named in an inference's path mapped."""
    parts = urlsplit(request.url)
    segments = parts.path.split("/")
    if "infer" in segments[:-1]:
        place = segments.index("infer") + 1
        segments[place] = quote(identities.mapped("deployment name", unquote(segments[place])), safe="")
    there, path = urlsplit(base), "/".join(segments)
    path = there.path.rstrip("/") + path[max(0, path.find(_API)) :]
    return replace(request, url=urlunsplit((there.scheme, there.netloc, path, parts.query, "")))
