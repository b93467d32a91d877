"""Long lifecycles: a state machine over several pipelines, versions, models, workspaces and deployments at once.

Every step is always allowed; what is missing makes a step a request for what does not exist. Nothing a step does
depends on what an answer said beyond the ids it gave, so that a seed sends the same requests again. The ledger
predicts, the checks judge, and no step fails: what is wrong is collected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from conformance.api.client import (
    ARROW_FILE,
    ApiError,
    ModelReference,
    PipelineClient,
    PipelineVersionCreated,
    infer_path,
    steps_of,
)
from conformance.api.operations import COPY
from conformance.errors import RequestsSpentError
from conformance.ledger import Stage
from conformance.model import Mark
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.generation.requests import keep_out_of_the_way
from conformance.suites.generation.resources import Budget, Resources
from conformance.suites.generation.sending import UNKNOWN, seed_for
from conformance.suites.waiting import undeploy_all, until_gone, until_routed, until_running
from conformance.targets.safety.guard import RefusedError

ANY = st.integers(0, 2**16)
"""Drawn in place of a resource; taken modulo how many there are."""


@dataclass(frozen=True)
class Made:
    """A pipeline that was made: its workspace, name, ids, the steps' models, and the versions of it."""

    workspace_id: int
    name: str
    created: PipelineVersionCreated
    models: tuple[ModelReference, ...]


@dataclass(frozen=True)
class Deployed:
    """A deployment that was made of `made`."""

    made: Made
    id: int
    name: str


@dataclass
class State:
    """What the episodes of one run have made so far, in the order in which it was asked for."""

    session: Session
    resources: Resources
    budget: Budget
    workspaces: list[int] = field(default_factory=list)
    uploaded: list[tuple[int, ModelReference]] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    deployed: list[Deployed] = field(default_factory=list)
    ended: list[Deployed] = field(default_factory=list)
    routed: set[int] = field(default_factory=set)
    deployments: int = 0

    def room(self) -> bool:
        """Whether another deployment may be made."""
        return len(self.deployed) < self.budget.deployed and self.deployments < self.budget.deployments


def run(session: Session, resources: Resources, budget: Budget, run_settings: Settings) -> None:
    """Run the budget's episodes, then end what they left. The ceiling on requests ends them early, and that is all."""
    keep_out_of_the_way()
    state = State(session, resources, budget, [resources.workspace_id])
    state.uploaded += list(zip(resources.ids, resources.models, strict=True))
    try:
        run_state_machine_as_test(
            seed(seed_for(run_settings.seed, "lifecycles"))(_machine(state)), settings=_plan(budget)
        )
    except RequestsSpentError:
        return


