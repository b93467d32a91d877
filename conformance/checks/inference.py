"""Relations of inference: rows and numbers, and what may serve at all."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np

from conformance.api.tensors import (
    ARROW_TYPES,
    Rows,
    arrow_table,
    column_sent,
    declared_outputs,
    expected_outputs,
    names_answered,
    names_of,
    records_answered,
    rows_answered,
    rows_sent,
)
from conformance.checks.rules import Findings, Rules, came, seen, told
from conformance.ledger import Deployment, Ledger, Stage
from conformance.model import Exchange, Mark

TOLERANCE = 1e-6
"""Absolute: onnx.reference and onnxruntime differ by at most 1.1e-7 over 1,000 rows of the tutorial's model."""


def refused_once_undeployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Once status is 404 after an undeploy, nothing is served at that URL (recorded: 404 with an empty body)."""
    deployment = served_by(exchange, ledger)
    if deployment is not None and deployment.stage is Stage.GONE and exchange.status is not None:
        yield seen(exchange, "refused-once-undeployed", not exchange.ok, "a refusal, as 404", came(exchange))


def nothing_routed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Where nothing is routed the answer is 404, and empty (recorded)."""
    if exchange.operation != "pipelines.infer" or exchange.response is None or exchange.status is None:
        return
    if Mark.NEVER_WAS in exchange.labels:
        yield seen(exchange, "nothing-routed-is-404", exchange.status == 404, "status 404", came(exchange))
    if exchange.status == 404 and exchange.response.body_known:
        empty = not exchange.response.body
        yield seen(exchange, "says-nothing-where-nothing-is-routed", empty, "an empty body", came(exchange))


