"""Valid requests: drawn, at their limits, each naming what exists; all of them must be served."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from conformance.api.client import ARROW_FILE, PANDAS_RECORDS, PipelineClient
from conformance.api.operations import row_of
from conformance.model import Effect, Intent, Label, Mark, Operation, Request
from conformance.run.session import Session
from conformance.suites.generation.budget import Budget
from conformance.suites.generation.drawing import draw
from conformance.suites.generation.edges import NAME_LENGTHS, whole
from conformance.suites.generation.requests import Builder
from conformance.suites.generation.stage import Stage
from conformance.targets.safety.guard import RefusedError

_LONGEST_PROMISED = 63
_ODD_NAMES = ("", "a", "-", "é", "名前", "😀", "it's", 'a"b', "a b", "a/b", "%2F", "..", "null", "x" * 300)


def valid(session: Session, stage: Stage, budget: Budget, seed: int, operation_id: str) -> None:
    """Send the drawn and the boundary requests of one operation; what is wrong of the answers the checks say."""
    operation = session.rules.document.operation(operation_id)
    if operation_id == "pipelines.infer":
        _inferences(session, stage, budget, seed)
    elif operation_id == "pipelines.undeploy":
        _undeploys(session, stage, budget, seed)
    else:
        builder = Builder(session.rules.document, stage)
        for request, labels in _edges(builder, operation):
            attempt(session, request, "" if labels else "valid", labels)

        def use(body: Any, media_type: str, index: int) -> None:
            request = builder.valid(operation, body, index)
            if not builder.is_unclear(operation, request):
                attempt(session, request, "" if builder.is_invalid(operation, request) else "valid")

        draw(session.rules.document, operation_id, "valid", budget.drawn, number(seed, operation_id, "valid"), use)


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


def number(seed: int, *words: str) -> int:
    """A number for one item's drawing, from the run's seed."""
    return random.Random("/".join((str(seed), *words))).getrandbits(63)  # noqa: S311  test data


def _edges(builder: Builder, operation: Operation) -> Iterator[tuple[Request, frozenset[Label]]]:
    body = whole(operation.id, builder.stage)
    for request in _whole_and_minimal(builder, operation, body):
        yield request, frozenset()
    yield from ((request, frozenset({Mark.DESCRIBED})) for request in _odd_names(builder, operation))
    field = row_of(operation.id).new_name
    if field:
        for length in NAME_LENGTHS:
            name = builder.stage.names.fresh(length=length)
            labels = frozenset({Mark.DESCRIBED}) if len(name) > _LONGEST_PROMISED else frozenset()
            yield builder.json(operation, body | {field: name}), labels


def _odd_names(builder: Builder, operation: Operation) -> Iterator[Request]:
    """Names that nothing has: an answer, a success or a refusal, but no failure of the server."""
    stage = builder.stage
    row = row_of(operation.id)
    if row.named_by and operation.effect is Effect.READ:
        body, field = row.valid(stage.known()), row.named_by
        for name in (*_ODD_NAMES, stage.names.fresh(length=64) + "-1"):
            yield builder.json(operation, body | {field: name})
    if operation.id == "models.upload-and-convert":
        metadata = whole(operation.id, stage)["metadata"] | {"name": stage.names.fresh(length=64)}
        yield builder.form({"metadata": metadata, "file": stage.model.content})


def _whole_and_minimal(builder: Builder, operation: Operation, body: dict[str, Any]) -> Iterator[Request]:
    """The body with all its fields, without each optional one, and with null where that is described."""
    if operation.id == "models.upload-and-convert":
        for field in ("image_path", "input_schema", "output_schema", "registry_id"):
            metadata = {key: value for key, value in body["metadata"].items() if key != field}
            yield builder.form({"metadata": metadata, "file": builder.stage.model.content})
        return
    yield builder.json(operation, body)
    fresh = row_of(operation.id).new_name
    for field in list(body):
        for changed in ({key: value for key, value in body.items() if key != field}, body | {field: None}):
            if fresh:
                changed = changed | ({fresh: builder.stage.names.fresh()} if fresh in changed else {})
            request = builder.json(operation, changed)
            refused = builder.is_invalid(operation, request) or builder.is_unclear(operation, request)
            if not refused and not (fresh and changed.get(fresh) is None):
                yield request


def _inferences(session: Session, stage: Stage, budget: Budget, seed: int) -> None:
    client = PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED}))
    stage.until_served(client, session.patience)
    dice = random.Random(number(seed, "pipelines.infer", "valid"))  # noqa: S311  test data
    column, model = stage.model.column, stage.model
    for index, count in enumerate(budget.rows):
        if index and session.is_slow("pipelines.infer"):
            return
        rows = model.rows(count, dice.getrandbits(32))
        client.infer(stage.url, column, rows)
        if count <= 300 or index == len(budget.rows) - 1:
            client.infer_arrow(stage.url, column, rows, accept=(ARROW_FILE, "application/json")[index % 2])
    if session.is_slow("pipelines.infer"):
        return
    for rows in _notable(model.width):
        client.infer(stage.url, column, rows)
    for _ in range(budget.drawn):
        rows = [[_value(dice) for _ in range(model.width)] for _ in range(dice.choice((1, 1, 2, 5)))]
        form = dice.randrange(4)
        if form == 0:
            client.infer_arrow(stage.url, column, rows)
        else:
            client.infer(stage.url, column, rows, kind=PANDAS_RECORDS, accept=("*/*", "application/json")[form % 2])


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


def _undeploys(session: Session, stage: Stage, budget: Budget, seed: int) -> None:
    """Undeploy what was deployed for this: by one id, by the other, by both."""
    client = PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED}))
    operation = session.rules.document.operation("pipelines.undeploy")
    builder = Builder(session.rules.document, stage)
    if not stage.deploys:
        # A live target is asked at least for the end of what was never deployed: as described, and ends nothing.
        attempt(session, builder.json(operation, {"pipeline_id": stage.pipelines[1][1].pipeline_pk_id}), "")
        return
    forms: tuple[Callable[[int, int], dict[str, Any]], ...] = (
        lambda pipeline, deployment: {"pipeline_id": pipeline},
        lambda pipeline, deployment: {"deployment_id": deployment},
        lambda pipeline, deployment: {"pipeline_id": pipeline, "deployment_id": deployment},
    )
    dice = random.Random(number(seed, "pipelines.undeploy"))  # noqa: S311  test data
    for index in range(max(3, budget.drawn // 5)):
        name = stage.names.fresh("brief")
        created = client.create_pipeline(name, stage.workspace_id, {}).value
        deployment = client.deploy(name, created).value
        form = forms[index % 3] if index < 3 else dice.choice(forms)
        attempt(session, builder.json(operation, form(created.pipeline_pk_id, deployment)), "valid")
