"""Systematic defects of answers, applied to exchanges that were recorded of a conformant instance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.model import Exchange, Headers, Response

Change = Callable[[Exchange], Exchange]


@dataclass(frozen=True)
class Mutation:
    """A defect: its class, where it is, and what it makes of an exchange (the same value where it has no part)."""

    kind: str
    name: str
    change: Change


def answered(exchange: Exchange, **changes: Any) -> Exchange:
    """The exchange with a changed response, which declares the length it then has."""
    assert exchange.response is not None
    response = replace(exchange.response, **changes)
    if "body" in changes:
        fields = [
            (n, str(len(response.body)) if n.lower() == "content-length" else v) for n, v in response.headers.fields
        ]
        response = replace(response, headers=Headers(fields))
    return replace(exchange, response=response)


def with_json(exchange: Exchange, value: Any) -> Exchange:
    return answered(exchange, body=json.dumps(value).encode())


def of_success(operation: str, change: Change) -> Change:
    return lambda e: change(e) if e.operation == operation and e.ok else e


def of_refusal(operation: str, status: int, change: Change) -> Change:
    return lambda e: change(e) if e.operation == operation and e.status == status else e


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand, the first item of a list standing for all."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*path, 0))


def at(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The value with `change` applied at a path; a `DROP` takes the key out."""
    key, rest = path[0], path[1:]
    try:
        new = at(value[key], rest, change) if rest else change(value[key])
    except (KeyError, IndexError, TypeError):
        return value
    copied = dict(value) if isinstance(value, dict) else list(value)
    if new is DROP:
        del copied[key]
    else:
        copied[key] = new
    return copied


DROP = object()


