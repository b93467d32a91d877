"""Relations between answers that need no ground truth: they hold for any model, whatever it computes."""

from __future__ import annotations

import numpy as np

from conformance.api.tensors import expected_outputs
from conformance.checks.rules import Findings, Rules, came
from conformance.ledger import Ledger, Pipeline
from conformance.ledger.memory import READS, Answered, answered_rows, projection
from conformance.model import Exchange, Finding

TOLERANCE = 1e-6
"""Absolute. A batch may be computed in another order of additions than a single row."""

_WORDS = {
    "a-repeat-repeats": "the same outputs as the same request got before",
    "json-equals-arrow": "the same outputs by JSON and by Arrow",
    "a-permuted-batch-permutes": "the same outputs in the rows' other order",
    "a-batch-equals-its-rows": "the same outputs for a row alone and within other rows",
    "answers-alike-after-redeploy": "the same outputs as before the redeploy",
    "a-copy-answers-as-its-source": "the same outputs as the pipeline it was copied from",
}


def same_row_same_answer(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A row that the same models answered before gets the same outputs, however it is asked now.

    Where the models' file says what is right, a wrong answer is that of `computes-the-model`, and is not told twice.
    """
    if exchange.operation != "pipelines.infer" or not exchange.ok or "dataset" in exchange.request.url:
        return
    answered = answered_rows(exchange, ledger.deployment_served_by(exchange))
    if answered is None:
        return
    shas, deployment, pairs = answered
    seen: dict[str, Finding] = {}
    for row, outputs in pairs:
        before = ledger.memory.rows.get((shas, row))
        slug = _relation(before, exchange, deployment, ledger) if before else ""
        if before is None or not slug or (slug in seen and not seen[slug].held):
            continue
        held = _alike(outputs, before.outputs)
        if not held and _truth_is_known(shas, ledger, row):
            continue
        actual = "" if held else f"{list(outputs)} where {list(before.outputs)} came before"
        evidence = (exchange,) if held else (before.exchange, exchange)
        seen[slug] = Finding(f"pipelines.infer.{slug}", held, _WORDS[slug], actual, evidence, "pipelines.infer")
    yield from seen.values()


def _relation(before: Answered, exchange: Exchange, deployment: int, ledger: Ledger) -> str:
    """Which relation an earlier answer stands in to this one; empty where none is promised."""
    if before.deployment == deployment:
        return _on_one_deployment(before.exchange, exchange)
    there, here = (_pipeline(number, ledger) for number in (before.deployment, deployment))
    if there is None or here is None:
        return ""
    if there.pk == here.pk:
        return "answers-alike-after-redeploy"
    return "a-copy-answers-as-its-source" if there.pk in _sources(here, ledger) else ""


def _on_one_deployment(before: Exchange, now: Exchange) -> str:
    if before.request.media_type != now.request.media_type:
        return "json-equals-arrow"
    if before.request.body == now.request.body:
        return "a-repeat-repeats"
    first, second = before.question, now.question
    both = isinstance(first, list) and isinstance(second, list) and len(first) == len(second) > 1
    if both and sorted(map(repr, first)) == sorted(map(repr, second)):
        return "a-permuted-batch-permutes"
    return "a-batch-equals-its-rows"


def _pipeline(deployment: int, ledger: Ledger) -> Pipeline | None:
    known = ledger.deployments.get(deployment)
    return ledger.pipelines.get(known.pipeline_pk) if known and known.pipeline_pk is not None else None


def _sources(pipeline: Pipeline, ledger: Ledger) -> set[int]:
    found: set[int] = set()
    while pipeline.source is not None and pipeline.source not in found:
        found.add(pipeline.source)
        source = ledger.pipelines.get(pipeline.source)
        if source is None:
            break
        pipeline = source
    return found


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=TOLERANCE, equal_nan=True))


def _truth_is_known(shas: tuple[str, ...], ledger: Ledger, row: bytes) -> bool:
    content = ledger.contents.get(shas[0]) if len(shas) == 1 else None
    rows = np.frombuffer(row, np.float32).astype(np.float64).reshape(1, -1)
    return content is not None and expected_outputs(content, rows) is not None


def refusal_changed_nothing(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A read after nothing but refusals shows what it showed before them (RFC 9110 15.5: they were not carried out)."""
    memory = ledger.memory
    if exchange.operation not in READS or not exchange.ok or not memory.refused:
        return
    before, shown = (
        memory.reads.get((exchange.operation, exchange.request.body)),
        projection(exchange, ledger.workspaces),
    )
    if before is None or shown is None:
        return
    held = before[0] == shown
    for refused in memory.refused[-1:]:
        yield Finding(
            f"{refused.operation}.a-refusal-changes-nothing",
            held,
            f"{exchange.operation} as before the refusal",
            "" if held else f"after {came(refused)}: {_difference(before[0], shown)}",
            (exchange,) if held else (before[1], *memory.refused, exchange),
            refused.operation or "",
        )


def _difference(before: str, after: str) -> str:
    start = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(map(len, (before, after)))
    )
    start = max(0, start - 40)
    return f"…{before[start : start + 100]}… became …{after[start : start + 100]}…"
