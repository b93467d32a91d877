"""What answers have said before, kept so that the same question asked again, or asked differently, can be compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from rpds import HashTrieMap, HashTrieSet

from conformance.api.operations import INFER, VERSIONS, changing
from conformance.api.tensors import records_answered, rows_answered, rows_sent
from conformance.ledger.entries import Deployment
from conformance.model import Exchange

EARLIEST_MS, LATEST_MS = 1_577_836_800_000, 4_102_444_800_000
"""2020 and 2100 as epoch milliseconds: a `time` in seconds or nanoseconds falls outside."""

_ROWS_KEPT = 64
"""Rows of one inference that are kept: its first ones. Larger batches are compared by these."""

_REFUSALS_KEPT = 4

LASTING: Mapping[str, tuple[str, ...]] = {
    "workspaces.list": ("created_at", "created_by"),
    "models.list-versions": ("sha", "model_version", "models_pk_id", "model_id", "owner_id"),
}
"""For each read that lists things, the fields that stay as they were, whatever is done with the thing."""

READS = frozenset(LASTING)
"""Reads whose answers change through this run's own calls alone, as far as they speak of what this run made."""


@dataclass(frozen=True)
class Answered:
    """One row answered once: the outputs, and the exchange and deployment that gave them."""

    outputs: tuple[float, ...]
    exchange: Exchange
    deployment: int


@dataclass(frozen=True)
class Memory:
    """A fold over exchanges, a part of the ledger.

    `rows` holds the first answer to each row, by the SHA-256 of the models that computed it (in their order) and the
    row as float32 bytes. `reads` holds the last projection of each read since anything changed, with its exchange;
    `refused` the refusals since then. `clocks` holds how many milliseconds the clock of an engine may be ahead of ours,
    least and most, as its first answer showed. `listed` holds what each thing was last listed with in the fields that
    last, and `ready` the versions that were listed as ready; `spans` by engine the last `elapsed`, and how many answers
    in a row have told it.
    """

    rows: HashTrieMap[tuple[tuple[str, ...], bytes], Answered] = field(default_factory=HashTrieMap)
    reads: HashTrieMap[tuple[str, bytes], tuple[str, Exchange]] = field(default_factory=HashTrieMap)
    refused: tuple[Exchange, ...] = ()
    clocks: HashTrieMap[tuple[int, str], tuple[float, float]] = field(default_factory=HashTrieMap)
    listed: HashTrieMap[tuple[str, int], Mapping[str, Any]] = field(default_factory=HashTrieMap)
    ready: HashTrieSet[int] = field(default_factory=HashTrieSet)
    spans: HashTrieMap[tuple[int, str], tuple[tuple[int, ...], int]] = field(default_factory=HashTrieMap)

    def after(self, exchange: Exchange, serving: Deployment | None, workspaces: Collection[int]) -> Memory:
        """The memory once this exchange is known. What was known before it: the deployment that an inference was sent
        to, and the workspaces that this run made."""
        if exchange.operation == INFER:
            return self._inferred(exchange, serving) if exchange.ok else self
        if exchange.operation in changing():
            return self._changed(exchange)
        if exchange.operation in READS and exchange.ok:
            self = self._listed(exchange)
            shown = projection(exchange, workspaces)
            if shown is not None:
                key = (exchange.operation or "", exchange.request.body)
                return replace(self, reads=self.reads.insert(key, (shown, exchange)), refused=())
        return self

    def _listed(self, exchange: Exchange) -> Memory:
        listed, operation = self.listed, exchange.operation or ""
        for number, told in lasting(exchange).items():
            before = listed.get((operation, number))
            if before != told:
                listed = listed.insert((operation, number), {**(before or {}), **told})
        self = replace(self, listed=listed) if listed is not self.listed else self
        if operation != VERSIONS:
            return self
        new = [row["id"] for row in _objects(exchange.answer) if row.get("status") == "ready" and "id" in row]
        return replace(self, ready=self.ready.update(one for one in new if isinstance(one, int)))

    def _changed(self, exchange: Exchange) -> Memory:
        if exchange.status is not None and 400 <= exchange.status < 600 and exchange.status != 429:
            return replace(self, refused=(*self.refused, exchange)[-_REFUSALS_KEPT:]) if self.reads else self
        # A success changes something; of a request without an answer nobody knows.
        return replace(self, reads=HashTrieMap(), refused=()) if self.reads else self

    def _inferred(self, exchange: Exchange, serving: Deployment | None) -> Memory:
        answered = answered_rows(exchange, serving)
        if answered is None:
            return self
        if (engine := engine_of(exchange, serving)) not in self.clocks and (clock := _clock(exchange)) is not None:
            self = replace(self, clocks=self.clocks.insert(engine, clock))
        if (span := span_of(exchange)) is not None:
            last, count = self.spans.get(engine, ((), 0))
            self = replace(self, spans=self.spans.insert(engine, (span, count + 1 if span == last else 1)))
        shas, deployment, pairs = answered
        rows = self.rows
        for row, outputs in pairs:
            if (shas, row) not in rows:
                rows = rows.insert((shas, row), Answered(outputs, exchange, deployment))
        return replace(self, rows=rows) if rows is not self.rows else self


