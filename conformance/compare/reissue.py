"""Recorded requests sent again in order, with names and ids of the run's own, and who stands alone in a difference.

A recording seldom makes all that it uses: its workspace, its model and often its pipeline came from elsewhere. Such a
thing is made first, and its id stands for the recorded one. A model whose bytes were not recorded is replaced by ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from conformance.api import multipart
from conformance.api.operations import (
    CREATE,
    DEPLOY,
    INFER,
    STATUS,
    UPLOAD,
    VERSIONS,
    Kind,
    fields_of,
    row_of,
    split_name,
)
from conformance.compare.answers import (
    LIST,
    OBJECT,
    Answer,
    Id,
    Leaf,
    Numbers,
    Reader,
    general,
    reordered,
    type_of,
)
from conformance.compare.noise import FLOAT_TOLERANCE
from conformance.compare.plan import GONE, RUNNING, Plan, Step
from conformance.compare.side import Pass
from conformance.model import Exchange, Headers, Mark, Request, Response
from conformance.recording.recording import Recording
from conformance.recording.traffic import ordered
from conformance.suites.generation.replaying import Token, gives, uses

RUN = "00000000"
"""Stands in every name of a plan for the id of the run that plays it."""

_OURS = f"conformance-{RUN}-"

_LONGEST_NAME = 40
_MOST_ROWS = 8
_SHA = re.compile(r"[0-9a-f]{64}")
_JSON = Headers({"Content-Type": "application/json"})
_LISTS = {"workspaces.list": Kind.WORKSPACE, VERSIONS: Kind.MODEL}
"""Operations that list what other callers made too, and what a row of theirs is."""


@dataclass(frozen=True)
class Reissue:
    """One session of recordings as a plan; `recordings` are by the step that sends them again.

    `left_out` has those that are not sent again, each with the sentence that says why.
    """

    session: str
    plan: Plan
    recordings: Mapping[int, Recording]
    left_out: tuple[tuple[Recording, str], ...]

    @property
    def recorded(self) -> Pass:
        """The plan as it was answered when it was recorded."""
        answers = {step.number: step.exchange for step in self.plan.steps}
        urls = [one.exchange.answer.get("url", "") for one in self.recordings.values() if _is_url(one.exchange)]
        origin = next((url.partition("/v1/api")[0] for url in urls if "/v1/api" in url), "http://recorded")
        return Pass(RUN, origin, answers)


def _is_url(exchange: Exchange) -> bool:
    return exchange.operation == "admin.get-pipeline-external-url" and isinstance(exchange.answer, dict)


def reissues(recordings: Iterable[Recording], model: bytes) -> list[Reissue]:
    """A plan for each session; recordings of no session have one each. `model` stands for files not recorded."""
    sessions: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        sessions[recording.session or recording.name].append(recording)
    return [_Planner(name, ordered(sessions[name]), model).reissue() for name in sorted(sessions)]


class _Planner:
    """Makes the plan of a session: each recording's exchange, and before it whatever nothing earlier has made."""

    def __init__(self, session: str, recordings: Sequence[Recording], model: bytes) -> None:
        self._session, self._recordings, self._model = session, recordings, model
        self._sha = hashlib.sha256(model).hexdigest()
        self._names = dict(_named(one.exchange for one in recordings))
        self._known: set[Token] = set()
        self._made: dict[str, int] = {}
        self._running: set[int] = set()
        self._steps: list[Step] = []
        self._left_out: list[tuple[Recording, str]] = []
        self._numbers = count(800_000_001)
        self._workspace = next((v for one in recordings for k, v in uses(one.exchange) if k is Kind.WORKSPACE), 1)

    def reissue(self) -> Reissue:
        numbered: dict[int, Recording] = {}
        undeployed = False
        for recording in self._recordings:
            exchange = self._own(recording.exchange)
            if why := _unasked(recording.exchange):
                self._left_out.append((recording, why))
                continue
            self._provide(exchange)
            gone = exchange.operation == STATUS and exchange.status == 404 and undeployed
            running = exchange.operation == STATUS and _status_of(exchange) == RUNNING
            momentary = exchange.operation == STATUS and not running and exchange.ok
            self._add(exchange, RUNNING if running else GONE if gone else "", momentary=momentary)
            undeployed = undeployed or exchange.operation == "pipelines.undeploy"
            numbered[len(self._steps)] = recording
        return Reissue(self._session, Plan(RUN, tuple(self._steps)), numbered, tuple(self._left_out))

    def _add(self, exchange: Exchange, awaits: str = "", *, momentary: bool = False) -> None:
        self._steps.append(Step(len(self._steps) + 1, exchange, awaits, momentary))
        self._known.update(gives(exchange))
        fields = fields_of(exchange.operation, exchange.request)
        if exchange.operation == CREATE and exchange.ok and isinstance(exchange.answer, dict):
            self._made[str(fields.get("pipeline_id"))] = exchange.answer.get("pipeline_pk_id", 0)

    def _own(self, exchange: Exchange) -> Exchange:
        """The exchange with names that are the run's own, the model's digest, and a model in an upload's form."""
        request = replace(exchange.request, url=self._renamed(exchange.request.url))
        if request.body_known and exchange.operation == UPLOAD:
            request = self._form(request, fields_of(UPLOAD, request))
        elif request.body_known and request.is_json:
            request = replace(request, body=json.dumps(self._renamed(request.json)).encode())
        response = exchange.response
        if response is not None and response.is_json:
            response = replace(response, body=json.dumps(self._renamed(response.json)).encode())
        return replace(exchange, request=request, response=response)

    def _form(self, request: Request, metadata: Mapping[str, Any], file_name: str = "") -> Request:
        parts = multipart.decode(request.headers.get("content-type", ""), request.body)
        file = parts.get("file")
        name = self._renamed(file.filename) if file and file.filename else file_name or "model.onnx"
        content = file.content if file and file.content else self._model
        kind, body = multipart.encode(
            [
                multipart.Part("metadata", json.dumps(self._renamed(metadata)).encode(), "application/json"),
                multipart.Part("file", content, "application/octet-stream", name),
            ]
        )
        return replace(request, headers=Headers({"Content-Type": kind}), body=body)

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._renamed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._renamed(item) for item in value]
        if not isinstance(value, str):
            return value
        if value in self._names:
            return self._names[value]
        if "/" in value:
            return "/".join(self._renamed(part) for part in value.split("/"))
        if value.startswith("{"):
            try:
                return json.dumps(self._renamed(json.loads(value)), separators=(",", ":"))
            except ValueError:
                return value
        parts = split_name(value)
        if parts and parts[0] in self._names:
            return f"{self._names[parts[0]]}-{parts[1]}"
        return self._sha if _SHA.fullmatch(value) else value

    # What a recording uses and nothing has made -----------------------------------------------------------------------

    def _provide(self, exchange: Exchange) -> None:
        """Add the steps that make what the exchange uses and no earlier step gave."""
        fields = fields_of(exchange.operation, exchange.request)
        used = uses(exchange)
        for kind, value in sorted(used, key=str):
            if kind is Kind.WORKSPACE:
                self._need_workspace(value)
        listed = _LISTS.get(exchange.operation or "")
        if listed is not None and exchange.ok:
            self._need_a_row(listed, exchange.answer)
        for model in _models(fields):
            if (Kind.MODEL_VERSION, model.get("version")) not in self._known:
                self._need_model(str(model.get("name")), version=str(model.get("version")))
        for number in fields.get("model_ids") or ():
            if (Kind.MODEL, number) not in self._known:
                self._need_model("", number=number)
        self._need_pipeline(fields, used)
        self._need_deployment(exchange, used)

    def _need_workspace(self, number: Any, name: str = "") -> None:
        if (Kind.WORKSPACE, number) not in self._known:
            name = name if name.startswith(_OURS) else f"{_OURS}workspace-{number}"
            self._add(_made("workspaces.create", {"workspace_name": name}, {"workspace_id": number}))

    def _need_a_row(self, kind: Kind, answer: Any) -> None:
        """A list none of whose rows is ours tells nothing: its first workspace, or all its models, are made."""
        rows = answer.get("workspaces") if isinstance(answer, dict) else answer
        rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not rows or any((kind, row.get("id")) in self._known for row in rows):
            return
        if kind is Kind.WORKSPACE:
            self._need_workspace(rows[0].get("id"), str(rows[0].get("name")))
            return
        for row in rows[:_MOST_ROWS]:
            version, file = str(row.get("model_version")), str(row.get("file_name") or "")
            self._need_model(str(row.get("model_id")), row.get("id"), version, row.get("models_pk_id"), file)

    def _need_model(self, name: str, number: Any = None, version: str = "", pk: Any = None, file: str = "") -> None:
        self._need_workspace(self._workspace)
        number = next(self._numbers) if number is None else number
        name = name if name.startswith(_OURS) else f"{_OURS}model-{number}"
        conversion = {"framework": "onnx", "requirements": []}
        metadata = {
            "name": name, "visibility": "private", "workspace_id": self._workspace, "conversion": conversion
        }  # fmt: skip
        answer = {"insert_models": {"returning": [{"models": [{"id": number}]}]}}
        upload = _made(UPLOAD, {}, answer, 202)
        self._add(replace(upload, request=self._form(upload.request, metadata, file)))
        row = {
            "id": number, "model_id": name, "sha": self._sha, "owner_id": "", "status": "ready",
            "model_version": version or f"00000000-0000-4000-8000-{number:012}",
            "models_pk_id": next(self._numbers) if pk is None else pk,
        }  # fmt: skip
        self._add(_made(VERSIONS, {"model_id": name}, [row]))

    def _need_pipeline(self, fields: Mapping[str, Any], used: set[Token]) -> None:
        ids = {kind: value for kind, value in used if kind in (Kind.PIPELINE, Kind.VARIANT, Kind.VERSION)}
        if all(token in self._known for token in ids.items()) or not ids:
            return
        known = {number: name for name, number in self._made.items()}
        number = ids.get(Kind.PIPELINE) or next(self._numbers)
        name = known.get(number) or fields.get("deploy_id") or f"{_OURS}pipeline-{number}"
        self._create(name, number, ids.get(Kind.VARIANT), ids.get(Kind.VERSION))

    def _create(self, name: str, number: Any = None, variant: Any = None, version: Any = None) -> tuple[Any, Any]:
        self._need_workspace(self._workspace)
        number = next(self._numbers) if number is None else number
        variant = next(self._numbers) if variant is None else variant
        self._add(
            _made(
                CREATE,
                {"pipeline_id": name, "workspace_id": self._workspace, "definition": {}},
                {
                    "pipeline_pk_id": number,
                    "pipeline_variant_pk_id": variant,
                    "pipeline_variant_version": version or f"00000000-0000-4000-8000-{variant:012}",
                },
            )
        )
        return number, variant

    def _need_deployment(self, exchange: Exchange, used: set[Token]) -> None:
        """The deployment that is asked about or undeployed; it runs before rows are sent to it."""
        told = _deployments(exchange)
        if exchange.operation == "pipelines.undeploy":
            told += [("", value) for kind, value in used if kind is Kind.DEPLOYMENT]
        for deploy_id, number in told:
            if (Kind.DEPLOYMENT, number) not in self._known:
                self._deploy(deploy_id or f"{_OURS}pipeline-{number}", number, exchange)
            if exchange.operation == INFER and number not in self._running:
                name = next((n for n, d in self._deployed() if d == number), deploy_id)
                self._add(_made(STATUS, {"name": f"{name}-{number}"}, {"status": RUNNING}), RUNNING)
                self._running.add(number)

    def _deployed(self) -> Iterator[tuple[str, int]]:
        for step in self._steps:
            if step.exchange.operation == DEPLOY and isinstance(step.exchange.answer, dict):
                yield fields_of(DEPLOY, step.exchange.request).get("deploy_id", ""), step.exchange.answer.get("id", 0)

    def _deploy(self, deploy_id: str, number: int, exchange: Exchange) -> None:
        name = exchange.parameters.get("pipeline_name") or fields_of(None, exchange.request).get("pipeline_name")
        name = self._renamed(name) if name else _pipeline_of(exchange.answer) or deploy_id
        pk, variant = self._create(name if name.startswith(_OURS) else deploy_id)
        model = _model_of(exchange.answer)
        body: dict[str, Any] = {"deploy_id": deploy_id, "pipeline_version_pk_id": variant, "pipeline_id": pk}
        if model is not None:
            version = str(model.get("version") or "")
            if (Kind.MODEL_VERSION, version) not in self._known:
                self._need_model(self._renamed(str(model.get("name") or "")), version=version)
            listed = [step.exchange for step in self._steps if step.exchange.operation == VERSIONS]
            row = listed[-1].answer[0]
            body["models"] = [{"name": row["model_id"], "version": row["model_version"], "sha": row["sha"]}]
        self._add(_made(DEPLOY, body, {"id": number}))


