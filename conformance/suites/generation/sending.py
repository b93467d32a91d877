"""Sends generated requests: valid ones, invalid ones, the same rows in other ways, and several at the same moment."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from json import dumps
from typing import Any

from conformance.api.client import (
    ARROW_FILE,
    JSON,
    PANDAS_RECORDS,
    PipelineClient,
    PipelineVersionCreated,
    infer_path,
    steps_of,
)
from conformance.api.operations import COPY, INFER, row_of
from conformance.model import Effect, Headers, Intent, Label, Mark, Operation, Request
from conformance.run.session import Session
from conformance.suites.generation.requests import NAME_LENGTHS, Builder, bad_rows, broken, draw, whole
from conformance.suites.generation.resources import Budget, Resources
from conformance.suites.model import Model
from conformance.suites.waiting import until_gone, until_routed, until_running
from conformance.targets.safety.guard import RefusedError
from conformance.targets.waits import WaitBudget

# ---- valid requests --------------------------------------------------------------------------------------------------


_LONGEST_PROMISED = 63
_ODD_NAMES = ("", "a", "-", "é", "名前", "😀", "it's", 'a"b', "a b", "a/b", "%2F", "..", "null", "x" * 300)


def valid(session: Session, resources: Resources, budget: Budget, seed: int, operation_id: str) -> None:
    """Send the drawn and the boundary requests of one operation; the checks judge the answers."""
    operation = session.rules.document.operation(operation_id)
    if operation_id == "pipelines.infer":
        _inferences(session, resources, budget, seed)
    elif operation_id == "pipelines.undeploy":
        _undeploys(session, resources, budget, seed)
    else:
        builder = Builder(session.rules.document, resources)
        for request, labels in _valid_edges(builder, operation):
            attempt(session, request, "" if labels else "valid", labels)

        def use(body: Any, media_type: str, index: int) -> None:
            request = builder.valid(operation, body, index)
            if not builder.is_unclear(operation, request):
                attempt(session, request, "" if builder.is_invalid(operation, request) else "valid")

        draw(session.rules.document, operation_id, "valid", budget.drawn, seed_for(seed, operation_id, "valid"), use)


def attempt(session: Session, request: Request, intent: Intent, labels: frozenset[Label] = frozenset()) -> None:
    """Send one request, unless the guard of a live target forbids it, or its operation is slow: then it counts as not
    drawn."""
    matched = session.rules.document.match(request.method, request.path)
    if matched and session.is_slow(matched[0].id):
        return
    try:
        session.send(request, intent=intent, labels=labels | {Mark.GENERATED})
    except RefusedError:
        return


def seed_for(seed: int, *words: str) -> int:
    """A seed_for for one item's drawing, from the run's seed."""
    return random.Random("/".join((str(seed), *words))).getrandbits(63)  # noqa: S311  test data


def _valid_edges(builder: Builder, operation: Operation) -> Iterator[tuple[Request, frozenset[Label]]]:
    body = whole(operation.id, builder.resources)
    for request in _whole_and_minimal(builder, operation, body):
        yield request, frozenset()
    yield from ((request, frozenset({Mark.DESCRIBED})) for request in _odd_names(builder, operation))
    field = row_of(operation.id).new_name
    if field:
        for length in NAME_LENGTHS:
            name = builder.resources.names.fresh(length=length)
            labels = frozenset({Mark.DESCRIBED}) if len(name) > _LONGEST_PROMISED else frozenset()
            yield builder.json(operation, body | {field: name}), labels


def _odd_names(builder: Builder, operation: Operation) -> Iterator[Request]:
    """Names that nothing has: an answer, a success or a refusal, but no failure of the server."""
    resources = builder.resources
    row = row_of(operation.id)
    if row.named_by and operation.effect is Effect.READ:
        body, field = row.valid(resources.known()), row.named_by
        for name in (*_ODD_NAMES, resources.names.fresh(length=64) + "-1"):
            yield builder.json(operation, body | {field: name})
    if operation.id == "models.upload-and-convert":
        metadata = whole(operation.id, resources)["metadata"] | {"name": resources.names.fresh(length=64)}
        yield builder.form({"metadata": metadata, "file": resources.model.content})


def _whole_and_minimal(builder: Builder, operation: Operation, body: dict[str, Any]) -> Iterator[Request]:
    """The body with all its fields, without each optional one, and with null where that is described."""
    if operation.id == "models.upload-and-convert":
        for field in ("image_path", "input_schema", "output_schema", "registry_id"):
            metadata = {key: value for key, value in body["metadata"].items() if key != field}
            yield builder.form({"metadata": metadata, "file": builder.resources.model.content})
        return
    yield builder.json(operation, body)
    fresh = row_of(operation.id).new_name
    for field in list(body):
        for changed in ({key: value for key, value in body.items() if key != field}, body | {field: None}):
            if fresh:
                changed = changed | ({fresh: builder.resources.names.fresh()} if fresh in changed else {})
            request = builder.json(operation, changed)
            refused = builder.is_invalid(operation, request) or builder.is_unclear(operation, request)
            if not refused and not (fresh and changed.get(fresh) is None):
                yield request


def _inferences(session: Session, resources: Resources, budget: Budget, seed: int) -> None:
    client = PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED}))
    resources.until_served(client, session.wait_budget)
    dice = random.Random(seed_for(seed, "pipelines.infer", "valid"))  # noqa: S311  test data
    column, model = resources.model.column, resources.model
    for index, count in enumerate(budget.rows):
        if index and session.is_slow("pipelines.infer"):
            return
        rows = model.rows(count, dice.getrandbits(32))
        client.infer(resources.url, column, rows)
        if count <= 300 or index == len(budget.rows) - 1:
            client.infer_arrow(resources.url, column, rows, accept=(ARROW_FILE, "application/json")[index % 2])
    if session.is_slow("pipelines.infer"):
        return
    for rows in _notable(model.width):
        client.infer(resources.url, column, rows)
    for _ in range(budget.drawn):
        rows = [[_value(dice) for _ in range(model.width)] for _ in range(dice.choice((1, 1, 2, 5)))]
        form = dice.randrange(4)
        if form == 0:
            client.infer_arrow(resources.url, column, rows)
        else:
            client.infer(resources.url, column, rows, kind=PANDAS_RECORDS, accept=("*/*", "application/json")[form % 2])


def _value(dice: random.Random) -> float:
    return dice.choice(
        (0.0, 1.0, -1.0, round(dice.uniform(-3, 3), 6), round(dice.uniform(-100, 100), 3), dice.randint(-5, 5))
    )


def _notable(width: int) -> Iterator[list[list[float]]]:
    """Rows whose values or order a careless server might mind."""
    for value in (0.0, 1e-30, -0.0, 1000.0, -1000.0):
        yield [[value] * width]
    yield [[1] * width]
    yield [[0.5] * width] * 3


def _undeploys(session: Session, resources: Resources, budget: Budget, seed: int) -> None:
    """Undeploy what was deployed for this: by one id, by the other, by both."""
    client = PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED}))
    operation = session.rules.document.operation("pipelines.undeploy")
    builder = Builder(session.rules.document, resources)
    if not resources.deploys:
        # A live target is asked at least for the end of what was never deployed: as described, and ends nothing.
        attempt(session, builder.json(operation, {"pipeline_id": resources.pipelines[1][1].pipeline_pk_id}), "")
        return
    forms: tuple[Callable[[int, int], dict[str, Any]], ...] = (
        lambda pipeline, deployment: {"pipeline_id": pipeline},
        lambda pipeline, deployment: {"deployment_id": deployment},
        lambda pipeline, deployment: {"pipeline_id": pipeline, "deployment_id": deployment},
    )
    dice = random.Random(seed_for(seed, "pipelines.undeploy"))  # noqa: S311  test data
    for index in range(max(3, budget.drawn // 5)):
        name = resources.names.fresh("brief")
        created = client.create_pipeline(name, resources.workspace_id, {}).value
        deployment = client.deploy(name, created).value
        form = forms[index % 3] if index < 3 else dice.choice(forms)
        attempt(session, builder.json(operation, form(created.pipeline_pk_id, deployment)), "valid")


# ---- invalid requests ------------------------------------------------------------------------------------------------


UNKNOWN = 2_147_480_000
"""An id that no instance has given yet."""

_LISTING = frozenset({"models.upload-and-convert"})


def invalid(session: Session, resources: Resources, budget: Budget, seed: int, operation_id: str) -> None:
    """Send invalid requests of one operation, and after each refusal read what it might have changed."""
    operation = session.rules.document.operation(operation_id)
    builder = Builder(session.rules.document, resources)
    reader = _Reader(session, resources, operation)
    if operation_id == INFER:
        resources.until_served(PipelineClient(session.send, intent="valid"), session.wait_budget)
    reader.read()
    edges = list(_invalid_edges(builder, operation))
    chosen = random.Random(seed_for(seed, operation_id, "edges"))  # noqa: S311  test data
    for request in edges if len(edges) <= budget.edges else _sample(edges, budget.edges, chosen):
        reader.send(request)

    def use(body: Any, media_type: str, index: int) -> None:
        request = builder.invalid(operation, body, index)
        if not builder.is_unclear(operation, request):
            reader.send(request, "invalid" if builder.is_invalid(operation, request) else "")

    draw(session.rules.document, operation_id, "invalid", budget.drawn, seed_for(seed, operation_id, "invalid"), use)
    reader.answers()


_REFUSALS_A_READ = 3
"""Refusals of one operation between two reads: what one of them has changed, the next read shows all the same."""


class _Reader:
    """Sends, and reads afterwards: a refusal is clean if the target still answers, and answers what it did before."""

    def __init__(self, session: Session, resources: Resources, operation: Operation) -> None:
        self._session, self._stage, self._operation = session, resources, operation
        self._client = PipelineClient(session.send, intent="valid")
        self._sent = 0

    def send(self, request: Request, intent: Intent = "invalid") -> None:
        if self._session.is_slow(self._operation.id):
            return
        if self._operation.effect == "destroy" and intent != "invalid":
            return  # a drawn body that came out valid may name the deployment that runs throughout, and would end it
        try:
            self._session.send(request, intent=intent, labels=frozenset({Mark.GENERATED}))
        except RefusedError:
            return
        self._sent += 1
        if self._operation.effect not in ("read", "compute") and self._sent % _REFUSALS_A_READ == 0:
            self.read()

    def read(self) -> None:
        if any(map(self._session.is_slow, ("models.list-versions", "status.get-deployment", "workspaces.list"))):
            return
        if self._operation.id in _LISTING:
            self._client.list_model_versions(model_id=self._stage.models[0].name)
        elif self._operation.effect in ("mutate", "destroy"):
            self._client.deployment_status(self._stage.deployment[0])
        elif self._operation.effect == "create":
            self._client.list_workspaces()

    def answers(self) -> None:
        """The deployment that runs throughout still does, and still computes; and a last read."""
        if self._operation.effect not in ("read", "compute"):
            self.read()
        self._client.deployment_status(self._stage.deployment[0])
        if not self._stage.served:
            return
        self._client.infer(self._stage.url, self._stage.model.column, self._stage.model.rows(1))


def _invalid_edges(builder: Builder, operation: Operation) -> Iterator[Request]:
    """What cannot be done comes first: it is few."""
    resources = builder.resources
    for body in _impossible(operation.id, resources):
        yield builder.json(operation, body)
    if operation.id == "models.upload-and-convert":
        yield builder.form(
            {"metadata": _metadata(resources) | {"workspace_id": UNKNOWN}, "file": resources.model.content}
        )
        yield builder.form({"metadata": _metadata(resources), "file": b"this is no model"})
    if operation.id == "pipelines.infer":
        for _, content, kind in bad_rows(resources):
            yield Request("POST", resources.url, Headers({"Content-Type": kind, "Accept": _accepted(kind)}), content)
        yield from _nowhere(resources)
        return
    for _, body in broken(builder.document, operation.id, resources):
        request = builder.invalid(operation, body, 0)
        if builder.is_invalid(operation, request):
            yield request


def _impossible(operation_id: str, resources: Resources) -> list[dict[str, Any]]:
    """Bodies as described that name what does not exist, where a service cannot but refuse."""
    _, created = resources.pipelines[0]
    impossible: dict[str, list[dict[str, Any]]] = {
        "pipelines.create": [
            {
                "pipeline_id": resources.names.fresh(),
                "workspace_id": UNKNOWN,
                "definition": steps_of(resources.models[0]),
            }
        ],
        COPY: [
            {"name": resources.names.fresh(), "workspace_id": resources.workspace_id, "source_pipeline": UNKNOWN},
            {"name": resources.names.fresh(), "workspace_id": UNKNOWN, "source_pipeline": created.pipeline_pk_id},
        ],
        "pipelines.deploy": [
            {"deploy_id": resources.names.fresh(), "pipeline_version_pk_id": UNKNOWN, "pipeline_id": UNKNOWN},
            {
                "deploy_id": resources.pipeline_name,
                "pipeline_version_pk_id": UNKNOWN,
                "pipeline_id": created.pipeline_pk_id,
            },
        ],
        "status.get-deployment": [{"name": f"{resources.pipeline_name}-{UNKNOWN}"}],
        "admin.get-pipeline-external-url": [
            {"workspace_id": resources.workspace_id, "pipeline_name": resources.names.fresh("none")},
            {"workspace_id": UNKNOWN, "pipeline_name": resources.pipeline_name},
        ],
    }
    return impossible.get(operation_id, [])


def _nowhere(resources: Resources) -> Iterator[Request]:
    """Inferences on what is not deployed, or under another pipeline's name."""
    content = dumps([{resources.model.column: resources.model.rows(1)[0]}]).encode()
    for deployment, pipeline in (
        (f"{resources.pipeline_name}-{UNKNOWN}", resources.pipeline_name),
        (resources.deployment[0], resources.pipelines[1][0]),
        (resources.names.fresh("none") + "-1", resources.pipeline_name),
        (f"{resources.names.fresh('none')}-{resources.deployment[1]}", resources.pipeline_name),
    ):
        yield Request("POST", infer_path(deployment, pipeline), Headers({"Content-Type": PANDAS_RECORDS}), content)


