from __future__ import annotations

from conformance.checks import Rules, judge
from conformance.ledger import Ledger
from conformance.model import Exchange
from tests.checks.built import after, post

RULES = Rules.of()
COPY = {"name": "c", "workspace_id": 10, "source_pipeline": 25}
NOWHERE = {"msg": "Not found", "code": 404}


def stranger(code: int) -> Exchange:
    return post("pipelines.copy", COPY, NOWHERE, code, labels=frozenset({"identity:none"}))


def judged(exchange: Exchange, before: Ledger) -> set[tuple[str, bool]]:
    found = judge(exchange, before, RULES)
    return {(one.requirement, one.held) for one in found if one.requirement.endswith("without-a-token")}


ROW = "pipelines.copy.refuses-a-request-without-a-token"


def test_a_stranger_who_finds_nothing_where_we_found_something_was_not_refused() -> None:
    assert judged(stranger(404), after()) == {(ROW, False)}
    assert judged(stranger(401), after()) == {(ROW, True)}


def test_nothing_is_claimed_of_strangers_at_an_operation_that_the_target_does_not_have() -> None:
    told = after(post("pipelines.copy", COPY, NOWHERE, 404, intent="valid"))
    assert told.absent == {"pipelines.copy"}
    assert judged(stranger(404), told) == set()
    assert judged(stranger(200), told) == {(ROW, False)}


def test_a_deployment_that_is_not_found_says_nothing_of_its_operation() -> None:
    assert after(post("status.get-deployment", {"name": "p-1"}, NOWHERE, 404, intent="valid")).absent == frozenset()