def _named(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, str]]:
    """Every name that requests give or use, with the run's own in its place."""
    for exchange in exchanges:
        row = row_of(exchange.operation)
        fields = fields_of(exchange.operation, exchange.request)
        values = [(at.kind, value) for at in row.takes for _, value in at.found(fields)]
        values += [(at.kind, exchange.parameters.get(at.field)) for at in row.parameters]
        values += [(Kind.MODEL_NAME, model.get("name")) for model in _statuses(exchange.answer, "model")]
        values += [(Kind.PIPELINE_NAME, one.get("id")) for one in _statuses(exchange.answer, "pipeline")]
        if _is_url(exchange):
            told = [split_name(part) for part in str(exchange.answer.get("url")).split("/")]
            values += [(Kind.DEPLOY_ID, one[0]) for one in told if one]
        values += [(Kind.MODEL_NAME, _last_model(exchange.answer).get("model_name"))]
        if exchange.operation == "workspaces.list" and isinstance(exchange.answer, dict):
            rows = exchange.answer.get("workspaces")
            values += [(Kind.WORKSPACE_NAME, row.get("name")) for row in rows or () if isinstance(row, dict)]
        for kind, value in values:
            parts = split_name(value) if kind is Kind.DEPLOYMENT_NAME else None
            name = parts[0] if parts else value
            if isinstance(name, str) and name and (kind.is_name or parts):
                digest = hashlib.sha256(name.encode()).hexdigest()[:6]
                short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 7]}-{digest}"
                yield name, f"{_OURS}{re.sub('[^A-Za-z0-9-]', '-', short)}"


