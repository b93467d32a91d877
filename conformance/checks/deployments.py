"""Relations of deployments: deploying again, what status finds, the inference URL, undeploying."""

from __future__ import annotations

import base64
import json
from urllib.parse import unquote, urlsplit

from conformance.api.operations import split_name
from conformance.checks.rules import Findings, Rules, came, is_id, objects, seen, told
from conformance.ledger import Deployment, Ledger, Pipeline, Stage
from conformance.model import Exchange, Finding, Headers, Mark, Purpose
from conformance.targets.address import Origin

_RUNS = "conformance-"
"""What every name begins with that a run gives."""


def deployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Deploying what is deployed returns the same id (recorded: 14, 14); no two pipelines share a deployment's id."""
    question, answer = exchange.question, exchange.answer
    if not told(exchange, "pipelines.deploy") or not isinstance(question, dict) or not isinstance(answer, dict):
        return
    new, pk = answer.get("id"), question.get("pipeline_id")
    if not is_id(new) or not is_id(pk):
        return
    current, known = ledger.deployment_of(pk), ledger.deployments.get(new)
    if current is not None and current.missed:
        return  # it may have ended, which the row of the undeploy or of status tells of
    same = current is not None and question.get("pipeline_version_pk_id") in (None, current.variant_pk)
    if current is not None and current.stage is Stage.DEPLOYED and current.deploy_id == question.get("deploy_id"):
        if not same and current.variant_pk is not None:
            return  # whether another version over the one that runs keeps the id is recorded nowhere
        yield seen(exchange, "again-returns-the-same-id", new == current.id, f"id {current.id} again", new)
    elif current is None or current.stage is Stage.GONE:
        # Whether a pipeline that was undeployed gets its old id back is not recorded: both are fair.
        own = known is None or known.pipeline_pk == pk
        yield seen(exchange, "a-new-deployment-has-its-own-id", own, "an id that no other pipeline's had", new)