def _metadata(resources: Resources) -> dict[str, Any]:
    conversion = {"framework": "onnx", "requirements": []}
    return {"name": resources.models[0].name, "visibility": "public", "workspace_id": resources.workspace_id,
            "conversion": conversion}  # fmt: skip


def _accepted(kind: str) -> str:
    return ARROW_FILE if kind == ARROW_FILE else JSON


def _sample(edges: list[Request], count: int, dice: random.Random) -> list[Request]:
    """The first half as they stand, and a drawn part of the rest, in their order."""
    first = count // 2
    rest = sorted(dice.sample(range(first, len(edges)), count - first))
    return edges[:first] + [edges[index] for index in rest]


# ---- the same rows in other ways -------------------------------------------------------------------------------------


_ROWS = 12


def same_rows(session: Session, resources: Resources, seed: int) -> None:
    """One by one, together, in another order, by Arrow, again; after a redeploy, and of a copy if there are any."""
    client = PipelineClient(session.send, intent="valid")
    resources.until_served(client, session.wait_budget)
    rows = resources.model.rows(_ROWS, seed)
    if session.is_slow("pipelines.infer"):
        rows = rows[:2]
    ask(client, resources.url, resources.model, rows)
    if resources.deploys:
        copies = session.rules.document.has(COPY)
        _elsewhere(client, resources, session.wait_budget, resources.model.rows(_ROWS, seed + 1), copies=copies)


