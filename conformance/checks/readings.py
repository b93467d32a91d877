"""Where the tutorial contradicts itself, or what was recorded: which reading this instance follows.

Each resolver takes an exchange and the ledger before it, and says the key of the reading it shows, as the row's
`readings` name it; empty where the exchange shows none.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.api import multipart
from conformance.checks.pipelines import is_uuid
from conformance.checks.rules import Findings, Rules, is_id, objects, told
from conformance.ledger import Ledger, models_named
from conformance.model import Exchange, Finding, Mark, Purpose

Resolver = Callable[[Exchange, Ledger], str]


def followed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The reading that an exchange shows, as a finding that holds where it is the one we hold to, or a fair one."""
    if exchange.status in (401, 403, 405, 429) or exchange.response is None:
        return
    for requirement, resolve in RESOLVERS.get(exchange.operation or "", ()):
        if not rules.holds(requirement):
            continue
        reading = resolve(exchange, ledger)
        if reading:
            row = rules.catalogue.named(requirement)
            held = reading == row.notes["held"] or reading in row.notes.get("fair", ())
            readings = row.notes["readings"]
            expected = f"{row.notes['held']}: {readings[row.notes['held']]}"
            actual = f"{reading}: {readings.get(reading, 'a reading of its own')}"
            yield Finding(requirement, held, expected, actual, (exchange,), row.operation)


def _probe(slug: str, served: str, refused: str) -> Resolver:
    """A request labelled with the slug is served by one reading, and refused by the other."""
    return lambda exchange, ledger: (
        (served if exchange.ok else refused) if Purpose.READING.of(slug) in exchange.labels and exchange.status else ""
    )


def _step_version(exchange: Exchange, ledger: Ledger) -> str:
    models = models_named((exchange.question or {}).get("definition")) if isinstance(exchange.question, dict) else ()
    if not exchange.ok or not models:
        return ""
    return "uuid" if all(is_uuid(version) for _, version, _ in models) else "integer"


def _engine_config(exchange: Exchange, ledger: Ledger) -> str:
    question = exchange.question if isinstance(exchange.question, dict) else {}
    named = is_id(question.get("pipeline_id")) and is_id(question.get("pipeline_version_pk_id"))
    if exchange.intent != "valid" or not isinstance(question.get("engine_config"), dict) or not named:
        return ""  # what names its version otherwise may be refused for that
    return "object" if exchange.ok else "string"


def _copied(exchange: Exchange, ledger: Ledger) -> str:
    answer = exchange.answer
    if exchange.intent != "valid" or not exchange.ok or not isinstance(answer, dict):
        return ""
    return "returns" if "source_pipeline" in answer else "parameters"


def _copy_is_there(exchange: Exchange, ledger: Ledger) -> str:
    if exchange.intent != "valid" or exchange.status is None:
        return ""
    return "elsewhere" if exchange.status in (404, 405) else "post"


def _one_id(exchange: Exchange, ledger: Ledger) -> str:
    question = exchange.question
    if exchange.intent != "valid" or not isinstance(question, dict) or len(question) != 1:
        return ""
    return "either" if exchange.ok else "both"


def _nothing(exchange: Exchange, ledger: Ledger) -> str:
    if not exchange.ok or exchange.response is None or not exchange.response.body_known:
        return ""
    body = exchange.response.body.strip()
    return "null" if body == b"null" else "object" if body.startswith(b"{") else "empty" if not body else "other"


def _version_deployed(exchange: Exchange, ledger: Ledger) -> str:
    question = exchange.question
    if exchange.intent != "valid" or not isinstance(question, dict):
        return ""
    variant = question.get("pipeline_version_pk_id")
    known = is_id(variant) and ledger.variants.get(variant) == question.get("pipeline_id")
    return ("variant" if exchange.ok else "other") if known else ""


def _workspace_taken(exchange: Exchange, ledger: Ledger) -> str:
    question = exchange.question
    if exchange.intent != "valid" or not isinstance(question, dict) or question.get("workspace_id") == 10:
        return ""
    return ("given" if exchange.ok else "ten") if ledger.knows_workspace(question.get("workspace_id")) else ""


def _details(exchange: Exchange, ledger: Ledger) -> str:
    answer = exchange.answer
    if not told(exchange, "status.get-deployment") or not isinstance(answer, dict):
        return ""
    pods = [pod for group in ("engines", "engine_lbs", "sidekicks") for pod in objects(answer.get(group))]
    details = [item for one in (answer, *pods) if isinstance(one.get("details"), list) for item in one["details"]]
    if not details:
        return ""
    return "texts" if all(isinstance(item, str) for item in details) else "objects"


def _last_model(exchange: Exchange, ledger: Ledger) -> str:
    metadata = [record.get("metadata") for record in objects(exchange.answer)[:1]]
    last = [one.get("last_model") for one in metadata if isinstance(one, dict)]
    return ("string" if isinstance(last[0], str) else "object") if last else ""


def _error(exchange: Exchange, ledger: Ledger) -> str:
    if exchange.status is None or exchange.status < 400:
        return ""
    answer = exchange.answer
    return "object" if isinstance(answer, dict) and {"msg", "code"} <= set(answer) else "text"


def _upload_status(exchange: Exchange, ledger: Ledger) -> str:
    inferred = Mark.STATUS_INFERRED in exchange.labels
    return "" if inferred else {202: "accepted", 200: "done"}.get(exchange.status or 0, "")


def _uploaded_id(exchange: Exchange, ledger: Ledger) -> str:
    """Which of a row's two ids the upload had returned, where they differ."""
    for row in objects(exchange.answer):
        ids = row.get("id"), row.get("models_pk_id")
        if is_id(ids[0]) and is_id(ids[1]) and ids[0] != ids[1]:
            of_version = ledger.models.get(ids[0])
            if of_version is not None and of_version.name == row.get("model_id"):
                return "version"
            of_model = ledger.models.get(ids[1])
            if of_model is not None and of_model.name == row.get("model_id"):
                return "model"
    return ""