class Background:
    """Lifecycles that go on beside other items, in a session of their own, from now on."""

    def __init__(self, session: Session, run: Callable[[Session], None]) -> None:
        self._session, self._own = session, session.branch()
        self._run = run
        self._error: BaseException | None = None
        self._thread = Thread(target=self._begin, daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        try:
            self._run(self._own)
        except BaseException as error:
            self._error = error
        try:
            undeploy_all(self._own)
        except BaseException as error:
            self._error = self._error or error

    def result(self) -> None:
        """Wait for their end, and take over what they saw. Raises what ended them."""
        self._thread.join()
        self._session.join(self._own)
        if self._error is not None:
            raise self._error


def _plan(budget: Budget) -> settings:
    return settings(
        max_examples=budget.episodes, stateful_step_count=budget.steps, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip


def _machine(state: State) -> type[RuleBasedStateMachine]:
    return type("Lifecycle", (Lifecycle,), {"state": state})


def _of(rows: list[Any], index: int) -> Any:
    return rows[index % len(rows)] if rows else None


class Lifecycle(RuleBasedStateMachine):
    """One episode. Each rule is one step of a user's day, legal or not."""

    state: State

    def __init__(self) -> None:
        super().__init__()
        self.valid = PipelineClient(self.state.session.send, intent="valid", labels=frozenset({Mark.GENERATED}))
        self.invalid = self.valid.meaning("invalid", Mark.GENERATED)
        self.asking = self.valid.meaning("")

    @rule()
    def make_a_workspace(self) -> None:
        state = self.state
        if len(state.workspaces) < 3:
            reply = self.valid.create_workspace(state.resources.names.fresh("workspace"))
            state.workspaces += [reply.value] if _usable(reply) else []
            self.valid.list_workspaces()
        else:
            self.valid.list_model_versions(model_id=state.resources.models[0].name)

    @rule(workspace=ANY, again=st.booleans())
    def upload(self, workspace: int, again: bool) -> None:
        state = self.state
        workspace_id = _of(state.workspaces, workspace)
        name = state.resources.models[0].name if again else state.resources.names.fresh("model")
        reply = self.valid.upload_model(name, workspace_id, state.resources.model.content)
        listed = self.valid.list_model_versions(model_id=name)
        if not _usable(reply) or not _usable(listed) or workspace_id != state.resources.workspace_id:
            return
        for row in listed.value:
            if row.get("id") == reply.value:
                reference = ModelReference(name, str(row.get("model_version")), str(row.get("sha")))
                state.uploaded.append((reply.value, reference))

    @rule(workspace=ANY, pipeline=ANY, model=ANY, again=st.booleans(), empty=st.booleans())
    def create(self, workspace: int, pipeline: int, model: int, again: bool, empty: bool) -> None:
        state = self.state
        known = _of(state.made, pipeline)
        name = known.name if again and known else state.resources.names.fresh("p")
        workspace_id = known.workspace_id if again and known and pipeline % 3 else _of(state.workspaces, workspace)
        _, reference = _of(state.uploaded, model)
        steps = () if empty or workspace_id != state.resources.workspace_id else (reference,)
        reply = self.valid.create_pipeline(name, workspace_id, steps_of(*steps) if steps else {})
        if _usable(reply):
            state.made.append(Made(workspace_id, name, reply.value, steps))

    @rule(pipeline=ANY, version=ANY, given=st.booleans())
    def copy(self, pipeline: int, version: int, given: bool) -> None:
        state, source = self.state, _of(self.state.made, pipeline)
        if not state.session.rules.document.has(COPY):
            return
        name = state.resources.names.fresh("copy")
        if source is None:
            self.invalid.copy_pipeline(name, state.resources.workspace_id, UNKNOWN)
            return
        options = {"pipeline_version": source.created.version} if given and source.created.version else {}
        reply = self.valid.copy_pipeline(name, source.workspace_id, source.created.pipeline_pk_id, **options)
        if _usable(reply):
            # Without a version asked for, the newest is copied; which that is the checks do not presume.
            newest = [m for m in state.made if m.created.pipeline_pk_id == source.created.pipeline_pk_id][-1]
            # A copy's answer names the version that was asked for, and not one of its own.
            copied = replace(reply.value, version=None)
            state.made.append(Made(source.workspace_id, name, copied, (source if options else newest).models))

    @rule(pipeline=ANY, other_name=st.booleans(), by=st.integers(0, 3))
    def deploy(self, pipeline: int, other_name: bool, by: int) -> None:
        state, made = self.state, _of(self.state.made, pipeline)
        if made is None:
            self._refused(lambda: self._deploy_unknown())
            return
        standing = [d for d in state.deployed if d.made.created.pipeline_pk_id == made.created.pipeline_pk_id]
        if standing:
            made = standing[-1].made
        elif not state.room():
            return
        name = standing[-1].name.rpartition("-")[0] if standing else _deploy_name(made, other_name, state)
        reply = self.valid.deploy(name, made.created, **_models_by(by, made, state))
        if not _usable(reply) or standing:
            return
        state.deployments += 1
        state.deployed.append(Deployed(made, reply.value, f"{name}-{reply.value}"))

    def _deploy_unknown(self) -> None:
        nothing = PipelineVersionCreated(UNKNOWN, UNKNOWN, None)
        self.invalid.deploy(self.state.resources.names.fresh("none"), nothing)

    @rule(pipeline=ANY)
    def deploy_with_a_version_of_another(self, pipeline: int) -> None:
        made, other = _of(self.state.made, pipeline), _of(self.state.made, pipeline + 1)
        if made and other and made.created.pipeline_pk_id != other.created.pipeline_pk_id:
            standing = {d.made.created.pipeline_pk_id for d in self.state.deployed}
            if made.created.pipeline_pk_id not in standing:
                mixed = PipelineVersionCreated(UNKNOWN, UNKNOWN - 1, None)
                self._refused(lambda: self.invalid.deploy(made.name, mixed))

    @rule(deployment=ANY)
    def wait(self, deployment: int) -> None:
        deployed = _of(self.state.deployed, deployment)
        if deployed:
            self._until_served(deployed)

    @rule(deployment=ANY, count=st.integers(1, 4), kind=st.integers(0, 5), rows=st.integers(0, 5))
    def infer(self, deployment: int, count: int, kind: int, rows: int) -> None:
        # A pipeline without models has nothing to answer with, and no source says how it then refuses.
        deployed = _of([d for d in self.state.deployed if d.made.models], deployment)
        model = self.state.resources.model
        if deployed is None and not self.state.resources.served:
            return
        batch = model.rows(4, rows)[:count]
        url = infer_path(deployed.name, deployed.made.name) if deployed else self.state.resources.url
        client = self.valid if deployed is None or self._serves(deployed) else self.asking
        if kind in (3, 4):
            batch = batch[::-1]
        if kind == 5:
            client.infer_arrow(url, model.column, batch, accept=ARROW_FILE)
        else:
            client.infer(url, model.column, batch)

    @rule(deployment=ANY)
    def look(self, deployment: int) -> None:
        deployed = _of(self.state.deployed, deployment)
        if deployed is None:
            name = f"{self.state.resources.pipeline_name}-{UNKNOWN}"
            self.invalid.meaning("invalid", Mark.GENERATED, Mark.NEVER_WAS).deployment_status(name)
            return
        self.asking.deployment_status(deployed.name)
        client = self.valid if self._known(deployed) else self.asking
        client.external_url(deployed.made.workspace_id, deployed.made.name)

    @rule(deployment=ANY, by=st.integers(0, 2), patiently=st.booleans())
    def undeploy(self, deployment: int, by: int, patiently: bool) -> None:
        state, deployed = self.state, _of(self.state.deployed, deployment)
        if deployed is None:
            self._refused(lambda: self.asking.undeploy(deployment_id=UNKNOWN))
            return
        ids = {"pipeline_id": deployed.made.created.pipeline_pk_id, "deployment_id": deployed.id}
        chosen = ids if by == 0 else dict([list(ids.items())[by - 1]])
        if not _usable(self.valid.undeploy(**chosen)):
            return
        state.deployed.remove(deployed)
        if patiently and _tolerant(lambda: until_gone(self.valid, deployed.name, state.session.wait_budget)):
            state.ended.append(deployed)
        # Told to end and not seen gone: nothing is deployed again over it, since no source says what then happens.
        state.made = [m for m in state.made if patiently or m.created.pipeline_pk_id != ids["pipeline_id"]]

    @rule(deployment=ANY, act=st.integers(0, 3))
    def ask_the_ended(self, deployment: int, act: int) -> None:
        ended = _of(self.state.ended, deployment)
        if ended is None:
            self.invalid.infer(infer_path(f"{self.state.resources.pipeline_name}-{UNKNOWN}", "none"), "x", [[1.0]])
            return
        if act == 0:
            self.asking.undeploy(deployment_id=ended.id)
        elif act == 1:
            self.asking.deployment_status(ended.name)
        else:
            model = self.state.resources.model
            self.asking.infer(infer_path(ended.name, ended.made.name), model.column, model.rows(1))

    @rule(pipeline=ANY)
    def ask_what_never_was(self, pipeline: int) -> None:
        state = self.state
        client = self.invalid.meaning("invalid", Mark.GENERATED, Mark.NEVER_WAS)
        client.external_url(state.resources.workspace_id, state.resources.names.fresh("none"))
        self.invalid.create_pipeline(state.resources.names.fresh("none"), UNKNOWN, {})

    def _until_served(self, deployed: Deployed) -> None:
        state, budget = self.state, self.state.session.wait_budget
        if _tolerant(lambda: until_running(self.valid, deployed.name, budget)) and deployed.made.models:
            model, url = state.resources.model, infer_path(deployed.name, deployed.made.name)
            until_routed(self.valid, url, model.column, model.rows(1)[0], budget)
            state.routed.add(deployed.id)

    def _serves(self, deployed: Deployed) -> bool:
        known = self.state.session.ledger.deployments.get(deployed.id)
        return deployed.id in self.state.routed and bool(known and known.stage is Stage.DEPLOYED)

    def _known(self, deployed: Deployed) -> bool:
        known = self.state.session.ledger.deployments.get(deployed.id)
        return bool(known and known.confirmed and known.stage is Stage.DEPLOYED)

    def _refused(self, send: Any) -> None:
        try:
            send()
        except RefusedError:
            return


def _usable(reply: Any) -> bool:
    """Whether an answer gave what later steps need; where it did not, the checks have said so."""
    try:
        reply.value  # noqa: B018  reading is what fails
    except ApiError:
        return False
    return True


def _tolerant(wait: Any) -> bool:
    """A wait that runs out is a finding of its own, and no reason to stop."""
    try:
        wait()
    except ApiError:
        return False
    return True


def _deploy_name(made: Made, other: bool, state: State) -> str:
    return state.resources.names.fresh("other") if other else made.name


def _models_by(form: int, made: Made, state: State) -> dict[str, Any]:
    """The models of the steps, by one of the ways there are; none where the pipeline has none."""
    if not made.models:
        return {}
    version_id = next((i for i, reference in state.uploaded if reference == made.models[0]), None)
    if form == 1 and version_id is not None:
        return {"model_ids": [version_id]}
    if form == 2:
        return {"models": list(made.models), "engine_config": {}}
    return {"models": list(made.models)}