def ask(client: PipelineClient, url: str, model: Model, rows: list[list[float]]) -> None:
    """The rows alone, in a batch, the batch again, in another order, half of it, and by Arrow."""
    column = model.column
    for row in rows[:3]:
        client.infer(url, column, [row])
    client.infer(url, column, rows)
    client.infer(url, column, rows)
    client.infer(url, column, rows[::-1])
    client.infer(url, column, rows[::2] + rows[1::2])
    client.infer(url, column, rows[: len(rows) // 2])
    client.infer_arrow(url, column, rows)
    client.infer_arrow(url, column, rows, accept="application/json")


def _elsewhere(
    client: PipelineClient, resources: Resources, budget: WaitBudget, rows: list[list[float]], *, copies: bool
) -> None:
    """The rows of a pipeline, of its copy and of the copy's copy, whose waits are one; then of a second life of it."""
    names, reference = resources.names, resources.models[0]
    name = names.fresh("source")
    source = client.create_pipeline(name, resources.workspace_id, steps_of(reference)).value
    pipelines = [(name, source)]
    for step in ("copy", "copy-of-copy") if copies else ():
        copy = names.fresh(step)
        pipelines.append(
            (copy, client.copy_pipeline(copy, resources.workspace_id, pipelines[-1][1].pipeline_pk_id).value)
        )
    _served(client, resources, budget, pipelines, rows)
    _served(client, resources, budget, pipelines[:1], rows)


def _served(
    client: PipelineClient,
    resources: Resources,
    budget: WaitBudget,
    pipelines: list[tuple[str, PipelineVersionCreated]],
    rows: list[list[float]],
) -> None:
    """Deploy each, ask it, undeploy it, and ask it once more when it is gone."""
    column, silent = resources.model.column, replace(client, intent="")
    deployed = []
    for name, created in pipelines:
        deployment_id = client.deploy(name, created, models=[resources.models[0]]).value
        deployed.append((name, deployment_id, f"{name}-{deployment_id}"))
    for name, deployment_id, deployment in deployed:
        until_running(client, deployment, budget)
        until_routed(client, infer_path(deployment, name), column, rows[0], budget)
        client.infer(infer_path(deployment, name), column, rows)
        client.undeploy(deployment_id=deployment_id)
    for name, _, deployment in deployed:
        until_gone(client, deployment, budget)
        silent.infer(infer_path(deployment, name), column, rows[:1])


# ---- at the same moment ----------------------------------------------------------------------------------------------


_AT_ONCE = 6
_ROWS_EACH = 400
"""Rows of each inference sent at once: enough that the answers overlap."""

_STAGGER = 0.004
"""Seconds between requests that differ, so that they leave in their order and still overlap."""


def at_once(session: Session, resources: Resources, budget: Budget) -> None:
    """Creates of one name and of many, deploys, uploads and inferences, each kind at once, several times over."""
    resources.until_served(PipelineClient(session.send, intent="valid"), session.wait_budget)
    for _ in range(1 if budget.drawn < 20 else 3):
        _creates_at_once(session, resources)
        _uploads_at_once(session, resources)
        _deploys_at_once(session, resources)
        _inferences_at_once(session, resources)
    PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED})).list_workspaces()


