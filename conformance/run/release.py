"""Whether an instance speaks of another release than it is judged as: by its description, or by its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.drift.sources.collection import Source, comparison_of, release_source
from conformance.errors import UsageError
from conformance.model import Request
from conformance.spec.document import Document, profiles
from conformance.spec.requirements import load
from conformance.targets.target import Target

_FEWEST_OPERATIONS = 2
"""Operations that break together before their answers are taken for another release's: one alone may be a defect."""


def served_as_another(profile: str, title: str, served: Mapping[str, Any]) -> str:
    """A sentence where a served description breaks with the profile's and not with another release's; else empty."""
    fits: dict[str, list[str]] = {}
    for other in _others(profile):
        try:
            apart = comparison_of(release_source(other), Source(title, dict(served)))
        except UsageError:
            continue
        fits.setdefault(apart.verdict, []).append(other)
    # The release that says the same, else the newest that it does not break with.
    other = next(iter([*fits.get("none", []), *reversed(fits.get("non-breaking", []))]), "")
    if not other or fits.get("breaking", []) == _others(profile):
        return ""
    return (
        f"The description that this instance serves matches release {other}, but the run judges it as {profile}. "
        f"If the instance runs {other}, use --profile {other}."
    )


def answers_as_another(profile: str, broken: Collection[str]) -> str:
    """A sentence where all that gates and is broken is what another release does otherwise; else empty.

    `broken` holds requirement ids.
    """
    rows = load(profile).by_id
    operations = {rows[name].operation for name in broken if name in rows}
    lacking = {other: sum(name not in load(other) for name in broken) for other in _others(profile)}
    # The release that lacks most of what is broken; of several the newest.
    for other in sorted(lacking, key=lambda name: (lacking[name], name), reverse=True):
        if lacking[other] and len(operations) >= _FEWEST_OPERATIONS and operations <= set(_changed(profile, other)):
            return (
                f"Every broken requirement concerns operations that release {other} changed, but the run judges the "
                f"instance as {profile}. If the instance runs {other}, use --profile {other}."
            )
    return ""


def _others(profile: str) -> list[str]:
    return [name for name in profiles() if name != profile]


def _changed(profile: str, other: str) -> Iterator[str]:
    """Operations that two releases describe in different ways, or promise different things of."""
    base, revision = Document.load(profile), Document.load(other)
    for operation in base.operations:
        promised = {row.id for row in load(profile).rows if row.operation == operation.id}
        there = {row.id for row in load(other).rows if row.operation == operation.id}
        if promised != there or _whole(base, operation.id) != _whole(revision, operation.id):
            yield operation.id


def _whole(document: Document, operation: str) -> Any:
    """What a document says of an operation, its references followed two levels deep; None where it has none."""
    return _followed(document, document.definition(operation), 6) if document.has(operation) else None


def _followed(document: Document, value: Any, depth: int) -> Any:
    if depth and isinstance(value, Mapping):
        plain = document.resolved(value)
        return {key: _followed(document, item, depth - 1 if "$ref" in value else depth) for key, item in plain.items()}
    return [_followed(document, item, depth) for item in value] if isinstance(value, list) else value


_DESCRIPTION = "/v1/api/openapi.json"

_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("/v1/api/pipelines/copy", "", "2023.4"),
    ("/v1/api/pipelines/list_pipelines", "2024.4", ""),
    ("/v1/api/models/get_upload_logs", "2025.2", ""),
    ("/v1/api/pipelines/get_pipeline_by_name", "2026.1", ""),
)
"""A path, the first release that has it and the last, as the generated clients of the releases' SDKs show them.

All are asked by POST, so that a GET changes nothing: 405 says that there is such an operation, 404 that there is none.
`pipelines/list_edges_by_publish_id` came with 2025.1 alone; it is asked where the others leave 2024.4 and 2025.1.
"""

_BETWEEN = ("/v1/api/pipelines/list_edges_by_publish_id", "2025.1", "")
MOST_REQUESTS = 5


@dataclass(frozen=True)
class Evidence:
    """One request that read, what came, and the releases that answer so."""

    request: str
    came: str
    fits: frozenset[str]


@dataclass(frozen=True)
class Identified:
    """The releases that all the evidence fits, the likeliest reading of it, and the evidence itself."""

    releases: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def sure(self) -> str:
        """How sure it is, in words."""
        telling = [one for one in self.evidence if len(one.fits) < len(profiles())]
        if not self.releases:
            return "the answers contradict each other"
        if not telling:
            return "no answer distinguishes the releases"
        return "sure" if len(self.releases) == 1 else f"one of {len(self.releases)}"


def identify(target: Target) -> Identified:
    """Ask an instance which operations it has, and read the release off that; at most five requests, all of which read.

    Raises what sending raises.
    """
    evidence = [_route(target, *route) for route in _ROUTES]
    fits = _all(evidence)
    if {"2024.4", "2025.1"} <= fits or not fits:
        evidence.append(_route(target, *_BETWEEN) if fits else _described(target))
    elif len(fits) > 1:
        evidence.append(_described(target))
    fits = _all(evidence)
    return Identified(tuple(name for name in profiles() if name in fits), tuple(evidence))


def _all(evidence: list[Evidence]) -> frozenset[str]:
    return frozenset(profiles()).intersection(*(one.fits for one in evidence))


def _route(target: Target, path: str, first: str, last: str) -> Evidence:
    status = target.send(Request("GET", path)).status
    having = frozenset(name for name in profiles() if (not first or first <= name) and (not last or name <= last))
    if status == 405:
        return Evidence(f"GET {path}", "405: the operation exists", having)
    if status == 404:
        return Evidence(f"GET {path}", "404: the operation does not exist", frozenset(profiles()) - having)
    return Evidence(f"GET {path}", f"{status or 'no answer'}: tells nothing", frozenset(profiles()))


def _described(target: Target) -> Evidence:
    answer = target.send(Request("GET", _DESCRIPTION)).answer
    info = answer.get("info") if isinstance(answer, Mapping) else None
    version = str(info.get("version", "")) if isinstance(info, Mapping) else ""
    named = frozenset(name for name in profiles() if version == name or version.startswith(f"{name}."))
    came = f"a description of version {version[:40]}" if version else "no description"
    return Evidence(f"GET {_DESCRIPTION}", came, named or frozenset(profiles()))
