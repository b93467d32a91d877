"""What drawn requests may name, made once so that a drawn index names something that exists; and how many are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conformance.api.client import ModelReference, PipelineClient, PipelineVersionCreated, infer_path, steps_of
from conformance.api.operations import Known
from conformance.run.settings import Settings
from conformance.suites.model import Model
from conformance.suites.plan import reference_of
from conformance.suites.requests import NOT_GIVEN
from conformance.suites.waiting import until_routed, until_running
from conformance.targets.waits import WaitBudget

_LONGEST_NAME = 63
"""The vendor's client refuses names of 64 characters and more (its checks.py); up to here a name must be taken."""


@dataclass
class Names:
    """Names of this run, none given twice. `prefix` begins each."""

    prefix: str
    count: int = 0

    def fresh(self, suffix: str = "", length: int = 0) -> str:
        """A new name ending in `suffix`; padded to `length` characters where that is given."""
        self.count += 1
        name = f"{self.prefix}g{self.count}"
        if length:
            return name + "x" * max(0, length - len(name))
        return f"{name}-{suffix}"[:_LONGEST_NAME].rstrip("-") if suffix else name


@dataclass(frozen=True)
class Resources:
    """What drawn requests may name. `models` are versions of one model, `ids` their ids, `pipelines` (name, version).

    `deployment` is the one that runs: (name for status, id, pipeline), and `url` where it is asked.
    """

    workspace_id: int
    model: Model = field(repr=False)
    names: Names
    models: tuple[ModelReference, ...]
    ids: tuple[int, ...]
    pipelines: tuple[tuple[str, PipelineVersionCreated], ...]
    deployment: tuple[str, int, PipelineVersionCreated]
    pipeline_name: str
    deploys: bool = True
    _served: list[bool] = field(default_factory=list, repr=False)

    @property
    def served(self) -> bool:
        """Whether the deployment has been waited for, and is asked for rows."""
        return bool(self._served)

    def until_served(self, client: PipelineClient, budget: WaitBudget) -> None:
        """Wait until the deployment runs and can be asked, the first time. Raises ApiError where it does not."""
        if not self.served:
            until_running(client, self.deployment[0], budget)
            until_routed(client, self.url, self.model.column, self.model.rows(1)[0], budget)
            self._served.append(True)

    @property
    def url(self) -> str:
        """The path inference goes to."""
        return infer_path(self.deployment[0], self.pipeline_name)

    def known(self, name: str = "", index: int = 0) -> Known:
        """What a body may name: the pipeline at that index, and the deployment that runs."""
        pipeline_name, pipeline = self.pipelines[index % len(self.pipelines)]
        return Known(
            name,
            self.workspace_id,
            pipeline=pipeline.pipeline_pk_id,
            variant=pipeline.pipeline_variant_pk_id,
            version=pipeline.version,
            pipeline_name=pipeline_name,
            definition=steps_of(self.models[0]),
            deployment=self.deployment[1],
            deployment_name=self.deployment[0],
            model=self.ids[0],
            model_name=self.models[0].name,
            models=tuple(model.as_json() for model in self.models),
        )


def make_resources(
    client: PipelineClient,
    names: Names,
    workspace_id: int,
    model: Model,
    *,
    deploys: bool,
    deployed: bool = True,
) -> Resources:
    """Make the resources; where `deployed`, ask for the deployment too, without waiting for it.

    Raises ApiError where the target does not let us.
    """
    name = names.fresh("model")
    ids = tuple(client.upload_model(name, workspace_id, model.content).value for _ in range(2))
    models = tuple(reference_of(client, name, number) for number in ids)
    served, empty = names.fresh("served"), names.fresh("empty")
    created = client.create_pipeline(served, workspace_id, steps_of(models[0])).value
    pipelines = ((served, created), (empty, client.create_pipeline(empty, workspace_id, {}).value))
    deployment_id = client.deploy(served, created, models=[models[0]]).value if deployed else NOT_GIVEN
    deployment = (f"{served}-{deployment_id}", deployment_id, created)
    return Resources(workspace_id, model, names, models, ids, pipelines, deployment, served, deploys)


def own_workspace(client: PipelineClient, names: Names) -> int:
    """A new workspace for these resources. Raises ApiError where none is made."""
    return client.create_workspace(names.fresh("workspace")).value


# ---- how much is drawn -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """`drawn` requests of each operation and intent, `edges` boundary values of each, `episodes` of `steps` steps.

    `rows` are the batch sizes of inference. `deployed` is how many deployments episodes may have at once, `deployments`
    how many they may make. `findings` are shrunk, with at most `replays` replays and `seconds` for each run.
    """

    drawn: int
    edges: int
    episodes: int
    steps: int
    rows: tuple[int, ...]
    deployed: int = 4
    deployments: int = 1_000_000
    findings: int = 8
    replays: int = 60
    seconds: float = 6.0


_BUDGETS = {
    "quick": Budget(5, 18, 4, 30, (1, 2, 3, 51, 100)),
    "standard": Budget(30, 200, 24, 50, (1, 2, 3, 10, 50, 51, 100, 257, 1000), findings=20, replays=300, seconds=20.0),
    "thorough": Budget(
        250, 1000, 250, 60, (1, 2, 3, 10, 50, 51, 64, 65, 100, 101, 128, 129, 257, 1000, 1025, 10000),
        findings=60, replays=2000, seconds=120.0,
    ),
}  # fmt: skip
LIVE_DEPLOYMENTS = 2
"""Deployments that episodes make on a live target: each costs money there."""


def budget_of(settings: Settings) -> Budget:
    """The budget of a run. On a live target deployments are few."""
    budget = _BUDGETS[settings.budget]
    if settings.kind == "live":
        return replace(budget, deployed=1, deployments=LIVE_DEPLOYMENTS)
    return budget
