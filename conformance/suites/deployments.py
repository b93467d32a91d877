"""The deployments of the lifecycle as they are carried out: started at once, awaited in turn, ended together.

Waiting is shared. The first item that needs one starts every deployment that the collected items will need; they are
then awaited in turn, and at the end all are undeployed before the first is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from conformance.api.client import ApiError, ModelReference, PipelineVersionCreated, infer_path
from conformance.model import Exchange, Mark
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.plan import PLAN, Planned, Running, Setup
from conformance.suites.waiting import until_gone, until_routed, until_running, until_shown
from conformance.targets.safety.guard import RefusedError


class Deployments:
    """The plan being carried out. `wanted` are the keys that the collected items need."""

    def __init__(self, session: Session, setup: Setup, settings: Settings, wanted: Iterable[str]) -> None:
        self._session, self._ground = session, setup
        self._plan = {
            planned.key: planned
            for planned in PLAN
            if (planned.live or settings.kind != "live") and (setup.copies or not planned.copying)
        }
        self._wanted = [key for key in self._plan if key in set(wanted)]
        self._started: dict[str, Running | ApiError | RefusedError] = {}
        self._since: dict[str, float] = {}
        self._running: dict[str, Running | ApiError] = {}
        self._ended: dict[str, float] = {}
        self._refused: dict[str, Exchange] = {}
        self._gone: set[str] = set()

    @property
    def copies(self) -> bool:
        """Whether some of the deployments are of copies."""
        return self._ground.copies

    def has(self, key: str) -> bool:
        """Whether this target is asked for that deployment."""
        return key in self._plan

    def started(self, key: str) -> Running:
        """A deployment, as soon as it is asked for. Raises ApiError where the target did not make it."""
        if key not in self._plan:
            raise KeyError(f"{key} is no deployment of this target's plan")
        keys = (one for each in (key, *self._wanted) for one in (self._plan[each].after, each) if one)
        for each in dict.fromkeys(keys):
            if each not in self._started:
                self._started[each] = self._made(self._plan[each])
                self._since[each] = time.monotonic()
        return _or_raised(self._started[key])

    def begin(self) -> None:
        """Ask for every deployment that is wanted, and wait for none. What is not made, those who need it are told."""
        for key in self._wanted[:1]:
            with suppress(ApiError, RefusedError):
                self.started(key)

    def _made(self, planned: Planned) -> Running | ApiError | RefusedError:
        """What came of it, which is final: to make it once more would find its names taken."""
        before = self._started.get(planned.after)
        if isinstance(before, ApiError):
            return before
        try:
            return planned.make(self._ground)
        except (ApiError, RefusedError) as error:
            return error

    def running(self, key: str) -> Running:
        """A deployment that serves, with its external URL; deployed again where it was undeployed before.

        It has the time it may take since it was asked for. Raises ApiError where it does not come to run, at once
        where it was waited for before.
        """
        if key in self._ended:
            return self.again(key)
        if key not in self._running:
            made = self.started(key)
            try:
                until_running(self._ground.client, made.name, self._session.wait_budget, self._since[key])
                self._running[key] = self._routed(replace(made, url=self._url(made)))
            except ApiError as error:
                self._running[key] = error
        return _or_raised(self._running[key])

    def _url(self, made: Running) -> str:
        """Where to infer: where the target says, unless that is of another deployment, which its row tells of.

        Where our token may not go there, the target is asked under its own address, and the verdict says so.
        """
        url = self._ground.client.external_url(self._ground.workspace_id, made.pipeline_name).value
        path = infer_path(made.name, made.pipeline_name)
        if not url.endswith(path):
            return path
        refusal = getattr(self._session.target, "refusal", lambda url: "")(url)
        if refusal:
            self._asked_instead(url.removesuffix(path), refusal)
        return path if refusal else url

    def _asked_instead(self, there: str, why: str) -> None:
        here = self._session.target.url
        self._session.note(f"Inference was not asked at {there}, where the external URL leads, but at {here}: {why}")

    def _routed(self, running: Running) -> Running:
        """The deployment once it can be asked. What cannot, the rows of inference tell of."""
        setup, path = self._ground, infer_path(running.name, running.pipeline_name)
        row, budget = setup.model.tutorial_row(), self._session.wait_budget
        reply = until_routed(setup.client, running.url, setup.model.column, row, budget)
        if running.url == path:
            return running
        handed_out, other = running, replace(running, url=path)
        if reply.exchange.response is None:
            self._asked_instead(running.url.removesuffix(path), f"{reply.exchange.failure}.")
            running = other
        if not reply.ok and until_routed(setup.client, path, setup.model.column, row, budget).ok:
            running = other
        if reply.exchange.response is not None and (reply.ok or running is other):
            setup.client.meaning("", Mark.HANDED_OUT).infer(handed_out.url, setup.model.column, [row])
        return running

    def lost(self, key: str, exchange: Exchange) -> None:
        """A deployment that a refused request has ended, or spoilt, which its row tells of: nothing more is asked."""
        self._running[key] = ApiError("The deployment stopped serving after a request was refused.", exchange)

    def end(self, key: str) -> None:
        """Ask for the end of a deployment that was started, in the way planned for it; waits for nothing.

        Where that is refused, which its row tells of, it goes on.
        """
        made = self._started.get(key)
        if isinstance(made, Running) and key not in self._ended:
            reply = self._plan[key].undeploy(self._ground.client, made)
            if reply.ok:
                self._ended[key] = time.monotonic()
            else:
                self._refused[key] = reply.exchange

    def ended(self, key: str) -> None:
        """Undeploy one deployment alone, and wait until it is gone. Raises ApiError where it is not."""
        self.end(key)
        made = _or_raised(self._started[key])
        if key in self._ended and key not in self._gone:
            until_gone(self._ground.client, made.name, self._session.wait_budget, self._ended[key])
            self._gone.add(key)

    def gone(self, key: str, *, but: str = "") -> Running:
        """A deployment that ran, was undeployed and is gone; with it all others `but` one, so that their waits are one.

        Raises ApiError where its undeploy is refused, or never comes to an end.
        """
        running = self._running.get(key)
        if key not in self._gone:
            running = self.running(key)
            for each in self._started:
                if each != but:
                    self.end(each)
            for each in [each for each in self._started if each in self._ended and each not in self._gone]:
                self.ended(each)
        if key not in self._gone:
            raise ApiError("A deployment could not be undeployed.", self._refused[key])
        assert isinstance(running, Running)
        return running

    def again(self, key: str) -> Running:
        """A deployment that was gone, deployed a second time and serving; all others are undeployed meanwhile.

        Raises ApiError where that fails.
        """
        before = self.gone(key)
        name = before.name.rpartition("-")[0]
        promising = self._ground.promising("takes-what-was-undeployed")
        made = promising.deploy(name, before.pipeline, models=[self._ground.uploads.first]).value
        again = replace(before, deployment_id=made, name=f"{name}-{made}")
        self._ground.client.meaning("").deployment_status(again.name)  # found, and not ended by what is ended next
        for each in self._started:
            self.end(each)
        until_running(self._ground.client, again.name, self._session.wait_budget)
        again = self._routed(replace(again, url=self._url(again)))
        self._gone.discard(key)
        del self._ended[key]
        self._started[key] = self._running[key] = again
        return again

    def swapped(self, key: str, version: PipelineVersionCreated, model: ModelReference) -> Running:
        """A deployment that runs, once another version was deployed over it and is what its status shows, or once
        the wait for that is over. Raises ApiError where no other version is taken."""
        running, setup = self.running(key), self._ground
        deploy_id = running.name.rpartition("-")[0]
        made = setup.client.meaning("").deploy(deploy_id, version, models=[model]).value
        until_shown(setup.client, f"{deploy_id}-{made}", model.sha, self._session.wait_budget)
        return replace(running, deployment_id=made, name=f"{deploy_id}-{made}")


def _or_raised(made: Running | ApiError | RefusedError) -> Running:
    if not isinstance(made, Running):
        raise made
    return made
