"""What the exchanges so far say exists: a fold, one exchange at a time, into an immutable value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from rpds import HashTrieMap

from conformance.ledger.entries import Deployment, Listing, ModelVersion, Pipeline, Stage
from conformance.ledger.folds import FOLDS
from conformance.ledger.memory import Memory
from conformance.model import Exchange

_DEPLOYMENT = re.compile(r"^(?P<deploy_id>.*)-(?P<id>\d+)$", re.DOTALL)
_INFER_PATH = re.compile(r"/v1/api/pipelines/infer/(?P<deployment>[^/]+)/(?P<pipeline>[^/]+)/?$")


_COSTLY = frozenset({"pipelines.deploy", "pipelines.copy", "pipelines.undeploy"})
"""Operations whose successes count, to be ended, even where they should have been refused."""


_OF_WHAT_MAY_BE_GONE = frozenset({"status.get-deployment", "admin.get-pipeline-external-url", "pipelines.infer"})
"""Operations whose 404 speaks of a deployment; that of any other says that the operation itself is not there."""


def says_absent(exchange: Exchange) -> bool:
    """Whether the answer to a request that is meant to be valid says that there is no such operation."""
    return exchange.intent == "valid" and is_of_absence(exchange.operation, exchange.status)


def is_of_absence(operation: str | None, status: int | None) -> bool:
    """Whether a status can say that there is no such operation, rather than no such thing as it was asked about."""
    return status in (404, 405, 501) and operation not in _OF_WHAT_MAY_BE_GONE


@dataclass(frozen=True)
class Ledger:
    """The fold. Maps are persistent: `after` costs the same however long the run. Keys are the target's own ids.

    `variants` and `uuids` lead from a pipeline version's primary key, and UUID, to its pipeline. `undeploys` counts the
    undeploys that succeeded. `absent` are operations that the target said it does not have.
    """

    workspaces: HashTrieMap[int, str] = field(default_factory=HashTrieMap)
    models: HashTrieMap[int, ModelVersion] = field(default_factory=HashTrieMap)
    contents: HashTrieMap[str, bytes] = field(default_factory=HashTrieMap)
    pipelines: HashTrieMap[int, Pipeline] = field(default_factory=HashTrieMap)
    pipeline_pks: HashTrieMap[tuple[int | None, str], int] = field(default_factory=HashTrieMap)
    variants: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    uuids: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    listings: HashTrieMap[int, Listing] = field(default_factory=HashTrieMap)
    undeploys: int = 0
    deployments: HashTrieMap[int, Deployment] = field(default_factory=HashTrieMap)
    current: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    memory: Memory = field(default_factory=Memory)
    absent: frozenset[str] = frozenset()

    def after(self, exchange: Exchange) -> Ledger:
        """The ledger once this exchange is known. What an exchange does not say changes nothing."""
        memory = self.memory.after(exchange, self)
        known = self if memory is self.memory else replace(self, memory=memory)
        if says_absent(exchange):
            known = replace(known, absent=known.absent | {exchange.operation or ""})
        return known._told(exchange)

    def _told(self, exchange: Exchange) -> Ledger:
        fold = FOLDS.get(exchange.operation or "")
        if fold is None or exchange.response is None:
            return self
        if exchange.intent == "invalid" and exchange.operation not in _COSTLY:
            return self
        told = exchange.ok or (exchange.status is None and exchange.answer is not None)
        if not told and exchange.operation != "status.get-deployment":
            return self
        try:
            return fold(self, exchange)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            return self

    def pipeline_named(self, workspace_id: object, name: object) -> Pipeline | None:
        """The pipeline of that name in that workspace, None where none was seen, or where these are no id and name."""
        if not isinstance(workspace_id, int | None) or not isinstance(name, str):
            return None
        pk = self.pipeline_pks.get((workspace_id, name))
        return None if pk is None else self.pipelines.get(pk)

    def pipeline_of_variant(self, pk: int) -> Pipeline | None:
        """The pipeline that a version belongs to, None where the version was not seen."""
        owner = self.variants.get(pk)
        return None if owner is None else self.pipelines.get(owner)

    def deployment_of(self, pipeline_pk: int) -> Deployment | None:
        """The newest deployment of a pipeline, whatever its stage; None where none was seen."""
        deployment = self.current.get(pipeline_pk)
        return None if deployment is None else self.deployments.get(deployment)

    def deployment_named(self, name: str) -> Deployment | None:
        """The deployment that status calls `name`, None where none such was seen."""
        match = _DEPLOYMENT.match(name) if isinstance(name, str) else None
        deployment = self.deployments.get(int(match["id"])) if match and len(match["id"]) < 19 else None
        return deployment if deployment and deployment.deploy_id == match["deploy_id"] else None  # type: ignore[index]

    def deployment_served_by(self, exchange: Exchange) -> Deployment | None:
        """The deployment an inference was sent to, by its URL; None where none such was seen."""
        match = _INFER_PATH.search(urlsplit(exchange.request.url).path)
        return self.deployment_named(unquote(match["deployment"])) if match else None

    def model_of(self, name: str, version: str) -> ModelVersion | None:
        """The model version of that name and UUID, None where none such was seen."""
        return next((m for m in self.models.values() if m.name == name and m.version == version), None)

    def knows_workspace(self, workspace_id: object) -> bool:
        """Whether a workspace was made or listed."""
        return isinstance(workspace_id, int) and (workspace_id in self.workspaces or workspace_id in self.listings)

    def live(self) -> Iterator[Deployment]:
        """Deployments that may still run, and cost: deployed and not seen gone."""
        return (d for d in self.deployments.values() if d.stage is not Stage.GONE)
