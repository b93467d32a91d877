"""A run to report: every outcome, hostile strings, a waiver of every standing, a timeline and a baseline."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import replace
from typing import Any

from conformance.model import (
    Basis,
    Exchange,
    Finding,
    Headers,
    Level,
    Request,
    Requirement,
    Response,
    Waiver,
)
from conformance.reporting.facts import Facts
from conformance.reporting.result import Circumstances, result_of
from conformance.run.verdict import conclude

TODAY = datetime.date(2024, 5, 1)
BASE = "http://127.0.0.1:8080"
HOSTILE = "<script>alert(1)</script>"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYWRlLXVwIn0.c2lnbmF0dXJl"

SAME_ID = Requirement(
    "pipelines.deploy.again-returns-the-same-id",
    "pipelines.deploy",
    "Deploying a pipeline that is already deployed answers with the id of the deployment it has.",
    Level.MUST,
    Basis.SHOWN,
    "recordings of 2023.4: deploy, twice",
)
SILENT = Requirement(
    "pipelines.infer.nothing-served-after-undeploy",
    "pipelines.infer",
    "Once a deployment's status is 404, inference on it is not answered.",
    Level.MUST,
    Basis.SHOWN,
    "recordings of 2023.4: inference after undeploy",
)
INTEGER = Requirement(
    "pipelines.create.returns-integer-id",
    "pipelines.create",
    "`pipeline_pk_id` is an integer.",
    Level.MUST,
    Basis.STATED,
    "tutorial: Create a Pipeline Returns",
)
ALLOW = Requirement(
    "pipelines.create.wrong-method-names-allow",
    "pipelines.create",
    "A 405 names the methods that are allowed.",
    Level.MUST,
    Basis.STANDARD,
    "RFC 9110 section 15.5.6",
)
COPY = Requirement(
    "pipelines.copy.copy-infers-the-same",
    "pipelines.copy",
    "A copy answers inference as its source does.",
    Level.MUST,
    Basis.STATED,
    "tutorial: Copy a Pipeline",
)
SECOND = Requirement(
    "workspaces.create.other-workspace-sees-nothing",
    "workspaces.create",
    "Nothing of one workspace is visible in another.",
    Level.MUST,
    Basis.DECIDED,
    "house rule",
    unreached={"live": "A live target may not let us make workspaces."},
)
ROWS = (INTEGER, ALLOW, SAME_ID, SILENT, COPY, SECOND)


def exchange(operation: str, path: str, body: bytes, status: int | None, answer: bytes, **changes: Any) -> Exchange:
    """An exchange with JSON both ways and a bearer token that no report may show."""
    headers = Headers({"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Accept": "*/*"})
    response = Response(status, Headers({"Content-Type": "application/json"}), answer, 0.01)
    return replace(Exchange(Request("POST", BASE + path, headers, body), response, operation), **changes)


CREATE = exchange(
    "pipelines.create",
    "/v1/api/pipelines/create",
    f'{{"pipeline_id": "{HOSTILE}", "workspace_id": 10}}'.encode(),
    200,
    b'{"pipeline_pk_id": 25, "pipeline_variant_pk_id": 26, "pipeline_variant_version": "6f1e"}',
)
DEPLOY = exchange(
    "pipelines.deploy",
    "/v1/api/pipelines/deploy",
    b'{"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26}',
    200,
    b'{"id": 14}',
)
AGAIN = replace(DEPLOY, response=Response(200, Headers({"Content-Type": "application/json"}), b'{"id": 15}'))


def findings() -> list[Finding]:
    """Held: INTEGER, COPY. Broken: SAME_ID (gates), ALLOW (a warning), SILENT (to be waived)."""
    return [
        Finding(INTEGER.id, True, operation="pipelines.create", evidence=(CREATE,)),
        Finding(COPY.id, True, operation="pipelines.copy"),
        Finding(ALLOW.id, False, "Allow: POST", "no Allow header", (CREATE,), "pipelines.create"),
        Finding(
            SAME_ID.id,
            False,
            "the id of the first deployment",
            "15, not 14",
            (CREATE, DEPLOY, AGAIN),
            "pipelines.deploy",
        ),
        Finding(SILENT.id, False, "404", f"200 from {HOSTILE}", (DEPLOY,), "pipelines.infer"),
    ]


WAIVERS = (
    Waiver(SILENT.id, "The gateway is being replaced.", "platform", TODAY + datetime.timedelta(days=30)),
    Waiver(COPY.id, "Was broken in May.", "platform", TODAY + datetime.timedelta(days=30)),
    Waiver(SAME_ID.id, "Was to be mended.", "platform", TODAY - datetime.timedelta(days=30)),
)
TIMELINE = (
    {"event": "deploy", "deployment": f"{HOSTILE}-14", "at": 0.2},
    {"event": "status", "deployment": f"{HOSTILE}-14", "at": 0.25, "status": "Starting"},
    {"event": "status", "deployment": f"{HOSTILE}-14", "at": 0.48, "status": "Running"},
    {"event": "infer", "deployment": f"{HOSTILE}-14", "at": 0.5, "seconds": 0.012, "status": "200"},
    {"event": "infer", "deployment": f"{HOSTILE}-14", "at": 0.6, "seconds": 0.031, "status": "200"},
    {"event": "undeploy", "deployment": f"{HOSTILE}-14", "at": 0.8},
    {"event": "status", "deployment": f"{HOSTILE}-14", "at": 0.95, "status": "404"},
)
BEGAN = datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC).timestamp()
RUN = Circumstances(target_kind="emulated", target_url=BASE, seed=7, began=BEGAN, seconds=12.345)
FACTS = Facts(
    reached=Counter({("pipelines.create", 200): 41, ("pipelines.create", 400): 3, ("pipelines.deploy", 200): 12}),
    requests=56,
    suites={"lifecycle": {"name": "lifecycle", "items": 12, "failed": 2, "seconds": 9.1}},
    events=[event | {"at": BEGAN + float(event["at"])} for event in TIMELINE],
)


def result(extra: dict[str, Any] | None = None, drift: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """A not conformant run with every outcome in it."""
    verdict = conclude(ROWS, findings(), WAIVERS, TODAY, target_kind="emulated")
    return result_of(verdict, replace(RUN, extra=extra or {}, drift=drift), replace(FACTS, **facts))


def conformant() -> dict[str, Any]:
    """A conformant run."""
    held = [Finding(row.id, True, operation=row.operation) for row in ROWS]
    return result_of(conclude(ROWS, held, (), TODAY), RUN, FACTS)


def many_findings(count: int) -> dict[str, Any]:
    """A run with ten findings on each of many requirements, `count` in all beside the sample's own."""
    whole = result()
    row = next(row for row in whole["requirements"] if row["id"] == SAME_ID.id)
    findings = [{**row["findings"][0], "fingerprint": f"{number:016x}"} for number in range(10)]
    rows = [{**row, "id": f"pipelines.deploy.promise-{number}", "findings": findings} for number in range(count // 10)]
    return {**whole, "requirements": [*whole["requirements"], *rows]}
