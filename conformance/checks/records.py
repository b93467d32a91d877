"""What a record of an inference says beside its numbers: which model and engine, when, and how long it took."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from conformance.api.tensors import records_answered
from conformance.checks.inference import served_by
from conformance.checks.pipelines import is_uuid
from conformance.checks.pods import elsewhere, is_alone, shas_of_other_versions
from conformance.checks.rules import Findings, Rules, is_id, seen, told
from conformance.ledger import Ledger
from conformance.ledger.memory import EARLIEST_MS, LATEST_MS, engine_of, span_of
from conformance.model import Exchange

_APART_MS = 600_000
"""How far the clocks of an engine and of whoever writes Date may be apart: less than any two time zones are."""

_DRIFT_MS = 3_000
"""How far an engine's clock may have moved against ours since it was first seen."""

_LEAST_NS, _SAME_SPANS = 1_000, 5
"""No inference takes less than a microsecond (recorded of one row: 371,205 ns); answers in a row that do not take the
same to the nanosecond."""

_SLACK_NS = 50_000_000
"""Clocks of the engine and of ours need not tick alike."""


def last_model(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`metadata.last_model` names the model that served, with the SHA-256 of its bytes."""
    deployment = served_by(exchange, ledger)
    models = last_models(exchange)
    if deployment is None or not deployment.shas or not exchange.ok or not models:
        return
    name, sha = deployment.models[-1], deployment.shas[-1]
    texts = [text for model in models if isinstance(text := model.get("model_sha"), str)]
    others = [text for text in texts if text != sha]
    if deployment.shown and sha not in deployment.shown:
        return  # status has said already that another model is served
    if others and set(others) <= shas_of_other_versions(ledger, deployment):
        if is_alone(ledger, deployment):
            slug = "serves-the-version-deployed"
            yield elsewhere(exchange, "pipelines.deploy", slug, False, f"model_sha {sha}", others)
        return
    if texts:
        yield seen(exchange, "last-model-has-the-models-sha", not others, f"model_sha {sha}", others[:1])
    names = [model.get("model_name") for model in models if isinstance(model.get("model_name"), str)]
    if names and not others:
        wrong = [text for text in names if text != name]
        yield seen(exchange, "last-model-has-the-models-name", not wrong, f"model_name {name!r}", wrong[:1])


def partition(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`metadata.partition` is an engine of the deployment, as status lists them."""
    deployment = served_by(exchange, ledger)
    if deployment is None or not deployment.engines or not exchange.ok:
        return
    named = {text for text in _said(exchange, "partition") if isinstance(text, str)}
    if named:
        held = named <= deployment.engines
        expected = f"one of {sorted(deployment.engines)}"
        yield seen(exchange, "partition-is-an-engine", held, expected, sorted(named))


def pipeline_version(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`metadata.pipeline_version` is empty, or a UUID: of a version of the pipeline, where all of them are known."""
    if not told(exchange, "pipelines.infer"):
        return
    texts = {text for text in _said(exchange, "pipeline_version") if isinstance(text, str)}
    deployment = served_by(exchange, ledger)
    pipeline = ledger.pipelines.get(deployment.pipeline_pk) if deployment and deployment.pipeline_pk else None
    known = {version.version for version in pipeline.versions} if pipeline else {""}
    strange = [text for text in texts if text and not (is_uuid(text) and ("" in known or text in known))]
    if texts:
        expected = "an empty text, or a version's UUID"
        yield seen(exchange, "pipeline-version-is-empty-or-its-own", not strange, expected, strange[:1])


def time_is_epoch_ms(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`time` is milliseconds since 1970 (recorded: 1701377058894)."""
    times = _times(exchange)
    if times:
        wrong = [value for value in times if not EARLIEST_MS <= value <= LATEST_MS]
        yield seen(exchange, "time-is-epoch-milliseconds", not wrong, "milliseconds since 1970", wrong[:1])


def time_is_of_the_answer(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """`time` is within ten minutes of the answer's own Date, whatever our clock says; and where an earlier answer of
    the same engine has shown how far its clock is from ours, it is not older than the request."""
    times = [value for value in _times(exchange) if EARLIEST_MS <= value <= LATEST_MS]
    if not times:
        return
    answered, stale = _date_ms(exchange), _stale(exchange, ledger, times)
    if answered is not None:
        far = [value for value in times if abs(value - answered) > _APART_MS]
        expected = "a time within ten minutes of Date"
        yield seen(exchange, "time-is-of-the-answer", not far, expected, f"{far[0]} at {int(answered)}" if far else "")
    if stale is not None:
        expected = "a time between the request and its answer, by the clock of the engine"
        yield seen(exchange, "time-is-of-the-answer", not stale, expected, stale)


def _date_ms(exchange: Exchange) -> float | None:
    date = exchange.response.headers.get("date", "") if exchange.response else ""
    try:
        return parsedate_to_datetime(date).timestamp() * 1000
    except (ValueError, TypeError, IndexError):
        return None


def _stale(exchange: Exchange, ledger: Ledger, times: list[int]) -> str | None:
    """By how much the times miss the exchange, None where the engine's clock is not known."""
    clock = ledger.memory.clocks.get(engine_of(exchange, served_by(exchange, ledger)))
    if clock is None or exchange.started is None or exchange.ended is None:
        return None
    early = exchange.started * 1000 + clock[0] - min(times)
    late = max(times) - exchange.ended * 1000 - clock[1]
    if early > _DRIFT_MS:
        return f"{early / 1000:.1f} s before the request"
    return f"{late / 1000:.1f} s after the answer" if late > _DRIFT_MS else ""


def no_failures(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """No checks fail where the pipeline's definition has inference steps alone."""
    deployment = served_by(exchange, ledger)
    if deployment is None or not deployment.shas or not told(exchange, "pipelines.infer"):
        return
    failures = [failure for record in records_answered(exchange) for failure in _failures(record)]
    if records_answered(exchange):
        held = not failures
        yield seen(exchange, "nothing-fails-a-check-where-there-is-none", held, "no failed check", failures[:1])


def elapsed_fits(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What the engine says it spent, in nanoseconds, is no longer than the whole call took."""
    taken = exchange.response.elapsed if exchange.response and told(exchange, "pipelines.infer") else None
    spans = [sum(span) for span in _said(exchange, "elapsed") if isinstance(span, list) and all(map(is_id, span))]
    if taken is not None and spans:
        longest = max(spans)
        held = longest <= taken * 1e9 + _SLACK_NS
        yield seen(exchange, "elapsed-fits-into-the-call", held, f"at most {taken:.3f} s in nanoseconds", longest)


def elapsed_is_of_the_answer(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What an engine says it spent is no less than any inference takes, and not what it said of answers before."""
    span = span_of(exchange) if told(exchange, "pipelines.infer") else None
    if not span:
        return
    held = sum(span) >= _LEAST_NS
    yield seen(exchange, "elapsed-is-in-nanoseconds", held, f"{_LEAST_NS} ns at least, as nothing is faster", span)
    last, count = ledger.memory.spans.get(engine_of(exchange, served_by(exchange, ledger)), ((), 0))
    if not any(one % 1_000 for one in span):
        return  # a clock of microseconds may well say the same twice
    if count >= _SAME_SPANS - 1:
        held, expected = span != last, "another elapsed than that of several answers before"
        yield seen(exchange, "elapsed-is-of-the-answer", held, expected, f"{list(span)}, {count + 1} times in a row")
    elif count:
        yield seen(exchange, "elapsed-is-of-the-answer", True, "an elapsed of its own")


def drops_nothing(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Nothing is dropped where the pipeline's definition has inference steps alone, and all columns were asked for."""
    deployment = served_by(exchange, ledger)
    if deployment is None or not deployment.shas or not exchange.ok or urlsplit(exchange.request.url).query:
        return
    lists = [one for one in _said(exchange, "dropped") if isinstance(one, list)]
    if lists:
        dropped = [one for one in lists if one]
        yield seen(exchange, "drops-nothing-unasked", not dropped, "dropped is []", dropped[:1])


def _times(exchange: Exchange) -> list[int]:
    records = records_answered(exchange) if exchange.operation == "pipelines.infer" else []
    return [record["time"] for record in records if is_id(record.get("time"))]


def _said(exchange: Exchange, name: str) -> list[Any]:
    metadata = [record.get("metadata") for record in records_answered(exchange)]
    return [one[name] for one in metadata if isinstance(one, dict) and name in one]


def _failures(record: dict[str, Any]) -> list[Any]:
    """Failed checks of 2023.4, or the count of anomalies that stands in their place later."""
    failed, anomaly = record.get("check_failures"), record.get("anomaly")
    found = list(failed) if isinstance(failed, list) else []
    count = anomaly.get("count") if isinstance(anomaly, dict) else 0
    return [*found, *([f"anomaly count {count}"] if count else [])]


def last_models(exchange: Exchange) -> list[dict[str, Any]]:
    """The different models that records name as the last one."""
    found = []
    for text in {text if isinstance(text, str) else json.dumps(text) for text in _said(exchange, "last_model")}:
        try:
            model = json.loads(text)
        except ValueError:
            continue
        found += [model] if isinstance(model, dict) else []
    return found