def _creates_at_once(session: Session, resources: Resources) -> None:
    name = resources.names.fresh("at-once")
    body = {"pipeline_id": name, "workspace_id": resources.workspace_id, "definition": steps_of(resources.models[0])}
    session.send_together([_json("pipelines/create", body)] * _AT_ONCE, intent="valid")
    others = [body | {"pipeline_id": resources.names.fresh("at-once")} for _ in range(_AT_ONCE)]
    session.send_together([_json("pipelines/create", other) for other in others], intent="valid", stagger=_STAGGER / 8)


def _uploads_at_once(session: Session, resources: Resources) -> None:
    builder = Builder(session.rules.document, resources)
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {
        "name": resources.names.fresh("at-once"),
        "visibility": "public",
        "workspace_id": resources.workspace_id,
        "conversion": conversion,
    }
    form = builder.form({"metadata": metadata, "file": resources.model.content})
    session.send_together([form] * 3, intent="valid")
    PipelineClient(session.send, intent="valid").list_model_versions(model_id=str(metadata["name"]))


def _deploys_at_once(session: Session, resources: Resources) -> None:
    """The same deploy of what is deployed: it makes nothing, and costs nothing."""
    _, _, created = resources.deployment
    body = {
        "deploy_id": resources.pipeline_name,
        "pipeline_version_pk_id": created.pipeline_variant_pk_id,
        "pipeline_id": created.pipeline_pk_id,
        "models": [resources.models[0].as_json()],
    }
    session.send_together([_json("pipelines/deploy", body)] * 3, intent="valid")


def _inferences_at_once(session: Session, resources: Resources) -> None:
    requests = []
    for index in range(4):
        rows = resources.model.rows(_ROWS_EACH, 1000 + index)
        content = json.dumps([{resources.model.column: row} for row in rows]).encode()
        requests.append(Request("POST", resources.url, Headers({"Content-Type": PANDAS_RECORDS}), content))
    session.send_together(requests, intent="valid", stagger=_STAGGER)


def _json(path: str, body: dict[str, object]) -> Request:
    return Request("POST", f"/v1/api/{path}", Headers({"Content-Type": JSON}), json.dumps(body).encode())
