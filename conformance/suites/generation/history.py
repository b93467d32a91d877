"""The exchanges that led to a finding: what gave it what it needs, what speaks of the same, what hangs on what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance.api.operations import row_of
from conformance.model import Exchange, Request
from conformance.suites.generation.tokens import NAME, Token, gives, made_name, owned, uses


def without_models(exchange: Exchange) -> Exchange:
    """A create or deploy that speaks of no model; any other exchange as it is."""
    question = exchange.question
    fields = {"pipelines.create": ("definition",), "pipelines.deploy": ("models", "model_ids", "model_configs")}
    named = [
        name for name in fields.get(exchange.operation or "", ()) if isinstance(question, dict) and name in question
    ]
    if not named:
        return exchange
    plain = {key: value for key, value in question.items() if key not in named}
    return replace(exchange, request=with_body(exchange.request, plain))


def kept_operations(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """All but those that make or list models."""
    return [e for e in exchanges if e.operation not in ("models.list-versions", "models.upload-and-convert")]


def with_body(request: Request, body: Any) -> Request:
    """The request with another JSON body."""
    return replace(request, body=json.dumps(body).encode())


def collapsed(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Each exchange once, and of the polls of one deployment in a row the last."""
    seen: set[int] = set()
    kept: list[Exchange] = []
    for exchange in exchanges:
        if id(exchange) in seen:
            continue
        seen.add(id(exchange))
        polled = kept and exchange.operation == kept[-1].operation == "status.get-deployment"
        if polled and exchange.request.body == kept[-1].request.body:
            kept.pop()
        kept.append(exchange)
    return kept


def _tokens_given(exchange: Exchange) -> set[Token]:
    found: set[Token] = {token for token in gives(exchange) if isinstance(token[1], int | str)}
    name = made_name(exchange)
    return found | ({name} if name and exchange.ok else set())


def _needs(exchange: Exchange, wanted: set[Token]) -> set[Token]:
    """What an exchange cannot do without. Of a list of versions that is the uploads whose rows are wanted of it."""
    picked = {thing for token, thing in owned(exchange) if thing and token in wanted}
    if picked:
        return picked
    used = uses(exchange)
    # A model is named by its version; a name of its own is needed where nothing else leads to what it names.
    return used if _asks_by_name(exchange) else {token for token in used if token[0] != NAME}


def _asks_by_name(exchange: Exchange) -> bool:
    row = row_of(exchange.operation)
    return not row.changes and row.named_by != "" and row.kinds[row.named_by].is_name


def givers(history: Sequence[Exchange], chosen: Sequence[Exchange]) -> list[Exchange]:
    """The chosen exchanges and what they cannot do without: the first giver of each id they use, and theirs."""
    first: dict[Token, int] = {}
    for index, exchange in enumerate(history):
        for token in _tokens_given(exchange):
            first.setdefault(token, index)
    place = {id(exchange): index for index, exchange in enumerate(history)}
    kept: set[int] = set()
    wanted: set[Token] = set()
    waiting = [place[id(exchange)] for exchange in chosen if id(exchange) in place]
    while waiting:
        index = max(waiting)
        waiting.remove(index)
        if index in kept:
            continue
        kept.add(index)
        needs = _needs(history[index], wanted)
        wanted |= needs
        waiting += [first[token] for token in needs if token in first and first[token] < index]
        if history[index].operation == "pipelines.infer":
            waiting += _running_poll(history, index)
    return [history[index] for index in sorted(kept)]


def _running_poll(history: Sequence[Exchange], before: int) -> list[int]:
    """Where the deployment that an inference is sent to was last seen Running before it."""
    served = {token for token in uses(history[before]) if token[0] == "deployment"}
    polls = [
        index for index, exchange in enumerate(history[:before])
        if exchange.operation == "status.get-deployment" and _runs(exchange) and uses(exchange) & served
    ]  # fmt: skip
    return polls[-1:]


def _runs(exchange: Exchange) -> bool:
    answer = exchange.answer
    return exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running"


def touching(history: Sequence[Exchange], needed: Sequence[Exchange]) -> list[Exchange]:
    """Those, and others that speak of the same things as the last: of each operation the first and the last two."""
    last = needed[-1]
    about = {token for token in uses(last) | _tokens_given(last) if token[0] in _TOLD}
    # What was deployed of it is of the same: an undeploy may name that alone.
    about |= {
        token
        for exchange in history
        if uses(exchange) & about
        for token in _tokens_given(exchange)
        if token[0] == "deployment"
    }
    extra: dict[str, list[Exchange]] = {}
    for exchange in history:
        if any(exchange is one for one in needed) or _asks_by_name(exchange):
            continue
        if (uses(exchange) | _tokens_given(exchange)) & about:
            extra.setdefault(exchange.operation or "", []).append(exchange)
    some = [e for same in extra.values() for e in {id(e): e for e in (*same[:1], *same[-2:])}.values()]
    return givers(history, [*needed, *some])


_TOLD = frozenset({"pipeline", "deployment", "name", "variant"})


def dependents(exchanges: Sequence[Exchange], removed: Exchange) -> list[Exchange]:
    """The exchange and every later one that uses what only it gave."""
    gone = [removed]
    lost = set(_tokens_given(removed))
    place = next(index for index, exchange in enumerate(exchanges) if exchange is removed)
    for exchange in exchanges[place + 1 :]:
        others = {t for e in exchanges if not any(e is g for g in gone) for t in _tokens_given(e)}
        if (uses(exchange) & lost) - others:
            gone.append(exchange)
            lost |= _tokens_given(exchange)
    return gone
