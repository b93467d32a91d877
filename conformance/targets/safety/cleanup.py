"""Leaving nothing behind: undeploying what a run deployed, or may have deployed, and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from conformance.api.client import PipelineClient
from conformance.api.gateway import is_gateways
from conformance.api.operations import Kind, row_of
from conformance.errors import NoVerdictError, SuiteError
from conformance.model import Exchange, Intent, Label, Request
from conformance.targets.safety.holdings import Deployed, Holdings, Note, deployment_in
from conformance.targets.target import Target
from conformance.targets.waits import awaiting

_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ATTEMPTS = 3
_SETTLING_SECONDS = 2.0
"""A deploy whose sender died may still be carried out: it is looked for again after this long."""


@dataclass(frozen=True)
class Cleaned:
    """What a clean-up ended, and what it could not: each as a phrase with the reason."""

    ended: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is left, for a person; empty where nothing is."""
        return f"Still deployed, please undeploy by hand: {'; '.join(self.left)}." if self.left else ""


def clean(target: Target, holdings: Holdings, seconds: float) -> Cleaned:
    """Undeploy all that the holdings say is up or may be, and wait up to `seconds` until it is gone. Safe to repeat.

    Never raises for what the target does: what cannot be ended is told of.
    """
    with awaiting("what this run deployed to be gone", seconds):
        return _Cleaner(target, holdings, seconds).run()


class _Cleaner:
    def __init__(self, target: Target, holdings: Holdings, seconds: float) -> None:
        self._holdings, self._seconds = holdings, seconds
        self._target = target
        self._deadline = time.monotonic() + seconds
        self._client = PipelineClient(self._send)
        self._left: dict[str, str] = {}
        self._ended: list[str] = []

    def run(self) -> Cleaned:
        try:
            for note in self._holdings.maybe_deployed():
                self._find(note)
            waiting = [one for one in list(self._holdings.deployments.values()) if self._undeploy(one)]
            self._until_gone(waiting)
        except KeyboardInterrupt:
            for one in self._holdings.deployments.values():
                self._left.setdefault(one.name, "clean-up was interrupted")
        except SuiteError as error:
            for one in self._holdings.deployments.values():
                self._left.setdefault(one.name, str(error).rstrip("."))
            for note in self._holdings.maybe_deployed():
                self._left.setdefault(f"perhaps {note['name'] or note['intent']}", str(error).rstrip("."))
        return Cleaned(tuple(self._ended), tuple(f"{name} ({why})" for name, why in self._left.items()))

    def _send(self, request: Request, *, intent: Intent = "", labels: frozenset[Label] = frozenset()) -> Exchange:
        """Send, again where no answer came: a connection that was lost may be back."""
        for attempt in range(_ATTEMPTS):
            if time.monotonic() > self._deadline:
                raise NoVerdictError(f"the clean-up took longer than {self._seconds:g} s")
            exchange = self._target.send(request)
            if exchange.response is not None and exchange.status not in (502, 503, 504) and not is_gateways(exchange):
                return exchange
            time.sleep(min(0.5 * 2**attempt, max(0.0, self._deadline - time.monotonic())))
        raise NoVerdictError(exchange.failure or f"the target answers {exchange.status}")

    def _find(self, note: Note) -> None:
        """Look for what a deploy made whose answer never came, by its pipeline's name; the look-up changes nothing."""
        pk = note.get("pipeline_id", self._holdings.versions.get(note.get("pipeline_version_pk_id", "")))
        known = self._holdings.pipelines.get(pk) if pk is not None else None
        name = known.name if known else note["name"] if row_of(note["intent"]).gives_a(Kind.PIPELINE) else ""
        workspace_id = known.workspace_id if known else note.get("workspace_id")
        if not name or workspace_id is None:
            self._holdings.settle(note["call"])  # it named no pipeline of ours, and was refused by whoever got it
            return
        young = time.time() - float(note["at"]) < 10 * _SETTLING_SECONDS
        for again in (True, False) if young else (False,):
            answered = self._client.external_url(workspace_id, name).exchange
            found = self._deployment(answered, pk)
            if found is not None:
                self._holdings.adopt(found)
                break
            if known is not None:
                # Harmless where nothing is deployed (documented).
                answered = self._client.undeploy(pipeline_id=known.pk).exchange
            if again:
                time.sleep(_SETTLING_SECONDS)
        if found is None and (answered.status or 500) >= 500:
            self._left[f"perhaps {name}"] = f"looking for it was answered by status {answered.status}"
            return
        self._holdings.settle(note["call"])

    def _deployment(self, exchange: Exchange, pk: int | None) -> Deployed | None:
        """The deployment that an external URL leads to, where its name shows it to be ours."""
        url = exchange.answer.get("url") if exchange.ok and isinstance(exchange.answer, dict) else None
        try:
            segments = urlsplit(url).path.rstrip("/").split("/") if isinstance(url, str) else []
        except ValueError:
            return None
        label = unquote(segments[-2]) if len(segments) > 1 else ""
        return deployment_in(label, self._holdings.prefix, pk, time.time())

    def _undeploy(self, one: Deployed) -> bool:
        """Ask for its end, by both ids first: they must belong together, so nothing else can be meant."""
        forms = [{"pipeline_id": one.pipeline_pk, "deployment_id": one.id}]
        if one.pipeline_pk is not None:
            forms += [{"pipeline_id": one.pipeline_pk}, {"deployment_id": one.id}]
        if one.stopping:
            return True
        for form in forms:
            reply = self._client.undeploy(**form)
            if reply.ok:
                return True
        if self._client.deployment_status(one.name).status == 404:
            return self._gone(one)
        self._left[one.name] = f"its undeploy was answered by status {reply.status}"
        return False

    def _until_gone(self, waiting: list[Deployed]) -> None:
        pause = _PAUSE
        while waiting:
            waiting = [one for one in waiting if one.id in self._holdings.deployments and not self._is_gone(one)]
            if waiting and time.monotonic() > self._deadline - pause:
                for one in waiting:
                    self._left[one.name] = f"not gone {self._seconds:g} s after its undeploy"
                return
            if waiting:
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _is_gone(self, one: Deployed) -> bool:
        return self._client.deployment_status(one.name).status == 404 and not self._gone(one)

    def _gone(self, one: Deployed) -> bool:
        """Note the end; False, as there is nothing left to wait for."""
        if one.id in self._holdings.deployments:
            self._holdings.note({"gone": one.id})
        self._ended.append(one.name)
        return False
