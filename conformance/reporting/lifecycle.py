"""The lifecycle as figures: deployments as lanes over time, inference latencies as dots; the page draws them."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from conformance.model import Exchange

_WIDTH, _RIGHT = 1000, 16
_LANE, _TOP = 24, 22
_NAMES, _TICKS = 190, 64
"""Widths left of the two charts, for names and for numbers."""

_FLOOR = 168
_LANES = 40
_DOTS = 2_000
_WATCHED = 2.0
"""Seconds between two looks at a deployment within which a change counts as watched, and its time as measured."""


@dataclass
class Lane:
    """One deployment: spans of `(stage, from, to)` in seconds, inferences as `(at, seconds, status)`.

    Times to Running and to gone are seconds, None where the change did not come or was not watched.
    """

    name: str
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    inferences: list[tuple[float, float, str]] = field(default_factory=list)
    to_running: float | None = None
    to_gone: float | None = None


def drawn(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the page shows of a result's `timeline`, None where there is nothing to draw."""
    lanes = lanes_of(events)
    if not lanes:
        return None
    end = max(float(event["at"]) + float(event.get("seconds", 0)) for event in events) or 1.0
    dots = [dot for lane in lanes for dot in lane.inferences]
    left_out = f"{len(lanes) - _LANES} more deployments are not drawn." if len(lanes) > _LANES else ""
    return {
        "tiles": list(_tiles(lanes)),
        "lanes": _lanes(lanes[:_LANES], end),
        "latencies": _latencies(sorted(dots)[:_DOTS], end) if dots else None,
        "left_out": left_out,
    }


def lanes_of(events: Iterable[Mapping[str, Any]]) -> list[Lane]:
    """Deployments in the order in which they were deployed first."""
    lanes: dict[str, Lane] = {}
    stage: dict[str, tuple[str, float]] = {}
    end = 0.0
    for event in events:
        name, at, word = str(event["deployment"]), float(event["at"]), str(event.get("status", ""))
        end = max(end, at)
        if event["event"] == "deploy" and name not in lanes:
            lanes[name], stage[name] = Lane(name), ("starting", at)
        lane = lanes.get(name)
        if lane is None:
            continue
        if event["event"] == "infer":
            lane.inferences.append((at, float(event.get("seconds", 0)), word))
        elif turned := _turn(str(event["event"]), word, stage[name][0]):
            _enter(lane, stage, turned, at, watched=float(event.get("gap", 0)) <= _WATCHED)
    for name, (current, since) in stage.items():
        if current != "gone" and end > since:
            lanes[name].spans.append((current, since, end))
    return list(lanes.values())


def _turn(event: str, word: str, current: str) -> str:
    """The stage that an event leads into, empty where it leads into none."""
    if event == "undeploy" and current != "gone":
        return "stopping"
    if event == "status":
        if word == "Running" and current in ("starting", "error"):
            return "running"
        if word == "404" and current == "stopping":
            return "gone"
        if word == "Error" and current in ("starting", "running"):
            return "error"
    return "starting" if event == "deploy" and current == "gone" else ""


def _enter(lane: Lane, stage: dict[str, tuple[str, float]], turned: str, at: float, *, watched: bool) -> None:
    current, since = stage[lane.name]
    if current != "gone":
        lane.spans.append((current, since, at))
    if watched and (current, turned) == ("starting", "running") and lane.to_running is None:
        lane.to_running = at - since
    if watched and (current, turned) == ("stopping", "gone") and lane.to_gone is None:
        lane.to_gone = at - since
    stage[lane.name] = (turned, at)


def _tiles(lanes: Sequence[Lane]) -> Iterator[dict[str, str]]:
    ran = [lane.to_running for lane in lanes if lane.to_running is not None]
    gone = [lane.to_gone for lane in lanes if lane.to_gone is not None]
    took = [seconds for lane in lanes for _, seconds, status in lane.inferences if status == "200"]
    yield {"name": "Deployments", "value": str(len(lanes)), "more": f"{len(ran)} timed to Running, {len(gone)} to gone"}
    for name, values in (("Time to Running", ran), ("Time to gone", gone)):
        if values:
            yield {
                "name": name,
                "value": duration(statistics.median(values)),
                "more": f"median; longest {duration(max(values))}",
            }
    if took:
        late = sorted(took)[min(len(took) - 1, math.ceil(0.95 * len(took)) - 1)]
        more = f"median of {len(took)}; 95 % within {duration(late)}"
        yield {"name": "Inference latency", "value": duration(statistics.median(took)), "more": more}


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    value, unit = (seconds * 1000, "ms") if seconds < 0.0995 else (seconds, "s")
    digits = (1 if value < 9.95 else 0) if unit == "ms" else (2 if value < 9.995 else 0)
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}{unit}"


@dataclass(frozen=True)
class _Scale:
    """Seconds to a horizontal position."""

    left: float
    end: float

    def x(self, seconds: float) -> float:
        return round(self.left + seconds / self.end * (_WIDTH - self.left - _RIGHT), 2)

    def marks(self) -> list[dict[str, Any]]:
        step = next(size for size in _steps(self.end) if self.end / size <= 8)
        return [{"x": self.x(step * n), "label": f"{step * n:g} s"} for n in range(int(self.end / step) + 1)]


def _steps(end: float) -> Iterator[float]:
    power = math.floor(math.log10(end)) - 1
    while True:
        yield from (round(base * 10**power, 9) for base in (1, 2, 5))
        power += 1