def _unasked(exchange: Exchange) -> str:
    """Why a recording cannot be sent again, as a sentence; empty where it can."""
    if exchange.operation is None:
        return "It is of no operation described here, so that nobody can say what it would touch."
    if not exchange.request.body_known:
        return "What was asked was not recorded."
    return ""


def _models(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Models that a request names: those to deploy, and those of a definition's steps."""
    definition = fields.get("definition")
    steps = definition.get("steps") if isinstance(definition, dict) else None
    inferences = [step.get("ModelInference") for step in steps or () if isinstance(step, dict)]
    for one in (fields, *(step for step in inferences if isinstance(step, dict))):
        models = one.get("models")
        yield from (model for model in models if isinstance(model, dict)) if isinstance(models, list) else ()


def _statuses(answer: Any, of: str) -> list[Mapping[str, Any]]:
    """The statuses of models or of pipelines that a deployment's status tells."""
    engines = answer.get("engines") if isinstance(answer, dict) else None
    told = [engine.get(f"{of}_statuses") for engine in engines or () if isinstance(engine, dict)]
    return [row for one in told if isinstance(one, dict) for row in one.get(f"{of}s") or () if isinstance(row, dict)]


def _last_model(answer: Any) -> Mapping[str, Any]:
    """The model that an inference's first record names."""
    row = answer[0] if isinstance(answer, list) and answer and isinstance(answer[0], dict) else {}
    metadata = row.get("metadata")
    try:
        model = json.loads(metadata["last_model"]) if isinstance(metadata, dict) else {}
    except (KeyError, TypeError, ValueError):
        return {}
    return {"name": model.get("model_name"), **model} if isinstance(model, dict) else {}


def _pipeline_of(answer: Any) -> str:
    return str(next((one.get("id") for one in _statuses(answer, "pipeline")), "") or "")


def _model_of(answer: Any) -> Mapping[str, Any] | None:
    """The model that a status tells, or an inference's answer used; None where the answer shows none."""
    if isinstance(answer, list):
        return _last_model(answer)
    return next(iter(_statuses(answer, "model")), None)


def _deployments(exchange: Exchange) -> list[tuple[str, int]]:
    """Deploy ids and ids of the deployments that a request asks about, or a URL answers."""
    if exchange.status is not None and exchange.status >= 400 and exchange.operation != INFER:
        return []
    names: list[Any] = []
    if exchange.operation == STATUS:
        names = [fields_of(STATUS, exchange.request).get("name")]
    elif exchange.operation == INFER:
        names = [exchange.request.path.split("/infer/")[-1].split("/")[0]]
    elif _is_url(exchange):
        names = str(exchange.answer.get("url", "")).split("/infer/")[-1].split("/")[:1]
    return [parts for name in names if (parts := split_name(name))]


def _made(operation: str, question: Any, answer: Any, status: int = 200) -> Exchange:
    request = Request("POST", row_of(operation).path, _JSON, json.dumps(question).encode())
    return Exchange(request, Response(status, _JSON, json.dumps(answer).encode()), operation)


def _status_of(exchange: Exchange) -> str:
    return str(exchange.answer.get("status")) if isinstance(exchange.answer, dict) else ""


# Differences ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """What one answer has otherwise than another: `kind` is gone, new, null, type, value, id or status."""

    place: str
    kind: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind} ({self.one} / {self.other})"


