"""What this run has made at a target, and what it may have made: a fold over calls, written down as it grows.

Each call that makes or deploys something is noted before it is sent (its *intent*) and after its answer (what it
*made*). Notes are plain: numbers the target gave, and names of ours. They hold no body, no header and no URL.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.api.gateway import is_gateways, is_throttled
from conformance.api.operations import STATUS, UNDEPLOY, Kind, fields_of, given, row_of, split_name
from conformance.model import Exchange, Request

Note = dict[str, Any]

_NUMBERS = (Kind.WORKSPACE, Kind.PIPELINE, Kind.VARIANT)
"""What a call to make something may be about."""

_LONGEST_NAME = 1000


@dataclass(frozen=True)
class Made:
    """A pipeline of ours."""

    pk: int
    name: str
    workspace_id: int | None


@dataclass(frozen=True)
class Deployed:
    """A deployment of ours that may still run. `since` is epoch seconds; `stopping` that it was undeployed."""

    id: int
    deploy_id: str
    pipeline_pk: int | None
    since: float
    stopping: bool = False

    @property
    def name(self) -> str:
        """As status calls it."""
        return f"{self.deploy_id}-{self.id}"


class Holdings:
    """The fold, safe to share between threads. `write` is given each note before `intend` and `learn` return."""

    def __init__(
        self, prefix: str, write: Callable[[Note], None] | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.prefix = prefix
        self.pipelines: dict[int, Made] = {}
        self.workspaces: dict[int, str] = {}
        self.versions: dict[int | str, int] = {}
        self.models: dict[int, str] = {}
        self.deployments: dict[int, Deployed] = {}
        self.ended: set[int] = set()
        self.unanswered: dict[str, Note] = {}
        self.seconds_deployed = 0.0
        self._write, self._clock = write, clock
        self._lock = threading.RLock()
        self._calls = itertools.count(1)

    def intend(self, operation: str | None, request: Request) -> str:
        """Note what a request is about to make; returns the call's name, empty where it makes nothing."""
        row = row_of(operation)
        if not row.makes:
            return ""
        body = fields_of(operation, request)
        call = f"{os.getpid()}-{next(self._calls)}"
        fields = [at.field for at in row.takes if at.kind in _NUMBERS]
        numbers = {key: value for key in fields if is_number(value := body.get(key))}
        note = {"call": call, "intent": row.id, "name": self._ours(body.get(row.named_by)), **numbers}
        if row.starts != row.named_by and body.get(row.starts) is not None:
            note["deploy"] = self._ours(body[row.starts])
        self.note(note)
        return call

    def learn(self, call: str, exchange: Exchange) -> None:
        """Note what came of a call, and what other exchanges say of deployments of ours."""
        if call:
            refused = exchange.response is not None and is_throttled(exchange.response)
            status = None if is_gateways(exchange) and not refused else exchange.status
            self.note({"call": call, "status": status} | _made(exchange))
        elif exchange.operation == UNDEPLOY and exchange.ok:
            question = exchange.question if isinstance(exchange.question, dict) else {}
            self._stopping(question.get("deployment_id"), question.get("pipeline_id"))
        elif exchange.operation == STATUS and exchange.status == 404 and not is_gateways(exchange):
            question = exchange.question if isinstance(exchange.question, dict) else {}
            parts = split_name(question.get("name"))
            known = self.deployments.get(parts[1]) if parts else None
            if known is not None and known.stopping and parts and known.deploy_id == parts[0]:
                self.note({"gone": known.id})

    def note(self, note: Note) -> None:
        """Write a note down, then take it in."""
        note = {"at": round(self._clock(), 3)} | note
        with self._lock:
            if self._write:
                self._write(note)
            self.take(note)

    def take(self, note: Mapping[str, Any]) -> None:
        """Fold one note in, as `note` does or as a journal is read."""
        if "intent" in note:
            self.unanswered[str(note["call"])] = dict(note)
        elif "call" in note:
            self._answered(note)
        elif "adopted" in note:
            self._deployed(Deployed(note["adopted"], note["name"], note["pipeline"], float(note["at"])))
        elif "gone" in note:
            self._gone(note["gone"], float(note["at"]))

    def adopt(self, deployment: Deployed) -> None:
        """Count a deployment whose name shows it to be ours."""
        self.note({"adopted": deployment.id, "name": deployment.deploy_id, "pipeline": deployment.pipeline_pk})

    def minutes_deployed(self) -> float:
        """Minutes that deployments of ours have run, added up."""
        with self._lock:
            now = self._clock()
            return (self.seconds_deployed + sum(now - one.since for one in self.deployments.values())) / 60

    def grows_by(self, operation: str | None, request: Request) -> bool:
        """Whether a request would make a deployment more, as far as is known."""
        row = row_of(operation)
        if not row.starts:
            return False
        body = fields_of(operation, request)
        if row.starts != row.named_by:
            return body.get(row.starts) is not None
        with self._lock:
            return body.get("pipeline_id") not in [one.pipeline_pk for one in self.deployments.values()]

    def maybe_deployed(self) -> list[Note]:
        """Intents to deploy of which nobody knows what came."""
        with self._lock:
            return [note for note in self.unanswered.values() if _deploys(note)]

    def settle(self, call: str) -> None:
        """Note that what came of a call was found out."""
        self.note({"call": call, "status": None, "settled": True})

    def going(self) -> list[str]:
        """Names of what a clean-up has to end, or to look for."""
        looked_for = (note["name"] or note["intent"] for note in self.maybe_deployed())
        return [*(one.name for one in list(self.deployments.values())), *(f"perhaps {name}" for name in looked_for)]

    @property
    def clean(self) -> bool:
        """Whether nothing of ours is deployed, or may be."""
        return not self.deployments and not self.maybe_deployed()

    def _ours(self, name: object) -> str:
        """Only names of ours are kept: whatever else a request holds may be a secret."""
        return name if isinstance(name, str) and name.startswith(self.prefix) and len(name) <= _LONGEST_NAME else ""

    def _answered(self, note: Mapping[str, Any]) -> None:
        intent = self.unanswered.get(str(note["call"]))
        status = note.get("status")
        if intent is None or (not note.get("settled") and (status is None or status >= 500)):
            return  # a gateway that gave up says nothing of what happened behind it
        del self.unanswered[str(note["call"])]
        if isinstance(workspace := note.get("workspace"), int) and intent["name"]:
            self.workspaces[workspace] = intent["name"]
        if isinstance(model := note.get("model"), int) and intent["name"]:
            self.models[model] = intent["name"]
        pk = note.get("pipeline", intent.get("pipeline_id"))
        if "pipeline" in note and intent["name"]:
            self.pipelines[pk] = Made(pk, intent["name"], intent.get("workspace_id"))
            self.versions |= {version: pk for version in (note.get("variant"), note.get("version")) if version}
        if isinstance(new := note.get("deployment"), int):
            deploy_id = intent.get("deploy") or (intent["name"] if row_of(intent["intent"]).deploys_always else "")
            self._deployed(Deployed(new, deploy_id, pk, float(note["at"])))

    def _deployed(self, new: Deployed) -> None:
        known = self.deployments.get(new.id)
        self.deployments[new.id] = replace(known, stopping=False) if known else new

    def _stopping(self, deployment_id: object, pipeline_id: object) -> None:
        with self._lock:
            for one in list(self.deployments.values()):
                if one.id == deployment_id or (deployment_id is None and one.pipeline_pk == pipeline_id):
                    self.deployments[one.id] = replace(one, stopping=True)

    def _gone(self, deployment_id: int, at: float) -> None:
        known = self.deployments.pop(deployment_id, None)
        self.ended.add(deployment_id)
        if known is not None:
            self.seconds_deployed += max(0.0, at - known.since)


def _deploys(note: Mapping[str, Any]) -> bool:
    return row_of(note["intent"]).deploys_always or "deploy" in note


def _made(exchange: Exchange) -> Note:
    """The numbers that a success names, by what they are of."""
    return {
        at.kind: value
        for at, _, value in given(exchange)
        if is_number(value)
        or (at.kind is Kind.VERSION and isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F-]{36}", value))
    }


def deployment_in(label: str, prefix: str, pipeline_pk: int | None, at: float) -> Deployed | None:
    """The deployment that a name or a segment of a URL speaks of, None where it is not one of ours."""
    parts = split_name(label)
    if parts is None or not parts[0].startswith(prefix):
        return None
    return Deployed(parts[1], parts[0], pipeline_pk, at)


def is_number(value: object) -> bool:
    """Whether a value is an id as the API gives them."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
