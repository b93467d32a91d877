"""The last line of defence on a live target: only what this run made is deployed or undeployed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from conformance.errors import SuiteError
from conformance.ledger import Deployment
from conformance.model import Exchange, Request


class RefusedError(SuiteError):
    """A request that must not leave this machine: it would touch what this run did not make."""


class Guard:
    """Knows what this run made, by its own exchanges, and refuses what would touch anything else.

    Every name this run gives begins with `prefix`; a pipeline counts as ours once the target answered our create or
    copy of such a name.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._pipelines: set[int] = set()
        self._deployments: dict[int, str] = {}

    def learn(self, exchange: Exchange) -> None:
        """Take over what an exchange made."""
        answer, question = exchange.answer, exchange.question
        if not exchange.ok or not isinstance(answer, dict) or not isinstance(question, dict):
            return
        if exchange.operation in ("pipelines.create", "pipelines.copy"):
            name = question.get("pipeline_id" if exchange.operation == "pipelines.create" else "name")
            if isinstance(name, str) and name.startswith(self.prefix):
                self._pipelines |= _ids([answer.get("pipeline_pk_id")])
            deployment = answer.get("deployment")
            if isinstance(deployment, dict):
                self._deployments |= dict.fromkeys(_ids([deployment.get("id")]), str(question.get("deploy")))
        elif exchange.operation == "pipelines.deploy":
            self._deployments |= dict.fromkeys(_ids([answer.get("id")]), str(question.get("deploy_id")))

    def adopt(self, deployments: Iterable[Deployment]) -> None:
        """Count deployments that an earlier run of ours made as ours, so that they can be cleaned up."""
        for deployment in deployments:
            self._deployments[deployment.id] = deployment.deploy_id
            if deployment.pipeline_pk is not None:
                self._pipelines.add(deployment.pipeline_pk)

    def refuse(self, operation: str | None, request: Request) -> None:
        """Raises RefusedError where the request would deploy or undeploy what this run did not make."""
        body = _body(request)
        if operation == "pipelines.deploy":
            self._owned(body.get("pipeline_id"), self._pipelines, "deploy the pipeline", required=True)
            name = body.get("deploy_id")
            if isinstance(name, str) and not name.startswith(self.prefix):
                raise RefusedError(f"The name of a deployment must begin with {self.prefix} on a live target.")
        elif operation == "pipelines.undeploy":
            self._owned(body.get("deployment_id"), set(self._deployments), "undeploy the deployment")
            self._owned(body.get("pipeline_id"), self._pipelines, "undeploy the pipeline")
        elif operation == "pipelines.copy" and body.get("deploy") is not None:
            self._owned(body.get("source_pipeline"), self._pipelines, "deploy a copy of the pipeline", required=True)

    def _owned(self, value: object, owned: set[int], deed: str, *, required: bool = False) -> None:
        if value is None and not required:
            return
        if isinstance(value, int) and not isinstance(value, bool) and value not in owned:
            raise RefusedError(f"To {deed} {value} was refused before it was sent: this run did not make it.")


def token_may_go(url: str, base_url: str, allowed_hosts: Iterable[str] = ()) -> bool:
    """Whether a URL is the target's own: its origin, the same host without its `api.` label, or an allowed host."""
    there, ours = urlsplit(url), urlsplit(base_url)
    if there.scheme == "http" and ours.scheme == "https":
        return False
    if there.hostname == ours.hostname:
        return there.port == ours.port
    if there.hostname is not None and there.hostname in set(allowed_hosts):
        return True
    return there.port == ours.port and _without_api(there.hostname) == _without_api(ours.hostname)


def _without_api(host: str | None) -> str:
    labels = (host or "").split(".")
    return ".".join(label for index, label in enumerate(labels) if label != "api" or index > 1)


def _ids(values: Iterable[object]) -> set[int]:
    return {value for value in values if isinstance(value, int) and not isinstance(value, bool)}


def _body(request: Request) -> dict[str, object]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