def read(one: Pass, plan: Plan) -> dict[int, Answer]:
    """A pass's answers by step, ids replaced by where they were issued, lists that have no order in one order."""
    reader = Reader(one.run, one.origin)
    return {
        step.number: reordered(reader.read(one.answers[step.number], step.number), ("body", "body.workspaces"))
        for step in plan.steps
        if step.number in one.answers
    }


def differences(one: Answer, other: Answer, operation: str, step: int, *, exact: bool = True) -> list[Difference]:
    """How `other` differs from `one`; times, and addresses of pods, are set aside.

    Ids that `one` tells first at this `step` are taken for each other; later they must be told again alike.
    Where the status of `one` is not exact, since it was not recorded, it tells a success from a refusal alone.
    """
    here, there = one.status or 0, other.status or 0
    if here // 100 != there // 100 or (exact and here != there):
        return [Difference("status", "status", str(here) if exact else f"{here // 100}xx", str(there or other.failure))]
    ours, theirs = _by_place(one), _by_place(other)
    aside = {f"body.{place}".replace("body.[]", "body[]").removesuffix("[]") for place in row_of(operation).times}
    found = list(_shapes(ours, theirs))
    for place in sorted(set(one.leaves) & set(other.leaves)):
        a, b = one.leaves[place], other.leaves[place]
        where = general(place)
        if where in aside or where.endswith(".ip") or place.startswith("header.") or _type(a) != _type(b):
            continue
        if (
            isinstance(a, Id)
            and isinstance(b, Id)
            and a.kind == b.kind
            and (a.kind is Kind.OWNER or a.issued.startswith(f"step {step} "))
        ):
            continue
        if not _equal(a, b):
            kind = "id" if isinstance(a, Id) or isinstance(b, Id) else "value"
            found.append(Difference(where, kind, str(a), str(b)))
    return list(dict.fromkeys(found))