def status_found(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A deployment is found while it is deployed, and no longer once it is undeployed and gone."""
    deployment = asked_for(exchange, ledger)
    if deployment is None or exchange.status is None:
        return
    found = exchange.status != 404
    if deployment.stage is Stage.DEPLOYED and deployment.confirmed:
        if ledger.undeploys > deployment.undeploys:
            if found or deployment.missed:  # one answer that does not find it may be a slip of the status'
                yield _of_undeploy(exchange, found)
        else:
            yield seen(exchange, "finds-what-is-deployed", found, "status 200", came(exchange))
    elif deployment.stage is Stage.STOPPING and (not found or Mark.DEADLINE in exchange.labels):
        yield seen(exchange, "ends-in-404-after-undeploy", not found, "status 404 within the wait", came(exchange))
    elif deployment.stage is Stage.GONE:
        yield seen(exchange, "stays-gone-once-undeployed", not exchange.ok, "status 404", came(exchange))


def _of_undeploy(exchange: Exchange, found: bool) -> Finding:
    """Another deployment was undeployed since this one was last found: it must not have ended too."""
    operation = "pipelines.undeploy"
    actual = "" if found else came(exchange)
    expected = "status 200 of what was not undeployed"
    return Finding(f"{operation}.ends-nothing-but-what-it-names", found, expected, actual, (exchange,), operation)


def status_unknown(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A deployment that never was is not found, and under a name that no deployment can have none is."""
    if exchange.operation != "status.get-deployment" or exchange.status is None:
        return
    if Mark.NEVER_WAS in exchange.labels:
        yield seen(exchange, "knows-nothing-of-what-never-was", exchange.status == 404, "status 404", came(exchange))
    elif exchange.ok and isinstance(exchange.question, dict) and isinstance(name := exchange.question.get("name"), str):
        held, expected = split_name(name) is not None, "no status under a name without a deployment's id"
        yield seen(exchange, "knows-nothing-of-what-never-was", held, expected, came(exchange))


def reaches_running(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What was deployed becomes Running within the wait, and is not stuck in Error."""
    deployment, answer = asked_for(exchange, ledger), exchange.answer
    if deployment is None or deployment.stage is not Stage.DEPLOYED:
        return
    if not exchange.ok and (deployment.running or deployment.missed):
        return  # it has run, or has ended: other rows tell of a status that fails
    status = answer.get("status") if isinstance(answer, dict) and exchange.ok else None
    if status is not None and status not in ("Running", "Starting", "Error"):
        return  # the row of the field tells of it
    if status == "Running" or Mark.DEADLINE in exchange.labels:
        yield seen(exchange, "reaches-running", status == "Running", "status Running within the wait", came(exchange))


def url_of_deployment(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The URL names the deployment and the pipeline (18 recordings), on the host it was asked of."""
    if exchange.operation != "admin.get-pipeline-external-url" or not isinstance(exchange.question, dict):
        return
    if Mark.NEVER_WAS in exchange.labels and exchange.status is not None:
        yield seen(exchange, "knows-nothing-of-what-never-was", exchange.status == 404, "status 404", came(exchange))
    if Mark.ELSEWHERE in exchange.labels and exchange.status is not None:
        yield seen(exchange, "keeps-to-its-workspace", not exchange.ok, "a refusal, as 404", came(exchange))
    url = (
        exchange.answer.get("url") if isinstance(exchange.answer, dict) and told(exchange, exchange.operation) else None
    )
    if isinstance(url, str):
        yield from _url(exchange, url, rules, *_asked_pipeline(exchange, ledger))


def _asked_pipeline(exchange: Exchange, ledger: Ledger) -> tuple[Pipeline | None, Deployment | None]:
    name = exchange.question.get("pipeline_name")
    pipeline = ledger.pipeline_named(exchange.question.get("workspace_id"), name) if isinstance(name, str) else None
    return pipeline, ledger.deployment_of(pipeline.pk) if pipeline else None


def _url(
    exchange: Exchange, url: str, rules: Rules, pipeline: Pipeline | None, deployment: Deployment | None
) -> Findings:
    there, here = urlsplit(url), urlsplit(exchange.request.url)
    whole = there.scheme in ("http", "https") and bool(there.hostname) and there.path.startswith("/")
    yield seen(exchange, "is-a-whole-url", whole, "http(s)://HOST/PATH", url)
    if not whole:
        return
    # An instance may be reached by another name than its own, through a second ingress or a forwarded port.
    own = {here.hostname or "", issuing_host(exchange.request.headers), *rules.hosts} - {""}
    same = _bare(there.hostname) in map(_bare, own)
    expected = f"a URL on {here.hostname}, or on the host that is allowed as the instance's own (--allow-host)"
    if own:  # a recording need not know what host was asked
        yield seen(exchange, "is-on-the-targets-host", same, expected, url)
    asked, handed = Origin.of(exchange.request.url), Origin.of(url)
    if asked and handed and asked.host == handed.host and asked != handed:
        # Elsewhere than under the name that was asked, scheme and port may be of another ingress.
        expected = f"a URL at {asked}, where it was asked"
        yield seen(exchange, "can-be-called-as-it-stands", False, expected, url)
    if pipeline is None or deployment is None or deployment.stage is not Stage.DEPLOYED:
        return
    if not isinstance(deployment.deploy_id, str):
        return  # it was deployed under no name that could stand there, which its own row tells of
    expected = f"/v1/api/pipelines/infer/{deployment.name}/{pipeline.name}"
    held = unquote(there.path).endswith(expected)
    yield seen(exchange, "names-deployment-and-pipeline", held, f"a URL ending in {expected}", url)


def called_as_handed_out(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An external URL serves what its path serves under the target's own address."""
    if Mark.HANDED_OUT in exchange.labels and (exchange.status is not None or exchange.response is None):
        operation = "admin.get-pipeline-external-url"
        expected, actual = f"rows served at {exchange.request.url}", "" if exchange.ok else came(exchange)
        requirement = f"{operation}.can-be-called-as-it-stands"
        yield Finding(requirement, exchange.ok, expected, actual, (exchange,), operation)


def undeployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Undeploying what is already undeployed is harmless (the vendor's client documents it as doing nothing)."""
    question = exchange.question
    if exchange.operation != "pipelines.undeploy" or exchange.status is None or not isinstance(question, dict):
        return
    number = question.get("deployment_id")
    deployment = ledger.deployments.get(number) if is_id(number) else None
    if deployment is not None and deployment.stage is not Stage.DEPLOYED and exchange.status not in (401, 403):
        held = exchange.status < 500
        yield seen(exchange, "a-second-undeploy-is-harmless", held, "a status below 500", came(exchange))


def copy_serves_on(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A copy that served does so once its source does no longer."""
    deployment = ledger.deployment_served_by(exchange)
    ended = deployment is not None and deployment.missed
    if Mark.SOURCE_GONE in exchange.labels and exchange.status is not None and not ended:
        operation, actual = "pipelines.copy", "" if exchange.ok else came(exchange)
        requirement = f"{operation}.serves-on-without-its-source"
        yield Finding(requirement, exchange.ok, "rows served as before", actual, (exchange,), operation)


def refusal_changed_nothing(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """After a refused deploy nothing is deployed, and after a refused undeploy all that was deployed still is."""
    for operation in Purpose.AFTER_REFUSAL.words(exchange.labels):
        if operation == "pipelines.deploy" and exchange.operation == "admin.get-pipeline-external-url":
            if _is_deployed(exchange, ledger):
                continue  # it was not refused, which another row tells of
            held, expected = not exchange.ok, "no URL of what was refused"
        elif operation == "pipelines.undeploy" and exchange.operation == "status.get-deployment":
            held, expected = exchange.status != 404, "status 200 as before"
        elif operation == "pipelines.undeploy" and exchange.operation == "pipelines.infer":
            held, expected = exchange.ok, "rows served as before"
        elif operation == "workspaces.create" and exchange.operation == "workspaces.list":
            new = _new_workspaces(exchange, ledger)
            held, expected = not new, f"no workspace that was not there before, as {new} was not"
        else:
            continue
        actual = "" if held else came(exchange)
        yield Finding(f"{operation}.a-refusal-changes-nothing", held, expected, actual, (exchange,), operation)


def _is_deployed(exchange: Exchange, ledger: Ledger) -> bool:
    question = exchange.question if isinstance(exchange.question, dict) else {}
    pipeline = ledger.pipeline_named(question.get("workspace_id"), question.get("pipeline_name"))
    deployment = ledger.deployment_of(pipeline.pk) if pipeline else None
    return deployment is not None and deployment.stage is not Stage.GONE


def _new_workspaces(exchange: Exchange, ledger: Ledger) -> list[int]:
    rows = objects(exchange.answer.get("workspaces")) if isinstance(exchange.answer, dict) else []
    new = [row for row in rows if is_id(row.get("id")) and not ledger.knows_workspace(row["id"])]
    # Of a run of ours that goes on beside this one, in another process or of somebody else's.
    return [row["id"] for row in new if not str(row.get("name")).startswith(_RUNS)]


def asked_for(exchange: Exchange, ledger: Ledger) -> Deployment | None:
    """The deployment a status request names, None where none such was seen."""
    question = exchange.question
    if exchange.operation != "status.get-deployment" or not isinstance(question, dict):
        return None
    name = question.get("name")
    return ledger.deployment_named(name) if isinstance(name, str) else None


def _bare(host: str | None) -> str:
    """The host without its `api.` label, which comes and goes between releases, and without `keycloak`, its sibling."""
    return ".".join(label for label in (host or "").rstrip(".").split(".") if label not in ("api", "keycloak"))


def issuing_host(headers: Headers) -> str:
    """The host of the issuer that a request's token names (RFC 7519 4.1.1); empty where it is opaque or not kept."""
    claims = headers.get("authorization", "").partition(" ")[2].split(".")[1:2]
    try:
        issuer = json.loads(base64.urlsafe_b64decode(claims[0] + "=" * (-len(claims[0]) % 4)))["iss"]
        return urlsplit(issuer).hostname or ""
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return ""
