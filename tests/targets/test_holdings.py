"""What a run made, or may have made, as a fold over its calls; and what it may cost."""

from __future__ import annotations

import json

import pytest

from conformance.errors import LimitReachedError, TargetUnreachableError
from conformance.model import Exchange, Headers, Operation, Request, Response
from conformance.spec.document import Document
from conformance.targets.safety.guard import CircuitBreaker, Limits, RefusedError
from conformance.targets.safety.holdings import Deployed, Holdings, Note, deployment_in

OURS = "conformance-1234-"
DOCUMENT = Document.load()


class Clock:
    """Seconds that pass when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def request(path: str, **body: object) -> Request:
    return Request("POST", f"https://x.example/v1/api/{path}", Headers({}), json.dumps(body).encode())


def operation(sent: Request) -> Operation:
    matched = DOCUMENT.match("POST", sent.path)
    assert matched is not None
    return matched[0]


def exchange(sent: Request, answer: object = None, status: int | None = 200) -> Exchange:
    response = None if status is None else Response(status, Headers(), json.dumps(answer).encode())
    return Exchange(sent, response, operation(sent).id)


def call(holdings: Holdings, sent: Request, answer: object = None, status: int | None = 200) -> None:
    holdings.learn(holdings.intend(operation(sent).id, sent), exchange(sent, answer, status))


CREATE = request("pipelines/create", pipeline_id=OURS + "p", workspace_id=3, definition={"secret": "opensesame"})
DEPLOY = request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=5, pipeline_version_pk_id=50)
UNDEPLOY = request("pipelines/undeploy", deployment_id=14)
STATUS = request("status/get_deployment", name=OURS + "p-14")
CREATED = {"pipeline_pk_id": 5, "pipeline_variant_pk_id": 50}


def deployed(notes: list[Note] | None = None, clock: Clock | None = None) -> Holdings:
    holdings = Holdings(OURS, None if notes is None else notes.append, clock or Clock())
    call(holdings, CREATE, CREATED)
    call(holdings, DEPLOY, {"id": 14})
    return holdings


def test_an_intent_is_noted_before_the_answer_and_its_outcome_after_it() -> None:
    notes: list[Note] = []
    holdings = Holdings(OURS, notes.append, Clock())
    name = holdings.intend("pipelines.create", CREATE)
    assert notes == [{"at": 1000.0, "call": name, "intent": "pipelines.create", "name": OURS + "p", "workspace_id": 3}]
    holdings.learn(name, exchange(CREATE, CREATED))
    assert notes[1] == {"at": 1000.0, "call": name, "status": 200, "pipeline": 5, "variant": 50}


def test_a_note_holds_names_of_ours_and_numbers_only() -> None:
    notes: list[Note] = []
    holdings = Holdings(OURS, notes.append)
    call(
        holdings, request("pipelines/create", pipeline_id="opensesame", workspace_id="opensesame"), {"x": "opensesame"}
    )
    call(holdings, CREATE, CREATED | {"pipeline_variant_version": "opensesame"})
    assert "opensesame" not in json.dumps(notes)


def test_notes_read_again_say_the_same() -> None:
    notes: list[Note] = []
    holdings, again = deployed(notes), Holdings(OURS)
    for note in json.loads(json.dumps(notes)):
        again.take(note)
    assert again.deployments == holdings.deployments == {14: Deployed(14, OURS + "p", 5, 1000.0)}
    assert again.pipelines == holdings.pipelines


def test_a_deployment_is_gone_once_status_is_404_after_its_undeploy() -> None:
    holdings = deployed()
    holdings.learn("", exchange(STATUS, status=404))
    assert not holdings.clean, "a moment of 404 after a deploy is no end"
    holdings.learn("", exchange(UNDEPLOY))
    assert not holdings.clean
    holdings.learn("", exchange(STATUS, status=404))
    assert holdings.clean


@pytest.mark.parametrize("status", [None, 500, 504])
def test_a_deploy_of_which_nobody_knows_what_came_may_have_deployed(status: int | None) -> None:
    holdings = Holdings(OURS)
    call(holdings, CREATE, CREATED)
    call(holdings, DEPLOY, status=status)
    assert [note["intent"] for note in holdings.maybe_deployed()] == ["pipelines.deploy"]
    holdings.settle(holdings.maybe_deployed()[0]["call"])
    assert holdings.clean


def test_a_deploy_that_was_refused_has_not_deployed() -> None:
    holdings = Holdings(OURS)
    call(holdings, DEPLOY, status=400)
    assert holdings.clean


def test_a_copy_that_deploys_is_a_deployment_too() -> None:
    holdings = Holdings(OURS)
    copy = request("pipelines/copy", name=OURS + "c", workspace_id=3, source_pipeline=5, deploy=OURS + "d")
    call(holdings, copy, CREATED | {"deployment": {"id": 15}})
    assert [one.name for one in holdings.deployments.values()] == [OURS + "d-15"]


@pytest.mark.parametrize("label", ["theirs-14", OURS + "p", OURS + "p-", "", "14"])
def test_a_name_that_is_not_ours_is_no_deployment_of_ours(label: str) -> None:
    assert deployment_in(label, OURS, None, 0.0) is None


def test_deployments_at_once_have_a_ceiling_and_the_same_again_is_none_more() -> None:
    holdings, limits = deployed(), Limits(deployments=1)
    limits.check(operation(DEPLOY), DEPLOY, holdings)
    other = request("pipelines/deploy", deploy_id=OURS + "q", pipeline_id=6, pipeline_version_pk_id=60)
    with pytest.raises(RefusedError, match="1 may be at once"):
        limits.check(operation(other), other, holdings)


def test_minutes_deployed_have_a_ceiling_and_undeploying_goes_on() -> None:
    clock = Clock()
    holdings, limits = deployed(clock=clock), Limits(minutes=10)
    clock.now += 9 * 60
    limits.check(operation(CREATE), CREATE, holdings)
    clock.now += 2 * 60
    with pytest.raises(LimitReachedError, match="11 minutes"):
        limits.check(operation(CREATE), CREATE, holdings)
    limits.check(operation(UNDEPLOY), UNDEPLOY, holdings)
    limits.check(operation(STATUS), STATUS, holdings)


def test_a_target_that_fails_on_everything_is_left_alone() -> None:
    breaker, sick = CircuitBreaker(), exchange(STATUS, status=500)
    for _ in range(9):
        breaker.after(sick, lambda: False)
    with pytest.raises(TargetUnreachableError, match="10 requests in a row"):
        breaker.after(sick, lambda: False)


def test_one_operation_that_fails_is_no_outage() -> None:
    breaker, sick = CircuitBreaker(), exchange(STATUS, status=500)
    for _ in range(50):
        breaker.after(sick, lambda: True)


def test_a_target_that_goes_on_asking_to_slow_down_is_left_alone() -> None:
    breaker, slow = CircuitBreaker(), exchange(STATUS, status=429)
    for _ in range(4):
        breaker.after(slow, lambda: True)
    with pytest.raises(TargetUnreachableError, match="429"):
        breaker.after(slow, lambda: True)