def _by_place(answer: Answer) -> dict[str, list[Leaf]]:
    places: dict[str, list[Leaf]] = defaultdict(list)
    for place, leaf in answer.leaves.items():
        if not place.startswith("header.") or place == "header.content-type":
            places[general(place)].append(leaf)
    return places


def _shapes(ours: Mapping[str, list[Leaf]], theirs: Mapping[str, list[Leaf]]) -> Iterator[Difference]:
    for place in sorted({*ours, *theirs}):
        parent = place.rpartition(".")[0]
        if place.startswith("header.") or (place.endswith("[]") and not (place in ours and place in theirs)):
            continue
        if place not in theirs or place not in ours:
            if OBJECT in theirs.get(parent, ()) and OBJECT in ours.get(parent, ()):
                gone = place not in theirs
                shown = ", ".join(sorted({_type(leaf) for leaf in (ours if gone else theirs)[place]}))
                pair = (shown, "absent") if gone else ("absent", shown)
                yield Difference(place, "gone" if gone else "new", *pair)
            continue
        here, there = ({_type(leaf) for leaf in side[place]} for side in (ours, theirs))
        if not here & there and here | there != {"integer", "number"}:
            kind = "null" if "null" in here | there else "type"
            yield Difference(place, kind, ", ".join(sorted(here)), ", ".join(sorted(there)))


