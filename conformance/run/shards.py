"""A run in shards, each a process or machine of its own: how items are divided, and how shards become one again."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

from conformance.errors import NoVerdictError, UsageError
from conformance.model import Finding
from conformance.redaction import redact_exchange
from conformance.reporting.facts import Facts, of_facts, to_facts
from conformance.reporting.result import plain, said
from conformance.run.baseline import read_result
from conformance.run.runner import Runner
from conformance.run.settings import EMULATED, Settings
from conformance.targets.address import base_url

_FOLDER = Path(__file__).resolve().parent.parent / "suites"
_SHARED = frozenset({"deployments", "running", "served"})
"""Fixtures that are, or lead to, the deployments of one process."""

_DEPLOYING = _SHARED | {"resources"}
"""Fixtures that deploy. On a live target one process alone does, so that a ceiling on deployments is one process's."""


class Distribution(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's scheduling by groups, where ours are read off the items.

    xdist itself carries a group inside the item's id, which pytest 9.2 no longer lets it change: marks are lost.
    """

    live = False

    def _split_scope(self, nodeid: str) -> str:
        together = shares_deployments(nodeid, self.config.rootpath, live=self.live)
        return "deployments" if together else super()._split_scope(nodeid)


def shares_deployments(nodeid: str, root: Path, *, live: bool) -> bool:
    """Whether an item of ours, by its id below `root`, uses deployments that others use; if `live`, or makes any."""
    path, _, name = nodeid.partition("::")
    file = (root / path).resolve()
    fixtures = _DEPLOYING if live else _SHARED
    return file.parent == _FOLDER and bool(fixtures & _parameters(file.stem, name.partition("[")[0]))


@cache
def _parameters(module: str, function: str) -> frozenset[str]:
    found = getattr(import_module(f"conformance.suites.{module}"), function, None)
    return frozenset(inspect.signature(found).parameters) if callable(found) else frozenset()


_ALONE = "deployments"
"""The group of the items that one shard alone may have."""

_ALIKE = ("profile", "seed", "budget", "suites", "only", "strict", "effects", "target")
"""What all shards of a run have in common, of their settings."""

_FILES = ("ca_file", "client_cert", "client_key")


@dataclass(frozen=True)
class Shard:
    """Which part of a run: the `index`-th, from 1, `of` so many."""

    index: int
    of: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """The shard that `I/N` names. Raises UsageError where it names none."""
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.index <= shard.of:
            raise UsageError(f"--shard {text} is no I/N with I from 1 to N; give for instance --shard 2/3.")
        return shard

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def shared_out(settings: Settings) -> Settings:
    """The settings of a shard, with its share of the ceilings on requests and on requests a second.

    One shard alone deploys on a live target, so that the ceilings on deployments are all its own.
    Raises UsageError where the shard is none.
    """
    if not settings.shard:
        return settings
    of = Shard.read(settings.shard).of
    return replace(
        settings,
        max_requests=settings.max_requests and settings.max_requests // of,
        rate=settings.rate and settings.rate / of,
    )


def divide(groups: Sequence[Sequence[str]], seconds: Mapping[str, float], of: int) -> dict[str, int]:
    """The shard, from 1, of each item. The items of one group stay together.

    The dearest group goes first, to the shard that has the least so far. An item that was never measured costs as much
    as the median of those that were. The same arguments give the same division on every machine.
    """
    known = [seconds[item] for group in groups for item in group if item in seconds]
    usual = median(known) if known else 1.0
    cost = {index: sum(seconds.get(item, usual) for item in group) for index, group in enumerate(groups)}
    loads = [0.0] * of
    shards: dict[str, int] = {}
    for index in sorted(cost, key=lambda index: (-cost[index], index)):
        least = loads.index(min(loads))
        loads[least] += cost[index]
        shards.update(dict.fromkeys(groups[index], least + 1))
    return shards


def in_shard(items: Sequence[pytest.Item], settings: Settings) -> tuple[list[pytest.Item], dict[str, Any]]:
    """The items of this shard, and the plan of all shards: its digest and how many items it divides.

    Raises UsageError where there are more shards than can have an item.
    """
    shard, live = Shard.read(settings.shard), settings.kind == "live"
    grouped: dict[str, list[str]] = defaultdict(list)
    for item in items:
        grouped[_ALONE if _stays(item, live=live) else item.nodeid].append(item.nodeid)
    if shard.of > len(grouped):
        most = len(grouped)
        raise UsageError(f"--shard {shard}: only {most} shards can have an item; give at most I/{most}.")
    known = read_result(Path(settings.costs)).get("items", []) if settings.costs else []
    shards = divide(list(grouped.values()), {one["id"]: one["seconds"] for one in known}, shard.of)
    digest = hashlib.sha256(json.dumps(sorted(shards.items())).encode()).hexdigest()
    mine = [item for item in items if shards[item.nodeid] == shard.index]
    return mine, {"digest": digest, "items": len(shards)}


def _stays(item: pytest.Item, *, live: bool) -> bool:
    """Whether an item uses deployments that others use; on a live target, whether it makes any."""
    costs = any(mark.args[0] for mark in item.iter_markers("live_cost"))
    return (live and costs) or shares_deployments(item.nodeid, item.config.rootpath, live=live)


# ---- what a shard's result holds for merging, and what is made of it ------------------------------------------------


def part_of(runner: Runner) -> dict[str, Any]:
    """The key `shard` of a result: what the shard is, and all that it saw, redacted."""
    settings, facts = runner.settings, runner.facts
    shard = Shard.read(settings.shard)
    shown = settings.as_plain()
    kept = {name: shown[name] for name in (*_ALIKE, *_FILES, "emulated_url")}
    target = EMULATED if settings.kind == EMULATED else base_url(settings.target)
    seen = of_facts(replace(facts, broken=[], witnesses={}))
    witnesses = {name: redact_exchange(one) for name, one in facts.witnesses.items()}
    exchanges = of_facts(Facts(broken=list(map(_redacted, facts.broken)), witnesses=witnesses))
    return {
        "index": shard.index,
        "of": shard.of,
        "plan": facts.plan.get("digest", ""),
        "items": facts.plan.get("items", 0),
        "began": runner.began,
        "note": said(runner.note),
        "settings": plain(kept | {"target": target}),
        "facts": plain(seen) | {name: exchanges[name] for name in ("broken", "witnesses")},
    }


def _redacted(finding: Finding) -> Finding:
    evidence = tuple(map(redact_exchange, finding.evidence))
    return replace(finding, expected=said(finding.expected), actual=said(finding.actual), evidence=evidence)


def joined(results: Mapping[str, Mapping[str, Any]]) -> Runner:
    """The shards of one run, by the names of their files, as a runner that has run and can be concluded.

    Raises NoVerdictError, with the name of the shard, where one is missing, there twice, or of another run, and
    UsageError where a file was changed since a shard wrote it.
    """
    _require_whole(results)
    parts: dict[str, dict[str, Any]] = {name: result["shard"] for name, result in results.items()}
    ordered = sorted(parts.items(), key=lambda part: int(part[1]["index"]))
    first = ordered[0][1]
    seen = {name: _facts(name, part) for name, part in ordered}
    runner = Runner(Settings.from_plain({**first["settings"], "run_id": "merged"}))
    runner.began = min(part["began"] for _, part in ordered)
    runner.note = next((part["note"] for _, part in ordered if part["note"]), "")
    runner.drift = next((results[name]["drift"] for name, _ in ordered if "drift" in results[name]), None)
    runner.command = re.sub(r" --shard \S+", "", results[ordered[0][0]].get("command", ""))
    for facts in seen.values():
        for suite in facts.suites.values():
            whole = runner.facts.suite(suite["name"])
            for count in ("items", "failed", "seconds"):
                whole[count] = round(whole.get(count, 0) + suite.get(count, 0), 3)
        runner.facts.add(replace(facts, suites={}))
    return runner


def _facts(name: str, part: Mapping[str, Any]) -> Facts:
    try:
        return to_facts(part["facts"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"What {name} says it saw is not as a shard writes it; run that shard again.") from error


def wall_seconds(results: Mapping[str, Mapping[str, Any]]) -> float:
    """Seconds from the first shard's start to the last one's end."""
    began = [float(result["shard"]["began"]) for result in results.values()]
    ended = [start + float(result["seconds"]) for start, result in zip(began, results.values(), strict=True)]
    return round(max(ended) - min(began), 3)


def _require_whole(results: Mapping[str, Mapping[str, Any]]) -> None:
    by_index: dict[int, str] = {}
    first = ""
    for name, result in results.items():
        if "shard" not in result:
            raise NoVerdictError(f"{name} is the result of no shard: give results of conformance run --shard I/N.")
        first, part = first or name, result["shard"]
        here, there = _identity(results[first]), _identity(result)
        for what, value in here.items():
            if there[what] != value:
                raise NoVerdictError(
                    f"{name} is no shard of the same run as {first}: its {what} is {_shown(there[what])}, "
                    f"and there it is {_shown(value)}."
                )
        if part["index"] in by_index:
            twice = f"Shard {part['index']}/{part['of']} is there twice"
            raise NoVerdictError(f"{twice}, in {by_index[part['index']]} and in {name}: give each shard once.")
        by_index[part["index"]] = name
    of = results[first]["shard"]["of"] if first else 0
    missing = [f"{index}/{of}" for index in range(1, of + 1) if index not in by_index]
    if missing:
        which = f"Shard {missing[0]} is" if len(missing) == 1 else f"The shards {', '.join(missing)} are"
        raise NoVerdictError(f"{which} missing: nothing is known of what should have been seen there.")


def _identity(result: Mapping[str, Any]) -> dict[str, Any]:
    """What two shards of one run have in common, by the name that a person knows it by."""
    part = result["shard"]
    digests = {f"digest of the {name}": value for name, value in result.get("digests", {}).items()}
    return {
        **{name: part["settings"][name] for name in _ALIKE},
        "version": result.get("version", ""),
        **digests,
        "number of shards": part["of"],
        "division of the items (of another --baseline, or other pytest arguments)": part["plan"],
    }


def _shown(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)[:64] or "none"
