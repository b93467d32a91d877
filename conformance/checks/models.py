"""Relations of uploaded models and their listed versions, and of workspaces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from conformance.checks.rules import Findings, Rules, came, is_id, objects, seen, told
from conformance.ledger import Ledger, ModelVersion
from conformance.ledger.memory import LASTING, lasting
from conformance.model import Exchange, Finding, Mark


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


def uploaded_rubbish(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A file that is no model is refused, or taken in and never ready; it is no failure of the service."""
    if Mark.RUBBISH not in exchange.labels or exchange.status is None:
        return
    operation = "models.upload-and-convert"
    ready = [row for row in objects(exchange.answer) if row.get("status") == "ready"]
    held = exchange.status < 500 and not ready
    actual = "" if held else came(exchange)
    expected = "a refusal (4xx), or a version that is not ready"
    yield Finding(f"{operation}.refuses-what-is-no-model", held, expected, actual, (exchange,), operation)


def listed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Listed versions are those asked for, and what was uploaded is among them with the SHA-256 of its bytes."""
    answer, question = exchange.answer, exchange.question
    if not told(exchange, "models.list-versions") or not isinstance(answer, list) or not isinstance(question, dict):
        return
    rows = objects(answer)
    yield from _asked_for(exchange, rows, question, ledger)
    yield from _distinct(exchange, rows)
    name, pk = question.get("model_id"), question.get("models_pk_id")
    whole = len(rows) == len(answer) and all(is_id(row.get("id")) for row in rows)
    known = ledger.models.values() if whole else ()
    # With both filters, nobody is held to reading them as alternatives; a name's own versions are there either way.
    ours = [model for model in known if (model.name == name if name is not None else is_id(pk) and model.pk == pk)]
    by_id = {row.get("id"): row for row in rows if is_id(row.get("id"))}
    for model in ours:
        yield from _present(exchange, model, by_id.get(model.id), by_id)
    yield from _keys(exchange, ours, by_id)


def _present(
    exchange: Exchange, model: ModelVersion, row: dict[str, Any] | None, by_id: dict[Any, dict[str, Any]]
) -> Findings:
    ids = sorted(by_id)
    yield seen(exchange, "lists-what-was-uploaded", row is not None, f"a version with id {model.id}", f"ids {ids}")
    if row is not None and model.sha and isinstance(row.get("sha"), str):
        held = row["sha"] == model.sha
        yield seen(exchange, "sha-is-of-the-uploaded-bytes", held, f"sha {model.sha}", row["sha"])


def ready_for_good(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A version that was listed as ready is not being uploaded or loaded again: its bytes are the same."""
    if exchange.operation != "models.list-versions" or not exchange.ok:
        return
    before = {
        row["id"]: row
        for row in objects(exchange.answer)
        if is_id(row.get("id")) and row["id"] in ledger.memory.ready and isinstance(row.get("status"), str)
    }
    back = [f"{number}: {row['status']}" for number, row in before.items() if row["status"].startswith(_BEFORE_READY)]
    if before:
        yield seen(exchange, "what-is-ready-stays-ready", not back, "ready, as listed before", back[:3])


_BEFORE_READY = ("uploading", "pending", "attempting")
"""How the recorded statuses begin that come before ready."""


def _keys(exchange: Exchange, ours: list[ModelVersion], by_id: dict[Any, dict[str, Any]]) -> Findings:
    """Versions uploaded under one name to one workspace are of one model (recorded: 502, 504, 505)."""
    keys: dict[int | None, set[Any]] = {}
    for model in ours:
        key = by_id.get(model.id, {}).get("models_pk_id")
        if is_id(key):
            keys.setdefault(model.workspace_id, set()).add(key)
    for found in keys.values():
        held = len(found) == 1
        yield seen(exchange, "versions-of-a-name-share-their-model", held, "one models_pk_id", sorted(found))


def _asked_for(exchange: Exchange, rows: list[dict[str, Any]], question: dict[str, Any], ledger: Ledger) -> Findings:
    name, pk = question.get("model_id"), question.get("models_pk_id")
    if (name is None and pk is None) or Mark.NEVER_WAS in exchange.labels:
        return
    uploaded = {model.id for model in ledger.models.values() if pk is not None and model.pk == pk}
    rows = [row for row in rows if row.get("id") not in uploaded]
    strange = [row for row in rows if not (name is not None and row.get("model_id") == name)
               and not (pk is not None and row.get("models_pk_id") == pk) and {"model_id", "models_pk_id"} <= set(row)
               and isinstance(row["model_id"], str) and is_id(row["models_pk_id"])]  # fmt: skip
    shown = [(row.get("model_id"), row.get("models_pk_id")) for row in strange[:3]]
    expected = f"only versions with model_id {name!r} or models_pk_id {pk!r}"
    yield seen(exchange, "lists-only-what-was-asked", not strange, expected, shown)


def _distinct(exchange: Exchange, rows: list[dict[str, Any]]) -> Findings:
    ids = [row.get("id") for row in rows if is_id(row.get("id"))]
    once = len(set(ids)) == len(ids)
    yield seen(exchange, "lists-each-version-once", once, "each id once", ids)
    versions = {row["id"]: row.get("model_version") for row in rows if is_id(row.get("id"))}
    texts = [version for version in versions.values() if isinstance(version, str)]
    own = len(set(texts)) == len(texts)
    yield seen(exchange, "each-version-has-its-own-uuid", own, "a model_version of its own for each id", sorted(texts))


