"""Which release an instance speaks: from a few requests that only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.model import Request
from conformance.spec.document import profiles
from conformance.targets.target import Target

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
            return "the evidence contradicts itself"
        if not telling:
            return "nothing that was asked tells the releases apart"
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
        return Evidence(f"GET {path}", "405: there is such an operation", having)
    if status == 404:
        return Evidence(f"GET {path}", "404: there is no such operation", frozenset(profiles()) - having)
    return Evidence(f"GET {path}", f"{status or 'no answer'}: says nothing", frozenset(profiles()))


def _described(target: Target) -> Evidence:
    answer = target.send(Request("GET", _DESCRIPTION)).answer
    info = answer.get("info") if isinstance(answer, Mapping) else None
    version = str(info.get("version", "")) if isinstance(info, Mapping) else ""
    named = frozenset(name for name in profiles() if version == name or version.startswith(f"{name}."))
    came = f"a description of version {version[:40]}" if version else "no description"
    return Evidence(f"GET {_DESCRIPTION}", came, named or frozenset(profiles()))