def retyped(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return 7
    return "x" if isinstance(value, dict | list) else {}


def everywhere(path: tuple[Any, ...], change: Callable[[Any], Any]) -> Change:
    return lambda e: with_json(e, at(e.answer, path, change)) if e.answer is not None else e


def mutations(sample: dict[str, Exchange]) -> Iterator[Mutation]:
    """Every mutation of the operations of which `sample` holds a success."""
    for operation, exchange in sample.items():
        yield from _of_fields(operation, exchange)
        yield from _of_statuses(operation)
        yield from _of_headers(operation)
        yield from _of_bodies(operation, exchange)
    yield from _of_relations()


def _of_fields(operation: str, exchange: Exchange) -> Iterator[Mutation]:
    for path in paths(exchange.answer):
        shown = ".".join(map(str, path))
        if path[-1] != 0:
            yield Mutation(
                "schema", f"{operation} lacks {shown}", of_success(operation, everywhere(path, lambda v: DROP))
            )
        yield Mutation("schema", f"{operation} retypes {shown}", of_success(operation, everywhere(path, retyped)))
        yield Mutation("schema", f"{operation} null {shown}", of_success(operation, everywhere(path, lambda v: None)))


def _of_statuses(operation: str) -> Iterator[Mutation]:
    for status in (201, 204, 206, 299, 302, 500):
        yield Mutation(
            "status", f"{operation} success {status}", of_success(operation, lambda e, s=status: answered(e, status=s))
        )
    for status in (400, 404, 500):
        for instead in (200, 418, 503):
            change = of_refusal(operation, status, lambda e, s=instead: answered(e, status=s))
            yield Mutation("status", f"{operation} {status} as {instead}", change)


def _without_header(exchange: Exchange, name: str) -> Exchange:
    fields = [pair for pair in exchange.response.headers.fields if pair[0].lower() != name]  # type: ignore[union-attr]
    return answered(exchange, headers=Headers(fields))


def _with_header(exchange: Exchange, name: str, value: str) -> Exchange:
    fields = list(_without_header(exchange, name).response.headers.fields)  # type: ignore[union-attr]
    return answered(exchange, headers=Headers([*fields, (name, value)]))


def _of_headers(operation: str) -> Iterator[Mutation]:
    yield Mutation(
        "headers",
        f"{operation} without content-type",
        of_success(operation, lambda e: _without_header(e, "content-type")),
    )
    for kind in ("text/html", "text/plain", "application/xml"):
        yield Mutation(
            "headers",
            f"{operation} as {kind}",
            of_success(operation, lambda e, k=kind: _with_header(e, "content-type", k)),
        )
    yield Mutation(
        "headers", f"{operation} wrong length", of_success(operation, lambda e: _with_header(e, "content-length", "1"))
    )


def _of_bodies(operation: str, exchange: Exchange) -> Iterator[Mutation]:
    yield Mutation("body", f"{operation} empty", of_success(operation, lambda e: answered(e, body=b"")))
    yield Mutation(
        "body",
        f"{operation} truncated",
        of_success(operation, lambda e: answered(e, body=e.response.body[:-1] if len(e.response.body) > 4 else b"nul")),
    )  # type: ignore[union-attr]
    yield Mutation("body", f"{operation} an array around it", of_success(operation, lambda e: with_json(e, [e.answer])))
    yield Mutation("body", f"{operation} html", of_success(operation, lambda e: answered(e, body=b"<html></html>")))


def _mutated_records(change: Callable[[list[Any], Exchange], list[Any]], least: int = 1) -> Change:
    def apply(exchange: Exchange) -> Exchange:
        rows = exchange.answer
        fits = exchange.operation == "pipelines.infer" and exchange.ok and isinstance(rows, list) and len(rows) >= least
        return with_json(exchange, change(rows, exchange)) if fits else exchange

    return apply


def _outputs(change: Callable[[float], float]) -> Callable[[list[Any], Exchange], list[Any]]:
    def apply(rows: list[Any], exchange: Exchange) -> list[Any]:
        return [row | {"out": {k: [change(x) for x in v] for k, v in row["out"].items()}} for row in rows]

    return apply


class Stale:
    """Answers each request with the answer to the one of the same operation before it."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._before: Response | None = None

    def __call__(self, exchange: Exchange) -> Exchange:
        if exchange.operation != self._operation or not exchange.ok:
            return exchange
        before, self._before = self._before, exchange.response
        return replace(exchange, response=before) if before else exchange


def _of_relations() -> Iterator[Mutation]:
    for operation, path in (
        ("pipelines.create", ("pipeline_pk_id",)),
        ("pipelines.create", ("pipeline_variant_pk_id",)),
        ("pipelines.create", ("pipeline_variant_version",)),
        ("pipelines.copy", ("pipeline_pk_id",)),
        ("pipelines.copy", ("pipeline_variant_pk_id",)),
        ("workspaces.create", ("workspace_id",)),
        ("models.upload-and-convert", ("insert_models", "returning", 0, "models", 0, "id")),
    ):
        yield Mutation(
            "identity",
            f"{operation} shifts {path[-1]}",
            of_success(operation, everywhere(path, lambda v: v + 100000 if isinstance(v, int) else v[::-1])),
        )
        yield Mutation(
            "identity",
            f"{operation} constant {path[-1]}",
            of_success(
                operation,
                everywhere(path, lambda v: 12 if isinstance(v, int) else "00000000-0000-4000-8000-000000000000"),
            ),
        )
        yield Mutation(
            "identity",
            f"{operation} negative {path[-1]}",
            of_success(operation, everywhere(path, lambda v: -v if isinstance(v, int) else "")),
        )
        yield Mutation(
            "identity",
            f"{operation} zero {path[-1]}",
            of_success(operation, everywhere(path, lambda v: 0 if isinstance(v, int) else "x")),
        )
    yield Mutation("idempotence", "deploy counts up", of_success("pipelines.deploy", _Counter("id")))
    for operation in (
        "pipelines.create",
        "pipelines.copy",
        "pipelines.deploy",
        "models.list-versions",
        "status.get-deployment",
        "admin.get-pipeline-external-url",
        "workspaces.list",
        "workspaces.create",
        "models.upload-and-convert",
        "pipelines.infer",
    ):
        yield Mutation("stale", f"{operation} answers as before", Stale(operation))
    rows = _mutated_records
    yield Mutation("values", "reversed", rows(lambda r, e: r[::-1], 2))
    yield Mutation(
        "values",
        "outputs reversed",
        rows(lambda r, e: [a | {"out": b["out"]} for a, b in zip(r, r[::-1], strict=True)], 2),
    )
    yield Mutation("values", "first two swapped", rows(lambda r, e: [r[1], r[0], *r[2:]], 2))
    yield Mutation("values", "more than 50 reversed", rows(lambda r, e: r[::-1], 51))
    yield Mutation("values", "last row lost", rows(lambda r, e: r[:-1]))
    yield Mutation("values", "row twice", rows(lambda r, e: [*r, r[-1]]))
    yield Mutation("values", "first answer for all", rows(lambda r, e: [row | {"out": r[0]["out"]} for row in r], 2))
    yield Mutation("values", "off by 1e-3", rows(_outputs(lambda x: x + 1e-3)))
    yield Mutation("values", "off by 1e-5", rows(_outputs(lambda x: x + 1e-5)))
    yield Mutation("values", "three decimals", rows(_outputs(lambda x: round(x, 3))))
    yield Mutation("values", "negated", rows(_outputs(lambda x: -x)))
    yield Mutation(
        "values",
        "inputs echoed wrong",
        rows(lambda r, e: [row | {"in": {k: [x + 1 for x in v] for k, v in row["in"].items()}} for row in r]),
    )
    yield Mutation("values", "time in seconds", rows(lambda r, e: [row | {"time": row["time"] // 1000} for row in r]))
    yield Mutation(
        "values", "time of yesterday", rows(lambda r, e: [row | {"time": row["time"] - 86_400_000} for row in r])
    )
    yield Mutation(
        "values", "time in microseconds", rows(lambda r, e: [row | {"time": row["time"] * 1000} for row in r])
    )
    for field, value in (
        ("partition", "engine-000-xxx"),
        ("elapsed", [1]),
        ("elapsed", [-1, 5]),
        ("pipeline_version", "not-a-uuid"),
        ("dropped", ["in.dense_input"]),
    ):
        yield Mutation(
            "values",
            f"metadata {field} {value}",
            rows(lambda r, e, f=field, v=value: [row | {"metadata": row["metadata"] | {f: v}} for row in r]),
        )
    yield Mutation(
        "values",
        "last_model another sha",
        rows(
            lambda r, e: [
                row
                | {
                    "metadata": row["metadata"]
                    | {"last_model": json.dumps(json.loads(row["metadata"]["last_model"]) | {"model_sha": "0" * 64})}
                }
                for row in r
            ]
        ),
    )
    yield Mutation(
        "values",
        "last_model another name",
        rows(
            lambda r, e: [
                row
                | {
                    "metadata": row["metadata"]
                    | {"last_model": json.dumps(json.loads(row["metadata"]["last_model"]) | {"model_name": "other"})}
                }
                for row in r
            ]
        ),
    )
    yield Mutation("values", "a check failed", rows(lambda r, e: [row | {"check_failures": ["x"]} for row in r]))
    yield from _of_lists()
    for old, new in (
        ("http://127.0.0.1", "http://elsewhere"),
        ("/v1/api/", "/v2/api/"),
        ("/infer/", "/inference/"),
        ("http://", "ftp://"),
    ):
        yield Mutation(
            "relations",
            f"url {new}",
            of_success(
                "admin.get-pipeline-external-url",
                lambda e, o=old, n=new: with_json(e, {"url": e.answer["url"].replace(o, n)}),
            ),
        )
    yield Mutation(
        "relations",
        "url of another deployment",
        of_success(
            "admin.get-pipeline-external-url",
            lambda e: with_json(
                e, {"url": e.answer["url"].rpartition("/")[0] + "9/" + e.answer["url"].rpartition("/")[2]}
            ),
        ),
    )
    yield Mutation(
        "relations",
        "url of another pipeline",
        of_success("admin.get-pipeline-external-url", lambda e: with_json(e, {"url": e.answer["url"] + "x"})),
    )
    for word in ("Starting", "Error", "Stopped", "running"):
        yield Mutation(
            "relations",
            f"status {word}",
            of_success("status.get-deployment", everywhere(("status",), lambda v, w=word: w)),
        )
    for group in ("engines", "engine_lbs"):
        for field, value in (
            ("status", "Pending"),
            ("name", "x"),
            ("ip", "nowhere"),
            ("details", ["bad"]),
            ("reason", "CrashLoopBackOff"),
        ):
            yield Mutation(
                "relations",
                f"{group} {field} {value}",
                of_success("status.get-deployment", everywhere((group, 0, field), lambda v, w=value: w)),
            )
        yield Mutation(
            "relations", f"{group} none", of_success("status.get-deployment", everywhere((group,), lambda v: []))
        )
        yield Mutation(
            "relations", f"{group} twice", of_success("status.get-deployment", everywhere((group,), lambda v: v + v))
        )
    for field in ("name", "version", "sha"):
        yield Mutation(
            "relations",
            f"model_statuses {field}",
            of_success(
                "status.get-deployment",
                everywhere(("engines", 0, "model_statuses", "models", 0, field), lambda v: v[::-1]),
            ),
        )
    yield Mutation(
        "relations",
        "pipeline_statuses id",
        of_success(
            "status.get-deployment",
            everywhere(("engines", 0, "pipeline_statuses", "pipelines", 0, "id"), lambda v: "other"),
        ),
    )
    yield Mutation(
        "relations", "undeploy answers an object", of_success("pipelines.undeploy", lambda e: with_json(e, {}))
    )
    yield Mutation(
        "relations",
        "copy deploys unasked",
        of_success("pipelines.copy", lambda e: with_json(e, e.answer | {"deployment": {"id": 3}})),
    )
    yield Mutation(
        "relations",
        "copy names a version",
        of_success(
            "pipelines.copy",
            lambda e: with_json(e, e.answer | {"pipeline_version": "00000000-0000-4000-8000-000000000000"}),
        ),
    )


def _of_lists() -> Iterator[Mutation]:
    lists: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("none", lambda rows: []),
        ("first lost", lambda rows: rows[1:]),
        ("last lost", lambda rows: rows[:-1]),
        ("last twice", lambda rows: rows + rows[-1:]),
        (
            "a stranger",
            lambda rows: [
                *rows,
                *({**row, "id": 999999, "model_id": "other", "name": "other", "models_pk_id": 1} for row in rows[:1]),
            ],
        ),
    )
    for name, change in lists:
        yield Mutation(
            "relations",
            f"list-versions {name}",
            of_success("models.list-versions", lambda e, c=change: with_json(e, c(e.answer))),
        )
        yield Mutation(
            "relations",
            f"workspaces {name}",
            of_success("workspaces.list", lambda e, c=change: with_json(e, {"workspaces": c(e.answer["workspaces"])})),
        )
    for field, value in (
        ("sha", "0" * 64),
        ("model_version", "x"),
        ("models_pk_id", -1),
        ("model_id", "other"),
        ("status", "error"),
        ("owner_id", "somebody"),
        ("file_name", 5),
    ):
        yield Mutation(
            "relations",
            f"list-versions {field} {value}",
            of_success("models.list-versions", everywhere((0, field), lambda v, w=value: w)),
        )
    for field, value in (
        ("name", "other"),
        ("archived", True),
        ("created_at", "yesterday"),
        ("created_by", ""),
        ("models", []),
        ("pipelines", []),
    ):
        change = of_success(
            "workspaces.list",
            lambda e, f=field, v=value: with_json(e, {"workspaces": [row | {f: v} for row in e.answer["workspaces"]]}),
        )
        yield Mutation("relations", f"workspaces {field} {value}", change)


class _Counter:
    def __init__(self, field: str) -> None:
        self._field, self._count = field, 500

    def __call__(self, exchange: Exchange) -> Exchange:
        self._count += 1
        return with_json(exchange, exchange.answer | {self._field: self._count})