def _type(leaf: Leaf) -> str:
    return "array" if leaf == LIST or isinstance(leaf, Numbers) else type_of(leaf)


def _equal(one: Leaf, other: Leaf) -> bool:
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        pairs = zip(one.values, other.values, strict=False)
        return len(one.values) == len(other.values) and all(abs(a - b) <= FLOAT_TOLERANCE for a, b in pairs)
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= FLOAT_TOLERANCE
    return one == other


# Who stands alone -----------------------------------------------------------------------------------------------------

RECORDING, SERVICE, EMULATED, ALL = "the recording", "the service", "our emulated instance", "no two agree"


@dataclass(frozen=True)
class Told:
    """A difference among a recording, the service's answer and the emulated instance's, and who stands alone in it."""

    recording: Recording
    difference: Difference
    alone: str


@dataclass(frozen=True)
class Reissued:
    """What came of a session: what differs, what could not be asked and why, and the service's own answers.

    `left` says what could not be undeployed at the service, empty where nothing is left.
    """

    told: tuple[Told, ...]
    asked: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Recording, ...] = ()
    left: str = ""


def judged(reissue: Reissue, service: Pass, emulated: Pass, release: str) -> Reissued:
    """Hold a recorded session, the service's answers and the emulated instance's against each other."""
    recorded, live, ours = (read(one, reissue.plan) for one in (reissue.recorded, service, emulated))
    told: list[Told] = []
    left_out = {recording.name: why for recording, why in reissue.left_out}
    answers: list[Recording] = []
    for number, recording in reissue.recordings.items():
        if number not in live:
            left_out[recording.name] = service.left_out.get(number, "It was not sent.")
            continue
        answers.append(
            replace(recording, exchange=service.answers[number], source=f"run {service.run}", release=release,
                    about=f"{recording.about} Sent again.", status_source="")
        )  # fmt: skip
        operation = recording.exchange.operation or ""
        exact = Mark.STATUS_INFERRED not in recording.exchange.labels and recording.exchange.status is not None
        body = recording.exchange.response is not None and recording.exchange.response.body_known
        if not body and not exact:
            continue
        by_service = differences(recorded[number], live[number], operation, number, exact=exact)
        by_ours = differences(recorded[number], ours[number], operation, number, exact=exact) if number in ours else []
        two = differences(live[number], ours[number], operation, number) if number in ours else []
        apart = {one.place for one in two}
        for one in dict.fromkeys((*by_service, *by_ours)):
            places = ({d.place for d in by_service}, {d.place for d in by_ours})
            told.append(Told(recording, one, _alone(one.place, places, apart)))
    return Reissued(tuple(told), len(answers), left_out, tuple(answers), service.left)


def _alone(place: str, places: tuple[set[str], set[str]], apart: set[str]) -> str:
    in_service, in_ours = place in places[0], place in places[1]
    if in_service and in_ours:
        return ALL if place in apart else RECORDING
    return SERVICE if in_service else EMULATED


def lines(sessions: Sequence[Reissued]) -> Iterator[str]:
    """What came of the sessions, for the terminal: each difference, what was not sent, and the counts."""
    told = [one for session in sessions for one in session.told]
    for one in told:
        found = one.difference
        shown = f"{found.kind}, {_short(found.one)} before, {_short(found.other)} now"
        yield f"{one.recording.exchange.operation}  {one.recording.name}"
        yield f"  {found.place}: {shown}; {one.alone}{'' if one.alone == ALL else ' stands alone'}"
    for why, names in _by_reason(sessions).items():
        yield f"Not sent: {len(names)}. {why}"
    asked, apart = sum(session.asked for session in sessions), len({id(one.recording) for one in told})
    counts = Counter(one.alone for one in told)
    yield f"{asked} sent again: {asked - apart} answered alike by all three, {apart} with differences."
    if counts:
        yield "Who stands alone: " + ", ".join(f"{who} {count}" for who, count in sorted(counts.items())) + "."


def _short(text: str, most: int = 100) -> str:
    """A value on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"


def _by_reason(sessions: Iterable[Reissued]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for session in sessions:
        for name, why in session.left_out.items():
            reasons[why].append(name)
    return dict(reasons)
