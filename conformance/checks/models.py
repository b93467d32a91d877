"""Relations of uploaded models and their listed versions, and of workspaces."""

from __future__ import annotations

from typing import Any

from conformance.checks.rules import Findings, Rules, is_id, seen
from conformance.ledger import Ledger
from conformance.model import Exchange


def uploaded(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Each upload makes a version with an id of its own (recorded: identical bytes gave 502, 504, 505)."""
    if exchange.operation != "models.upload-and-convert" or not exchange.ok:
        return
    try:
        new = exchange.answer["insert_models"]["returning"][0]["models"][0]["id"]
    except (TypeError, KeyError, IndexError):
        return
    if is_id(new):
        yield seen(exchange, "each-upload-is-a-new-version", new not in ledger.models, "an id not given before", new)


def listed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Listed versions are those asked for, and what was uploaded is among them with the SHA-256 of its bytes."""
    rows, question = exchange.answer, exchange.question
    told = exchange.operation == "models.list-versions" and (exchange.ok or exchange.status is None)
    if not told or not isinstance(rows, list) or not isinstance(question, dict):
        return
    rows = [row for row in rows if isinstance(row, dict)]
    yield from _asked_for(exchange, rows, question)
    yield from _distinct(exchange, rows)
    name = question.get("model_id")
    by_id = {row.get("id"): row for row in rows}
    for model in ledger.models.values():
        if model.name != name or name is None:
            continue
        row = by_id.get(model.id)
        yield seen(
            exchange,
            "lists-what-was-uploaded",
            row is not None,
            f"a version with id {model.id}",
            sorted(by_id, key=str),
        )
        if row is not None and model.sha and isinstance(row.get("sha"), str):
            held = row["sha"] == model.sha
            yield seen(exchange, "sha-is-of-the-uploaded-bytes", held, f"sha {model.sha}", row["sha"])


def _asked_for(exchange: Exchange, rows: list[dict[str, Any]], question: dict[str, Any]) -> Findings:
    name, pk = question.get("model_id"), question.get("models_pk_id")
    if name is None and pk is None:
        return
    strange = [row for row in rows if row.get("model_id") != name and row.get("models_pk_id") != pk]
    shown = [(row.get("model_id"), row.get("models_pk_id")) for row in strange[:3]]
    expected = f"only versions with model_id {name!r} or models_pk_id {pk!r}"
    yield seen(exchange, "lists-only-what-was-asked", not strange, expected, shown)


def _distinct(exchange: Exchange, rows: list[dict[str, Any]]) -> Findings:
    ids = [row.get("id") for row in rows if is_id(row.get("id"))]
    yield seen(exchange, "lists-each-version-once", len(set(ids)) == len(ids), "each id once", ids)


def workspace_created(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A new workspace has an id of its own."""
    answer = exchange.answer
    if exchange.operation == "workspaces.create" and exchange.ok and isinstance(answer, dict):
        new = answer.get("workspace_id")
        if is_id(new):
            fresh = new not in ledger.workspaces
            yield seen(exchange, "each-workspace-has-its-own-id", fresh, "a workspace_id not given before", new)


def workspaces_listed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A workspace this run made is in the list, under its name."""
    answer = exchange.answer
    if exchange.operation != "workspaces.list" or not exchange.ok or not isinstance(answer, dict):
        return
    rows = answer.get("workspaces")
    names = {row.get("id"): row.get("name") for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    for made, name in ledger.workspaces.items():
        held = names.get(made) == name
        yield seen(exchange, "lists-what-was-created", held, f"workspace {made} named '{name}'", names.get(made))
