"""Replays recordings into an instance, in order, and certifies which recorded behaviours it reproduces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.model import Exchange, Request
from conformance.recording.recording import Recording
from tests.oracles.comparison import Aspect, Difference, compare
from tests.oracles.identities import Identities, readdressed, translated

PATIENCE_SECONDS = 10.0
"""How long a deployment may take to reach the status that was recorded."""

_DEPENDS_ON_WHEN = ("status.get-deployment",)


@dataclass(frozen=True)
class Reproduction:
    """A recording, what the instance answered to the same request, and how the two answers differ."""

    recording: Recording
    observed: Exchange
    differences: tuple[Difference, ...]

    def agrees(self, aspect: Aspect) -> bool | None:
        """Whether the answers agree in an aspect; None where the recording does not hold it."""
        response = self.recording.exchange.response
        if response is None or (aspect is Aspect.MEDIA_TYPE and not response.headers_known):
            return None
        if aspect not in (Aspect.STATUS, Aspect.MEDIA_TYPE) and not response.body_known:
            return None
        return not any(difference.aspect is aspect for difference in self.differences)


def reproduce(
    recordings: Iterable[Recording], send: Callable[[Request], Exchange], base: str, identities: Identities
) -> tuple[Reproduction, ...]:
    """Send every recording's request to the instance at `base`, ids mapped, and compare the answers.

    `identities` says what the recorded models and workspaces are there; the rest is learned along the way. A status is
    asked for again until it is the recorded one, for PATIENCE_SECONDS at most: it depends on when one asks.
    """
    made: list[Reproduction] = []
    for recording in recordings:
        request = _request(recording.exchange, base, identities)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            observed = send(request)
            differences, learned = compare(recording.exchange, observed, identities)
            waits = recording.exchange.operation in _DEPENDS_ON_WHEN and bool(differences)
            if not waits or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        identities = learned
        made.append(Reproduction(recording, observed, differences))
    return tuple(made)


def _request(exchange: Exchange, base: str, identities: Identities) -> Request:
    request = readdressed(exchange.request, base, identities)
    fields = [(name, value) for name, value in request.headers.fields if name.lower() not in ("authorization", "host")]
    request = replace(request, headers=type(request.headers)(fields))
    if not request.is_json:
        return request
    question = translated(exchange.operation or "", request.json, identities)
    return replace(request, body=json.dumps(question).encode())


def certificate(reproductions: Sequence[Reproduction], reached: Iterable[tuple[str, int]]) -> str:
    """The certificate as Markdown: which recorded behaviours are reproduced, and what is our own decision.

    `reached` are the (operation, status) pairs that the instance is known to answer with; those that no recording
    shows rest on other sources, or are decisions of ours.
    """
    rows = [_row(reproduction) for reproduction in reproductions]
    shown = {(r.recording.exchange.operation, r.recording.exchange.status) for r in reproductions}
    decided: dict[str, list[int]] = {}
    for operation, status in sorted(set(reached) - shown):
        decided.setdefault(operation, []).append(status)
    lines = [
        "| recording | status | media type | shape | values | what it shows |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "Answers of the emulated instance that no recording here shows. Each rests on the source that its",
        "requirements name, or is decided by us (`conformance explain` says which):",
        "",
        *(f"- `{operation}`: {', '.join(map(str, statuses))}" for operation, statuses in decided.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(reproduction: Reproduction) -> str:
    recording = reproduction.recording
    inferred = bool(recording.status_source)
    cells: list[Any] = [
        _cell(reproduction.agrees(Aspect.STATUS), "agrees (inferred)" if inferred else "agrees"),
        _cell(reproduction.agrees(Aspect.MEDIA_TYPE), "agrees"),
        _cell(reproduction.agrees(Aspect.SHAPE), "agrees"),
        _cell(_both(reproduction.agrees(Aspect.VALUE), reproduction.agrees(Aspect.IDENTITY)), "agree"),
    ]
    name = f"{recording.exchange.operation}/{recording.name.rpartition('/')[2].removesuffix('.json')}"
    return f"| `{name}` | {' | '.join(cells)} | {recording.about} |"


def _both(one: bool | None, other: bool | None) -> bool | None:
    return None if one is None or other is None else one and other


def _cell(agrees: bool | None, word: str) -> str:
    return "not recorded" if agrees is None else word if agrees else "**differs**"