def lasting(exchange: Exchange) -> dict[int, dict[str, Any]]:
    """By its id, what a read tells of each thing in the fields that last; what it leaves untold is not there."""
    answer = exchange.answer
    rows = answer.get("workspaces") if isinstance(answer, dict) else answer
    names = LASTING.get(exchange.operation or "", ())
    return {
        row["id"]: {name: row[name] for name in names if isinstance(row.get(name), str | int)}
        for row in _objects(rows)
        if isinstance(row.get("id"), int)
    }


def span_of(exchange: Exchange) -> tuple[int, ...] | None:
    """The `elapsed` of an answer's first record; None where it has none."""
    metadata = next(iter(records_answered(exchange)), {}).get("metadata")
    span = metadata.get("elapsed") if isinstance(metadata, dict) else None
    return tuple(span) if isinstance(span, list) and all(isinstance(one, int) for one in span) else None


def engine_of(exchange: Exchange, deployment: Deployment | None) -> tuple[int, str]:
    """The deployment and the engine that answered, as far as an answer says."""
    first = next(iter(records_answered(exchange)), {})
    metadata = first.get("metadata")
    partition = metadata.get("partition") if isinstance(metadata, dict) else None
    return deployment.id if deployment else 0, partition if isinstance(partition, str) else ""


def _clock(exchange: Exchange) -> tuple[float, float] | None:
    times = [one.get("time") for one in records_answered(exchange)]
    told = [time for time in times if isinstance(time, int) and EARLIEST_MS <= time <= LATEST_MS]
    if not told or exchange.started is None or exchange.ended is None:
        return None
    return min(told) - exchange.ended * 1000, max(told) - exchange.started * 1000


def answered_rows(
    exchange: Exchange, deployment: Deployment | None
) -> tuple[tuple[str, ...], int, list[tuple[bytes, tuple[float, ...]]]] | None:
    """The models that served, the deployment's id, and (row as float32 bytes, outputs) of the first rows.

    None where the deployment or its models are unknown, or the rows cannot be told apart.
    """
    if deployment is None or not deployment.shas or exchange.response is None:
        return None
    sent = rows_sent(exchange.request)
    _, outputs = rows_answered(exchange.response)
    if sent is None or outputs is None or len(sent) != len(outputs):
        return None
    rows = sent[:_ROWS_KEPT].astype(np.float32)
    pairs = [(row.tobytes(), tuple(out.tolist())) for row, out in zip(rows, outputs[:_ROWS_KEPT], strict=True)]
    return deployment.shas, deployment.id, pairs


def projection(exchange: Exchange, workspaces: Collection[int]) -> str | None:
    """What a read shows of what this run made, as a text to compare; None where it cannot be read."""
    answer = exchange.answer
    if exchange.operation == "workspaces.list":
        rows = answer.get("workspaces") if isinstance(answer, dict) else None
        ours = [row for row in _objects(rows) if row.get("id") in workspaces]
        return repr(sorted((str(row.get("id")), str(row.get("name")), _ids(row)) for row in ours)) if ours else None
    question = exchange.question
    if not isinstance(question, dict) or question.get("model_id") is None or question.get("models_pk_id") is not None:
        return None
    return repr(sorted((str(row.get("id")), str(row.get("sha"))) for row in _objects(answer)))


def _ids(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {sorted(map(str, row.get(name) or []))}" for name in ("models", "pipelines"))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