def _lanes(lanes: Sequence[Lane], end: float) -> dict[str, Any]:
    scale = _Scale(_NAMES, end)
    height = _TOP + _LANE * len(lanes) + 4
    drawn_lanes = [_lane(lane, _TOP + _LANE * index + 4, scale) for index, lane in enumerate(lanes)]
    return {"width": _WIDTH, "height": height, "left": _NAMES, "right": _WIDTH - _RIGHT, "top": _TOP - 4,
            "floor": height - 4, "marks": scale.marks(), "lanes": drawn_lanes}  # fmt: skip


def _lane(lane: Lane, y: float, scale: _Scale) -> dict[str, Any]:
    spans = [
        {
            "stage": stage,
            "x": scale.x(since),
            "width": max(1.5, round(scale.x(until) - scale.x(since), 2)),
            "title": f"{stage}, {duration(until - since)}",
        }
        for stage, since, until in lane.spans
    ]
    dots = [
        {"x": scale.x(at), "title": f"inference, {status}, {duration(s)}"} for at, s, status in lane.inferences[:_DOTS]
    ]
    short = lane.name if len(lane.name) <= 26 else f"{lane.name[:11]}…{lane.name[-14:]}"
    return {"name": lane.name, "short": short, "y": y, "spans": spans, "dots": dots}


def _latencies(inferences: Sequence[tuple[float, float, str]], end: float) -> dict[str, Any]:
    scale = _Scale(_TICKS, end)
    values = [max(seconds, 1e-4) for _, seconds, _ in inferences]
    y, ticks = _logarithmic(min(values), max(values))
    dots = [
        {"x": scale.x(at), "y": y(s), "refused": status != "200", "title": f"{status}, {duration(s)}"}
        for at, s, status in inferences
    ]
    answered = [max(seconds, 1e-4) for _, seconds, status in inferences if status == "200"]
    median = statistics.median(answered or values)
    drawn_ticks = [{"y": y(tick), "label": duration(tick)} for tick in ticks]
    return {"width": _WIDTH, "height": _FLOOR + 12, "left": _TICKS, "right": _WIDTH - _RIGHT, "top": _TOP - 4,
            "floor": _FLOOR, "marks": scale.marks(), "ticks": drawn_ticks, "dots": dots,
            "median": {"y": y(median), "label": f"median {duration(median)}"}}  # fmt: skip


def _logarithmic(least: float, most: float) -> tuple[Callable[[float], float], list[float]]:
    """Seconds to a height, and the powers of ten that enclose them."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most * 1.001))

    def y(seconds: float) -> float:
        share = (math.log10(max(seconds, 10.0**low)) - low) / (high - low)
        return round(_FLOOR - share * (_FLOOR - 30), 2)

    return y, [10.0**power for power in range(low, high + 1)]


_INFER = re.compile(r"/pipelines/infer/([^/]+)/")

Event = dict[str, Any]
"""`event` (deploy, status, infer, undeploy), `deployment` (its name, as status calls it; for undeploy its id), `at`
(seconds on the exchange's clock), `seconds` (how long the answer took), `status` (what came)."""


def event_of(exchange: Exchange) -> Event | None:
    """The event an exchange is, None where it says nothing of a deployment or its time is unknown."""
    if exchange.started is None or exchange.response is None:
        return None
    kind, name = _named(exchange)
    if not name:
        return None
    event: Event = {"event": kind, "deployment": name, "at": exchange.started, "status": str(exchange.status)}
    if exchange.ended is not None:
        event["seconds"] = round(exchange.ended - exchange.started, 6)
    if kind == "status" and exchange.ok and isinstance(exchange.answer, dict):
        event["status"] = str(exchange.answer.get("status"))
    return event


def _named(exchange: Exchange) -> tuple[str, str]:
    question = exchange.question if isinstance(exchange.question, dict) else {}
    answer = exchange.answer if isinstance(exchange.answer, dict) else {}
    match exchange.operation:
        case "pipelines.deploy" if exchange.ok:
            return "deploy", f"{question.get('deploy_id')}-{answer.get('id')}"
        case "status.get-deployment" if exchange.ok or exchange.status == 404:
            return "status", str(question.get("name", ""))
        case "pipelines.undeploy" if exchange.ok and question.get("deployment_id") is not None:
            return "undeploy", str(question["deployment_id"])
        case "pipelines.infer" if match := _INFER.search(exchange.request.path):
            return "infer", unquote(match[1])
    return "", ""


def condensed(events: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Events in order of time, counted from the first, of deployments that were seen to be deployed.

    Polls that repeat what the one before said are left out, and undeployments get their deployment's name. `gap` is the
    seconds since the deployment was last looked at: what a status tells came about within them.
    """
    ordered = sorted((dict(event) for event in events if "at" in event), key=lambda event: float(event["at"]))
    origin = ordered[0]["at"] if ordered else 0.0
    names = {
        event["deployment"].rpartition("-")[2]: event["deployment"] for event in ordered if event["event"] == "deploy"
    }
    last: dict[str, str] = {}
    seen: dict[str, float] = {}
    kept = []
    for event in ordered:
        event["at"] = round(event["at"] - origin, 6)
        if event["event"] == "undeploy":
            event["deployment"] = names.get(event["deployment"], event["deployment"])
        if event["deployment"] not in names.values():
            continue
        name, is_status = event["deployment"], event["event"] == "status"
        repeated = is_status and last.get(name) == event["status"]
        if is_status:
            last[name] = event["status"]
            event["gap"] = round(event["at"] - seen.get(name, event["at"]), 6)
        if event["event"] != "infer":
            seen[name] = event["at"]
        if not repeated:
            kept.append(event)
    return kept