def _filters(exchange: Exchange, ledger: Ledger) -> str:
    question, rows = exchange.question, objects(exchange.answer)
    if (
        Purpose.READING.of("joins-its-filters-by-or") not in exchange.labels
        or not exchange.ok
        or not isinstance(question, dict)
    ):
        return ""
    names = {row.get("model_id") == question.get("model_id") for row in rows}
    return "or" if names == {True, False} else "and"


def _order(exchange: Exchange, ledger: Ledger) -> str:
    ids = [row["id"] for row in objects(exchange.answer) if is_id(row.get("id"))]
    return ("ascending" if ids == sorted(ids) else "none") if len(ids) > 1 else ""


def _status_told(exchange: Exchange, ledger: Ledger) -> str:
    rows = objects(exchange.answer)
    return ("free" if isinstance(rows[0].get("status"), str) else "absent") if rows else ""


def _owner(exchange: Exchange, ledger: Ledger) -> str:
    owners = [row["owner_id"] for row in objects(exchange.answer) if isinstance(row.get("owner_id"), str)]
    return ("uuid" if is_uuid(owners[0]) else "quotes" if owners[0] == '""' else "other") if owners else ""


def _creator(exchange: Exchange, ledger: Ledger) -> str:
    rows = objects(exchange.answer.get("workspaces")) if isinstance(exchange.answer, dict) else []
    makers = [row["created_by"] for row in rows if isinstance(row.get("created_by"), str)]
    return ("uuid" if is_uuid(makers[0]) else "mail" if "@" in makers[0] else "other") if makers else ""


def _gone(exchange: Exchange, ledger: Ledger) -> str:
    name = exchange.question.get("name") if isinstance(exchange.question, dict) else None
    deployment = ledger.deployment_named(name) if isinstance(name, str) else None
    if deployment is None or deployment.stage == "deployed" or exchange.ok:
        return ""
    return "missing" if exchange.status == 404 else "stopped"


def _unknown_url(exchange: Exchange, ledger: Ledger) -> str:
    if Mark.NEVER_WAS not in exchange.labels or exchange.status is None:
        return ""
    return "missing" if exchange.status == 404 else "other"


def _visibility(exchange: Exchange, ledger: Ledger) -> str:
    return _probe("takes-any-visibility", "any", "known")(exchange, ledger)


def _file_name(exchange: Exchange, ledger: Ledger) -> str:
    part = multipart.decode(exchange.request.headers.get("content-type", ""), exchange.request.body).get("file")
    if part is None or Purpose.READING.of("takes-a-file-name-without-ending") not in exchange.labels:
        return ""
    return "any" if exchange.ok else "known"


RESOLVERS: dict[str, tuple[tuple[str, Resolver], ...]] = {
    "status.get-deployment": (
        ("status.get-deployment.reads-name-rather-than-id", _probe("reads-name-rather-than-id", "id", "name")),
        ("status.get-deployment.lists-details-as-texts", _details),
        ("status.get-deployment.is-404-once-gone", _gone),
    ),
    "pipelines.create": (
        (
            "pipelines.create.reads-the-definition-as-an-object",
            _probe("reads-the-definition-as-an-object", "string", "object"),
        ),
        ("pipelines.create.names-model-versions-by-uuid", _step_version),
        ("pipelines.create.takes-the-workspace-it-is-given", _workspace_taken),
        ("pipelines.create.errors-have-msg-and-code", _error),
    ),
    "pipelines.deploy": (
        ("pipelines.deploy.reads-engine-config-as-an-object", _engine_config),
        ("pipelines.deploy.calls-a-version-by-three-names", _version_deployed),
        ("pipelines.deploy.wants-models-or-not", _probe("wants-models-or-not", "optional", "required")),
        (
            "pipelines.deploy.takes-a-deploy-id-unlike-the-name",
            _probe("takes-a-deploy-id-unlike-the-name", "free", "same"),
        ),
    ),
    "pipelines.copy": (
        ("pipelines.copy.takes-what-stands-under-returns", _copied),
        ("pipelines.copy.stands-where-its-examples-send-to", _copy_is_there),
    ),
    "pipelines.undeploy": (
        ("pipelines.undeploy.is-asked-by-either-id", _one_id),
        ("pipelines.undeploy.returns-nothing-as-null", _nothing),
    ),
    "admin.get-pipeline-external-url": (
        (
            "admin.get-pipeline-external-url.is-asked-by-the-pipelines-name",
            _probe("is-asked-by-the-pipelines-name", "deployment", "pipeline"),
        ),
        ("admin.get-pipeline-external-url.is-404-for-the-unknown", _unknown_url),
    ),
    "pipelines.infer": (("pipelines.infer.writes-last-model-as-a-text", _last_model),),
    "models.upload-and-convert": (
        ("models.upload-and-convert.takes-a-file-name-without-ending", _file_name),
        ("models.upload-and-convert.is-accepted-not-done", _upload_status),
        ("models.upload-and-convert.takes-any-visibility", _visibility),
    ),
    "models.list-versions": (
        ("models.upload-and-convert.answers-the-versions-id", _uploaded_id),
        ("models.list-versions.joins-its-filters-by-or", _filters),
        ("models.list-versions.has-no-order", _order),
        ("models.list-versions.tells-a-status-of-its-own", _status_told),
        ("models.list-versions.owners-are-not-always-uuids", _owner),
    ),
    "workspaces.list": (("workspaces.list.creators-are-not-always-uuids", _creator),),
}
"""For each operation the rows that its exchanges may resolve."""
