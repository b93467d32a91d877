"""Relations of inference: rows and numbers, what served them, and what may serve at all."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.tensors import ARROW_TYPES, Rows, expected_outputs, records_answered, rows_answered, rows_sent
from conformance.ledger import Deployment, Ledger, Stage
from conformance.model import Exchange

TOLERANCE = 1e-6
"""Absolute: onnx.reference and onnxruntime differ by at most 1.1e-7 over 1,000 rows of the tutorial's model."""

EARLIEST_MS, LATEST_MS = 1_577_836_800_000, 4_102_444_800_000
"""2020 and 2100 as epoch milliseconds: a `time` in seconds or nanoseconds falls outside."""


def refused_once_undeployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Once status is 404 after an undeploy, nothing is served at that URL (recorded: 404 with an empty body)."""
    deployment = _served(exchange, ledger)
    if deployment is not None and deployment.stage is Stage.GONE and exchange.status is not None:
        yield seen(exchange, "refused-once-undeployed", not exchange.ok, "a refusal, as 404", came(exchange))


def one_record_a_row(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An answer holds one record per row sent, in the rows' order, with the row itself under `in`."""
    if not _judgeable(exchange):
        return
    sent = rows_sent(exchange.request)
    echoed, answered = rows_answered(exchange.response)  # type: ignore[arg-type]
    if sent is None or answered is None:
        return
    yield seen(exchange, "answers-one-record-a-row", len(answered) == len(sent), f"{len(sent)} records", len(answered))
    if echoed is not None and len(echoed) == len(sent):
        same = echoed.shape == sent.shape and bool(np.array_equal(echoed.astype(np.float32), sent.astype(np.float32)))
        yield seen(
            exchange, "echoes-its-input", same, "each row under `in` as it was sent", _first_difference(sent, echoed)
        )


def computes_the_model(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The numbers are those of the uploaded file, computed apart from the target by onnx.reference."""
    deployment = _served(exchange, ledger)
    if deployment is None or not _judgeable(exchange) or len(deployment.shas) != 1:
        return
    content, sent = ledger.contents.get(deployment.shas[0]), rows_sent(exchange.request)
    _, answered = rows_answered(exchange.response)  # type: ignore[arg-type]
    if content is None or sent is None or answered is None or len(sent) != len(answered):
        return
    expected = expected_outputs(content, sent)
    if expected is None:
        return
    same = expected.shape == answered.shape and bool(np.allclose(answered, expected, rtol=0, atol=TOLERANCE))
    yield seen(
        exchange, "computes-the-model", same, _first_expected(expected, answered), _first_difference(expected, answered)
    )


def last_model(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`metadata.last_model` names the model that served, with the SHA-256 of its bytes."""
    deployment = _served(exchange, ledger)
    if deployment is None or not deployment.shas or not exchange.ok:
        return
    for record in records_answered(exchange)[:1]:
        model = _last_model(record)
        if model is None:
            continue
        name, sha = deployment.models[-1], deployment.shas[-1]
        yield seen(
            exchange,
            "last-model-has-the-models-name",
            model.get("model_name") == name,
            f"model_name {name!r}",
            model.get("model_name"),
        )
        yield seen(
            exchange,
            "last-model-has-the-models-sha",
            model.get("model_sha") == sha,
            f"model_sha {sha}",
            model.get("model_sha"),
        )


def partition(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`metadata.partition` is an engine of the deployment, as status lists them."""
    deployment = _served(exchange, ledger)
    if deployment is None or not deployment.engines or not exchange.ok:
        return
    for record in records_answered(exchange)[:1]:
        named = _metadata(record).get("partition")
        if isinstance(named, str):
            held = named in deployment.engines
            yield seen(exchange, "partition-is-an-engine", held, f"one of {sorted(deployment.engines)}", named)


def time_is_epoch_ms(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`time` is milliseconds since 1970 (recorded: 1701377058894)."""
    times = (
        [record.get("time") for record in records_answered(exchange)] if exchange.operation == "pipelines.infer" else []
    )
    wrong = [value for value in times if type(value) is int and not EARLIEST_MS <= value <= LATEST_MS]
    if times:
        yield seen(exchange, "time-is-epoch-milliseconds", not wrong, "milliseconds since 1970", wrong[:1])


def arrow_answers_arrow(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Who sends an Arrow file and accepts only that gets one."""
    request, response = exchange.request, exchange.response
    if exchange.operation != "pipelines.infer" or response is None or not response.ok or not response.headers_known:
        return
    if request.headers.get("accept", "").strip().lower() == "application/vnd.apache.arrow.file":
        readable = response.media_type in ARROW_TYPES and rows_answered(response)[1] is not None
        yield seen(exchange, "answers-arrow-in-arrow", readable, "an Arrow file with the outputs", response.media_type)


def _served(exchange: Exchange, ledger: Ledger) -> Deployment | None:
    return ledger.deployment_served_by(exchange) if exchange.operation == "pipelines.infer" else None


def _judgeable(exchange: Exchange) -> bool:
    plain = "dataset" not in urlsplit(exchange.request.url).query
    told = exchange.ok or (exchange.response is not None and exchange.status is None)
    return exchange.operation == "pipelines.infer" and told and plain


def _metadata(record: dict[str, Any]) -> dict[str, Any]:
    metadata = record.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _last_model(record: dict[str, Any]) -> dict[str, Any] | None:
    text = _metadata(record).get("last_model")
    try:
        model = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None
    return model if isinstance(model, dict) else None


def _first_expected(expected: Rows, answered: Rows) -> str:
    row = _worst_row(expected, answered)
    return f"{[float(np.float32(value)) for value in expected[row]]} in row {row}, within {TOLERANCE:g}"


def _first_difference(expected: Rows, answered: Rows) -> str:
    if expected.shape != answered.shape:
        return f"{answered.shape[1]} values a row where {expected.shape[1]} were due"
    row = _worst_row(expected, answered)
    return f"{answered[row].tolist()} in row {row}"


def _worst_row(expected: Rows, answered: Rows) -> int:
    if expected.shape != answered.shape:
        return 0
    return int(np.argmax(np.abs(np.nan_to_num(expected - answered, nan=np.inf)).max(axis=1)))
