"""What a load stands on: a deployment made through the guarded client, and what is changed about it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from conformance.api.client import (
    ApiError,
    ModelReference,
    PipelineClient,
    PipelineVersionCreated,
    infer_path,
    steps_of,
)
from conformance.errors import NoVerdictError
from conformance.load.plan import Plan, Shape, Version
from conformance.model import Exchange
from conformance.run.session import Session
from conformance.run.settings import Settings, model_file
from conformance.suites.model import Model
from conformance.suites.plan import reference_of
from conformance.suites.waiting import until_gone, until_routed, until_running, until_shown

_GRACE_SECONDS = 2.0
"""What a change may take once status says that it is done: engines and gateways learn of it one after another."""


@dataclass(frozen=True)
class Change:
    """A change of a deployment under load. `began` and `ended` are epoch seconds; `refused` says why it was none."""

    how: str
    began: float
    ended: float
    refused: str = ""


class Ground:
    """Makes what is needed, once, and changes it as it is asked to; the run's clean-up undeploys it."""

    def __init__(self, session: Session, settings: Settings, shape: Shape) -> None:
        self._session, self._settings, self._shape = session, settings, shape
        self._client = PipelineClient(session.send, intent="valid")
        self._model = Model.read(model_file(settings))
        self._versions: list[tuple[PipelineVersionCreated, ModelReference]] = []
        self._deployment = 0
        self._other = ""
        self._other_pipeline: PipelineVersionCreated | None = None

    def lay(self) -> Plan:
        """Upload, create, deploy, and wait until it serves. Raises ApiError where the target does not let it."""
        kept: list[Exchange] = []
        self._session.keep_with(kept.append)
        settings, client, named = self._settings, self._client, self._settings.prefix
        workspace_id = settings.workspace_id
        if workspace_id is None:
            workspace_id = client.create_workspace(f"{named}workspace").value
        swaps, name = self._shape.during == "hot-swap", f"{named}load"
        for content in [self._model.content, *([self._model.negated()] if swaps else [])]:
            uploaded = client.upload_model(f"{named}model", workspace_id, content).value
            model = reference_of(client, f"{named}model", uploaded)
            self._versions.append((client.create_pipeline(name, workspace_id, steps_of(model)).value, model))
        first, model = self._versions[0]
        self._deployment = client.deploy(name, first, models=[model]).value
        if self._shape.during == "undeploy-other":
            other = f"{named}other"
            self._other_pipeline = client.create_pipeline(other, workspace_id, steps_of(model)).value
            self._other = f"{other}-{client.deploy(other, self._other_pipeline, models=[model]).value}"
            until_running(client, self._other, self._session.wait_budget)
        until_running(client, self._name, self._session.wait_budget)
        url = self._url(workspace_id, name)
        self._session.keep_with(lambda exchange: None)
        settings = replace(settings, workspace_id=workspace_id)
        versions = tuple(
            Version(made.pipeline_variant_pk_id, model.name, model.version, model.sha) for made, model in self._versions
        )
        return Plan(settings, self._shape, url, self._name, versions, tuple(one for one in kept if one.ok))

    @property
    def _name(self) -> str:
        return f"{self._settings.prefix}load-{self._deployment}"

    def _url(self, workspace_id: int, pipeline: str) -> str:
        """Where to infer: where the target says, unless our token may not go there or it leads elsewhere."""
        base, path = self._session.target.url, infer_path(self._name, pipeline)
        url = self._client.external_url(workspace_id, pipeline).value
        refusal: Callable[[str], str] = getattr(self._session.target, "refusal", lambda url: "")
        url = url if url.endswith(path) and not refusal(url) else f"{base}{path}"
        row = self._model.tutorial_row()
        for asked in dict.fromkeys((url, f"{base}{path}")):
            reply = until_routed(self._client, asked, self._model.column, [*row], self._session.wait_budget)
            if reply.ok:
                return asked
        raise ApiError("The deployment runs, and no inference of it is answered.", reply.exchange)

    def change(self, how: str) -> Change:
        """Change the deployment, or another, and wait until that is done."""
        began = time.time()
        try:
            if how == "undeploy-other":
                assert self._other_pipeline is not None
                undeployed = self._client.undeploy(pipeline_id=self._other_pipeline.pipeline_pk_id)
                if undeployed.ok:
                    until_gone(self._client, self._other, self._session.wait_budget)
                return Change(how, began, time.time(), "" if undeployed.ok else _why(undeployed.exchange))
            version, model = self._versions[-1]
            # No promise says that another version is taken over one that runs: what is not, is told and not judged.
            client = self._client if how == "redeploy" else self._client.meaning("")
            reply = client.deploy(f"{self._settings.prefix}load", version, models=[model])
            if not reply.ok:
                return Change(how, began, time.time(), _why(reply.exchange))
            if reply.value != self._deployment:
                raise NoVerdictError("Deployed again, the pipeline has another deployment: load goes to the first one.")
            if how == "redeploy":
                until_running(self._client, self._name, self._session.wait_budget)
            else:
                until_shown(self._client, self._name, model.sha, self._session.wait_budget)
            return Change(how, began, time.time() + _GRACE_SECONDS)
        except ApiError as error:
            return Change(how, began, time.time(), str(error))


def _why(exchange: Exchange) -> str:
    return exchange.failure or f"status {exchange.status}"