def before_running(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Until status has said Running, an inference is served, or refused by 404 (not routed) or 503 (not ready)."""
    deployment = served_by(exchange, ledger)
    if (
        deployment is None
        or not deployment.shas  # a pipeline without models has nothing to compute, and fails as recorded
        or deployment.stage is not Stage.DEPLOYED
        or deployment.running
        or (exchange.intent != "valid" and Mark.BEFORE_RUNNING not in exchange.labels)
    ):
        return
    if exchange.status is not None and exchange.status not in (401, 403, 429):
        held = exchange.ok or exchange.status in (404, 503)
        yield seen(exchange, "before-running-it-serves-or-says-no-more", held, "200, 404 or 503", came(exchange))


def one_record_a_row(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An answer holds one record per row sent, with the row itself under `in`, by the name it was sent."""
    if not is_judgeable(exchange):
        return
    sent = rows_sent(exchange.request, _names(exchange, ledger)[0])
    assert exchange.response is not None
    echoed, answered = rows_answered(exchange.response)
    if sent is not None and echoed is None and column_sent(exchange.request) and _told_as_objects(exchange, "in"):
        yield seen(exchange, "echoes-its-input", False, "each row under `in` as it was sent", came(exchange))
    if sent is None or answered is None:
        return
    yield seen(exchange, "answers-one-record-a-row", len(answered) == len(sent), f"{len(sent)} records", len(answered))
    if echoed is None or len(echoed) != len(sent):
        return
    same, column = _same(sent, echoed) and _is_echo(exchange), column_sent(exchange.request)
    if not same and _permuted(sent, echoed):
        return  # whole records in another order break the order's row
    names = {name for named in names_answered(exchange.response, "in") for name in named}
    named = not column or not names or names == {column}
    actual = f"{column} under {sorted(names)}" if same else _first_difference(sent, echoed)
    yield seen(exchange, "echoes-its-input", same and named, "each row under `in` as it was sent", actual)


def _is_echo(exchange: Exchange) -> bool:
    """Whether a row of JSON that came as a list is echoed as one, and a number as a number."""
    question, answer = exchange.question, exchange.answer
    if not isinstance(question, list) or not isinstance(answer, list) or len(question) != len(answer):
        return True
    pairs = [(sent, told.get("in")) for sent, told in zip(question, answer, strict=True) if isinstance(told, dict)]
    return all(
        isinstance(value, list) == isinstance(told[name], list)
        for sent, told in pairs
        if isinstance(sent, dict) and isinstance(told, dict)
        for name, value in sent.items()
        if name in told
    )


def computes_the_model(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The numbers are those of the uploaded file, in the rows' order, computed apart from the target by onnx.reference.

    Where an answer names another model that was uploaded, it is held to that one: the wrong name is told by its row.
    """
    content = serving_content(exchange, ledger)
    if content is None or not is_judgeable(exchange):
        return
    sent = rows_sent(exchange.request, (names_of(content) or ("", ""))[0])
    assert exchange.response is not None
    _, answered = rows_answered(exchange.response)
    if sent is not None and answered is None and _told_as_objects(exchange, "out"):
        yield seen(exchange, "computes-the-model", False, "numbers as outputs, as the model gives", came(exchange))
    if sent is None or answered is None or len(sent) != len(answered):
        return
    expected = expected_outputs(content, sent)
    if expected is None:
        return
    if not _close(expected, answered) and _permuted(expected, answered):
        yield seen(exchange, "keeps-the-order-of-rows", False, "the records in the order of their rows",
                   f"the outputs of {len(answered)} rows in another order")  # fmt: skip
        return
    if len(expected) > 1 and _close(expected, answered):
        yield seen(exchange, "keeps-the-order-of-rows", True, "the records in the order of their rows")
    yield seen(
        exchange,
        "computes-the-model",
        _close(expected, answered),
        _first_expected(expected, answered),
        _first_difference(expected, answered),
    )


def output_named(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The outputs stand under the name that the model's file gives its output."""
    content = serving_content(exchange, ledger) if is_judgeable(exchange) else None
    due = sorted(tensor.name for tensor in declared_outputs(content)) if content else []
    outs = names_answered(exchange.response, "out") if exchange.response else []
    if due and outs:
        wrong = next((sorted(out) for out in outs if sorted(out) != due), None)
        yield seen(exchange, "names-the-models-output", wrong is None, f"{due} under `out`", wrong)


_ARROW_FILE = b"ARROW1"
"""What an Arrow file begins with."""


def arrow_answers_arrow(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Who sends an Arrow file and accepts only that gets one."""
    request, response = exchange.request, exchange.response
    if exchange.operation != "pipelines.infer" or response is None or not response.ok or not response.headers_known:
        return
    if not response.body_known:
        return
    accept = request.headers.get("accept", "").strip().lower()
    known = response.media_type in {*ARROW_TYPES, "application/json"}  # of any other, its own row tells
    if known and request.media_type in ARROW_TYPES and accept == "application/vnd.apache.arrow.file":
        # Readers of files do not read streams, which begin otherwise (Arrow columnar format, IPC File Format).
        whole = response.media_type != accept or response.body.startswith(_ARROW_FILE)
        readable = response.media_type in ARROW_TYPES and arrow_table(response) is not None
        actual = response.media_type if whole else "an Arrow stream under the media type of a file"
        yield seen(exchange, "answers-arrow-in-arrow", readable and whole, "an Arrow file with the outputs", actual)


def form_accepted(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An answer is in the one form that Accept names, whatever the rows came in (RFC 9110 12.5.1)."""
    request, response = exchange.request, exchange.response
    if exchange.operation != "pipelines.infer" or response is None or not response.ok or not response.headers_known:
        return
    accept = request.headers.get("accept", "").split(";")[0].strip().lower()
    sent_as = "application/json" if request.media_type == "application/json" else "application/vnd.apache.arrow.file"
    if accept in ("application/json", "application/vnd.apache.arrow.file") and accept != sent_as:
        held = response.media_type == accept
        yield seen(exchange, "answers-in-the-form-accepted", held, f"an answer of {accept}", response.media_type)


def answered_among_many(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """While many ask, each inference of a deployment that runs is answered, and by more than that nothing is routed."""
    if Mark.UNDER_LOAD in exchange.labels and exchange.operation == "pipelines.infer":
        response = exchange.response
        away = response is None or (exchange.status in (404, 503) and not response.body)
        yield seen(exchange, "answers-each-of-many", not away, "an answer, as others got meanwhile", came(exchange))


def served_by(exchange: Exchange, ledger: Ledger) -> Deployment | None:
    """The deployment an inference was sent to, None where none such was seen."""
    return ledger.deployment_served_by(exchange) if exchange.operation == "pipelines.infer" else None


def _told_as_objects(exchange: Exchange, side: str) -> bool:
    """Whether every record of a JSON answer has an object on that side: what is none breaks the described body."""
    answer = exchange.answer
    return (
        isinstance(answer, list)
        and bool(answer)
        and all(isinstance(record, dict) and isinstance(record.get(side), dict) for record in answer)
    )


def is_judgeable(exchange: Exchange) -> bool:
    """Whether an answer holds all there is: it was told, and no column was chosen (`dataset` in the query)."""
    return told(exchange, "pipelines.infer") and "dataset" not in urlsplit(exchange.request.url).query


def serving_content(exchange: Exchange, ledger: Ledger) -> bytes | None:
    """The file of the model that served: of the one the answer names if it is known, else of the one that a Running
    status last showed, else of the one deployed."""
    deployment = served_by(exchange, ledger)
    if deployment is None or len(deployment.shas) != 1:
        return None
    for record in records_answered(exchange)[:1]:
        metadata = record.get("metadata")
        last = metadata.get("last_model") if isinstance(metadata, dict) else None
        for sha, content in ledger.contents.items():
            if isinstance(last, str) and sha in last:
                return content
    shown = ledger.contents.get(deployment.shown[0]) if len(deployment.shown) == 1 else None
    return shown or ledger.contents.get(deployment.shas[0])


def _names(exchange: Exchange, ledger: Ledger) -> tuple[str, str]:
    """The names of the serving model's input and output, empty where unknown."""
    content = serving_content(exchange, ledger) if exchange.operation == "pipelines.infer" else None
    return (names_of(content) if content else None) or ("", "")


def _same(one: Rows, other: Rows) -> bool:
    return one.shape == other.shape and bool(
        np.array_equal(one.astype(np.float32), other.astype(np.float32), equal_nan=True)
    )


def _close(expected: Rows, answered: Rows) -> bool:
    return expected.shape == answered.shape and bool(
        np.allclose(answered, expected, rtol=0, atol=TOLERANCE, equal_nan=True)
    )


def _permuted(expected: Rows, answered: Rows) -> bool:
    """Whether the rows are the same ones in another order."""
    if expected.shape != answered.shape or len(expected) < 2:
        return False
    return _close(expected[np.lexsort(expected.T)], answered[np.lexsort(answered.T)])


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