def listed_unknown(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Under a name that was never uploaded, nothing is listed."""
    if (
        Mark.NEVER_WAS in exchange.labels
        and exchange.operation == "models.list-versions"
        and exchange.status is not None
    ):
        held = exchange.ok and exchange.answer == []
        yield seen(exchange, "lists-nothing-under-an-unknown-name", held, "200 with an empty list", came(exchange))


def workspace_created(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A new workspace has an id of its own."""
    answer = exchange.answer
    if exchange.operation == "workspaces.create" and exchange.ok and isinstance(answer, dict):
        new = answer.get("workspace_id")
        if is_id(new):
            fresh = not ledger.knows_workspace(new)
            yield seen(exchange, "each-workspace-has-its-own-id", fresh, "a workspace_id not given before", new)


def workspaces_listed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A workspace this run made is in the list, once, under its name, and grows with what is made in it."""
    answer = exchange.answer
    if exchange.operation != "workspaces.list" or not exchange.ok or not isinstance(answer, dict):
        return
    rows = objects(answer.get("workspaces"))
    if not isinstance(answer.get("workspaces"), list) or not all(is_id(row.get("id")) for row in rows):
        return
    by_id = {row["id"]: row for row in rows}
    ids = [row["id"] for row in rows]
    yield seen(exchange, "lists-each-workspace-once", len(by_id) == len(ids), "each id once", ids)
    twice = [number for number, row in by_id.items() if any(map(_has_twice, (row.get("models"), row.get("pipelines"))))]
    expected, actual = "each id once in models and in pipelines", [f"workspace {number}" for number in twice[:3]]
    yield seen(exchange, "lists-nothing-in-it-twice", not twice, expected, actual)
    inside: dict[int | None, set[int]] = {made: set() for made in ledger.workspaces}
    for pipeline in ledger.pipelines.values():
        inside.setdefault(pipeline.workspace_id, set()).add(pipeline.pk)
    for made, name in ledger.workspaces.items():
        row = by_id.get(made, {})
        shown = row.get("name")
        if made not in by_id or isinstance(shown, str):
            yield seen(exchange, "lists-what-was-created", shown == name, f"workspace {made} named '{name}'", shown)
        if isinstance(row.get("pipelines"), list):
            least = len(inside[made])
            held = len(row["pipelines"]) >= least
            yield seen(exchange, "lists-what-is-in-it", held, f"{least} pipelines at least", row["pipelines"])
            yield from _of_others(exchange, made, row["pipelines"], inside)


def what_lasts(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What does not change of a thing is listed as it was before: who made it and when, what it is of and its bytes."""
    told, operation = lasting(exchange), exchange.operation or ""
    for slug, fields in _LASTING_ROWS.get(operation, {}).items() if exchange.ok else ():
        pairs = [
            (number, name, before[name], now[name])
            for number, now in told.items()
            if (before := ledger.memory.listed.get((operation, number)))
            for name in fields
            if name in before and name in now
        ]
        if pairs:
            changed = [f"{name} of {number}: {was!r}, then {now!r}" for number, name, was, now in pairs if was != now]
            yield seen(exchange, slug, not changed, f"{' and '.join(fields)} as listed before", changed[:2])


_LASTING_ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "workspaces.list": {"keeps-each-creation-time": ("created_at",), "keeps-each-creator": ("created_by",)},
    "models.list-versions": {"keeps-what-it-lists": LASTING["models.list-versions"]},
}


def workspaces_are_dated(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A workspace is dated when it was made: neither of another zone nor of another day."""
    answer = exchange.answer
    if exchange.operation != "workspaces.list" or not exchange.ok or not isinstance(answer, dict):
        return
    rows = [row for row in objects(answer.get("workspaces")) if is_id(row.get("id"))]
    told = {row["id"]: row["created_at"] for row in rows if isinstance(row.get("created_at"), str)}
    moments = {number: moment for number in ledger.born if (moment := _moment(told.get(number, ""))) is not None}
    far = [number for number, moment in moments.items() if abs(moment - ledger.born[number]) > _APART_SECONDS]
    if moments:
        made = datetime.fromtimestamp(ledger.born[far[0] if far else next(iter(moments))], UTC).isoformat()
        expected, actual = f"created_at within ten minutes of {made}", [told[number] for number in far[:1]]
        yield seen(exchange, "dates-each-workspace-as-it-was-made", not far, expected, actual)


def _has_twice(ids: Any) -> bool:
    return isinstance(ids, list) and len({repr(one) for one in ids}) < len(ids)


_APART_SECONDS = 600.0
"""How far the clocks of a database and of whoever writes Date may be apart: less than any two time zones are."""


def _moment(text: str) -> float | None:
    """A timestamp as epoch seconds, of UTC where it names no zone (recorded: +00:00); None where it cannot be read."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _of_others(exchange: Exchange, made: int, listed: list[Any], inside: dict[int | None, set[int]]) -> Findings:
    """A workspace does not list all that another has. One id alone may be of another kind that has the same number."""
    shown = {one for one in listed if is_id(one)}
    others = [(other, pks) for other, pks in inside.items() if other != made and len(pks) > 1]
    strange = [other for other, pks in others if pks <= shown]
    if others:
        expected = f"no pipelines of workspace {strange[0] if strange else others[0][0]} in workspace {made}"
        yield seen(exchange, "shows-nothing-of-another-workspace", not strange, expected, sorted(shown))
