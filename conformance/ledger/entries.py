"""What a ledger holds: models, pipelines, versions and deployments, as the target has acknowledged them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """Where a deployment stands, as far as the exchanges say."""

    DEPLOYED = "deployed"
    STOPPING = "stopping"
    GONE = "gone"


@dataclass(frozen=True)
class ModelVersion:
    """One uploaded version of a model. `sha` is of the bytes we sent; `version` (a UUID) and `pk` are learned later."""

    id: int
    name: str
    workspace_id: int | None
    sha: str = ""
    content: bytes = field(default=b"", repr=False)
    version: str = ""
    pk: int | None = None


@dataclass(frozen=True)
class PipelineVersion:
    """One version of a pipeline: the variant's primary key, its UUID (empty where untold) and its definition."""

    pk: int
    version: str
    definition: Any

    @property
    def shas(self) -> tuple[str, ...]:
        """The SHA-256 of each model of its steps."""
        return tuple(sha for _, _, sha in models_named(self.definition))


@dataclass(frozen=True)
class Pipeline:
    """A pipeline the target acknowledged. `source` is the pipeline it was copied from."""

    pk: int
    name: str
    workspace_id: int | None
    versions: tuple[PipelineVersion, ...]
    source: int | None = None

    def version(self, pk: int) -> PipelineVersion | None:
        """The version with that primary key, None where it was not seen."""
        return next((version for version in self.versions if version.pk == pk), None)


@dataclass(frozen=True)
class Listing:
    """What `workspaces.list` last told of a workspace: ids of its models and pipelines."""

    models: frozenset[int]
    pipelines: frozenset[int]


@dataclass(frozen=True)
class Deployment:
    """A deployment the target acknowledged.

    `models`, `versions` and `shas` are of the models it should serve, in their order, empty where unknown; `shown`
    are the shas that a Running status last listed; `due` those of another version that was deployed over the first.
    `copied` says that copying a pipeline made it. `engines` are the names of engines any status has listed;
    `confirmed` says that a status of 200 was seen, `undeploys` how many undeploys the ledger knew then, and `missed`
    how many statuses in a row have not found it since, though nobody undeployed it.
    """

    id: int
    deploy_id: str
    pipeline_pk: int | None
    variant_pk: int | None
    stage: Stage = Stage.DEPLOYED
    shas: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    copied: bool = False
    undeploys: int = 0
    missed: int = 0
    engines: frozenset[str] = frozenset()
    status: str = ""
    confirmed: bool = False
    running: bool = False
    pipeline_name: str = ""

    @property
    def name(self) -> str:
        """`{deploy_id}-{deployment id}`, as status and inference call it (the vendor's client builds it so)."""
        return f"{self.deploy_id}-{self.id}"


def models_named(definition: Any) -> tuple[tuple[str, str, str], ...]:
    """(name, version, sha) of each model in a pipeline's definition or a deploy's `models`, in order."""
    found: list[Any] = []
    steps = definition.get("steps", []) if isinstance(definition, dict) else []
    for step in steps if isinstance(steps, list) else []:
        inference = step.get("ModelInference") if isinstance(step, dict) else None
        named = inference.get("models") if isinstance(inference, dict) else None
        found += named if isinstance(named, list) else []
    return tuple(reference_of(model) for model in found if isinstance(model, dict))


def reference_of(model: dict[str, Any]) -> tuple[str, str, str]:
    """(name, version, sha) of a model as definitions and deploys name it; what is not there is empty."""
    return (str(model.get("name", "")), str(model.get("version", "")), str(model.get("sha", "")))
