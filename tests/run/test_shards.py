from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.errors import NoVerdictError, UsageError
from conformance.model import Exchange, Finding, Headers, Request, Response, Waiver
from conformance.run.run import Gate, concluded
from conformance.run.runner import Runner
from conformance.run.settings import Settings
from conformance.run.shards import Shard, divide, joined, shared_out

TODAY = datetime.date(2026, 1, 5)
ROW = "pipelines.deploy.again-returns-the-same-id"
OTHER = "pipelines.create.same-name-keeps-the-pipeline"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYWRlLXVwIn0.c2lnbmF0dXJl"

Groups = st.lists(st.integers(1, 6), min_size=1, max_size=40).map(
    lambda sizes: [[f"{group}-{place}" for place in range(size)] for group, size in enumerate(sizes)]
)


@settings(deadline=None)
@given(Groups, st.integers(1, 7), st.dictionaries(st.sampled_from([f"{g}-0" for g in range(40)]), st.floats(0, 99)))
def test_every_item_is_in_one_shard_and_groups_stay_together(
    groups: list[list[str]], of: int, seconds: dict[str, float]
) -> None:
    shards = divide(groups, seconds, of)
    assert set(shards) == {item for group in groups for item in group}
    assert set(shards.values()) <= set(range(1, of + 1))
    assert all(len({shards[item] for item in group}) == 1 for group in groups)
    assert divide(groups, dict(reversed(seconds.items())), of) == shards


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=60), st.integers(1, 7))
def test_no_shard_has_more_than_the_least_and_its_dearest_item(seconds: list[float], of: int) -> None:
    cost = {str(index): value for index, value in enumerate(seconds)}
    loads = Counter(dict.fromkeys(range(1, of + 1), 0.0))
    for item, shard in divide([[item] for item in cost], cost, of).items():
        loads[shard] += cost[item]
    assert max(loads.values()) <= min(loads.values()) + max(seconds) + 1e-6


def test_items_that_were_never_measured_cost_as_the_usual_one() -> None:
    shards = divide([["slow"], ["a"], ["b"], ["new"]], {"slow": 3.0, "a": 1.0, "b": 1.0}, 2)
    assert shards == {"slow": 1, "a": 2, "b": 2, "new": 2}


@pytest.mark.parametrize("text", ["", "3/2", "0/2", "2", "1/0", "a/b", "1/2/3", "-1/2", "1/99999"])
def test_what_is_no_shard_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="--shard 2/3"):
        Shard.read(text)


def test_ceilings_are_shared_out() -> None:
    shared = shared_out(Settings(target="https://api.example.com", shard="2/4", max_requests=1000, rate=8.0))
    assert (shared.max_requests, shared.rate, shared.deployments_at_once) == (250, 2.0, 8)
    assert shared_out(Settings(max_requests=1000)).max_requests == 1000


def _exchange(token: str) -> Exchange:
    headers = Headers({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    request = Request("POST", "http://127.0.0.1:1/v1/api/pipelines/deploy", headers, b'{"deploy_id": "p"}')
    response = Response(200, Headers({"Content-Type": "application/json"}), json.dumps({"id": 2}).encode(), 0.1)
    return Exchange(request, response, "pipelines.deploy", started=10.0, ended=10.1)


Make = Callable[..., dict[str, Any]]


@pytest.fixture
def shard() -> Make:
    """Results of shards of a run in two, the second of which saw a promise broken."""

    def make(index: int, gate: Gate | None = None, of: int = 2, **changes: Any) -> dict[str, Any]:
        given = Settings(target="emulated", seed=7, suites=("lifecycle",), shard=f"{index}/{of}")
        runner = Runner(replace(given, **changes))
        runner.facts.held[OTHER, "pipelines.create"] = 3
        runner.facts.plan = {"digest": "d", "items": 4}
        runner.facts.requests, runner.facts.items = 10, {f"item-{index}": 1.5}
        runner.facts.suite("lifecycle").update(items=2, failed=index - 1, seconds=1.5)
        runner.facts.held[ROW, "pipelines.deploy"] = 1
        if index == 2:
            finding = Finding(ROW, False, "the same id", "another", (_exchange(TOKEN),), "pipelines.deploy")
            runner.facts.broken, runner.facts.broke = [finding], Counter({(ROW, "pipelines.deploy"): 1})
        result = concluded(runner, gate or Gate(), TODAY)
        return json.loads(json.dumps(result))  # type: ignore[no-any-return]

    return make


def _outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["outcome"] for row in result["requirements"]}


def test_what_a_shard_did_not_see_is_no_part_of_its_scope(shard: Make) -> None:
    first, second = shard(1), shard(2)
    assert (first["exit_code"], first["scope"]) == (0, "shard 1/2; suite lifecycle")
    assert set(_outcomes(first)) == {ROW, OTHER}
    assert (second["exit_code"], _outcomes(second)[ROW]) == (1, "broken")


def test_the_merged_verdict_is_of_everything(shard: Make) -> None:
    merged = concluded(joined({"a": shard(2), "b": shard(1)}), Gate(), TODAY)
    outcomes = _outcomes(merged)
    assert (outcomes[ROW], outcomes[OTHER]) == ("broken", "held")
    assert "untested" in outcomes.values(), "what neither shard saw is untested in the whole"
    assert (merged["exit_code"], merged["scope"], merged["requests"]) == (1, "suite lifecycle", 20)
    assert merged["suites"] == [{"name": "lifecycle", "items": 4, "failed": 1, "seconds": 3.0}]
    assert [one["id"] for one in merged["items"]] == ["item-1", "item-2"]
    row = next(row for row in merged["requirements"] if row["id"] == ROW)
    alone = next(row for row in shard(2)["requirements"] if row["id"] == ROW)
    assert row["findings"] == alone["findings"], "the evidence is that of the shard"
    assert "shard" not in merged


def test_a_shards_result_holds_no_token(shard: Make) -> None:
    assert TOKEN not in json.dumps(shard(2))


def test_a_waiver_of_what_another_shard_saw_broken_is_not_stale(shard: Make) -> None:
    gate = Gate((Waiver(ROW, "known", "platform", TODAY),))
    assert [shard(1, gate)["exit_code"], shard(2, gate)["exit_code"]] == [0, 0]
    results = {"a": shard(1), "b": shard(2)}
    assert _outcomes(concluded(joined(results), gate, TODAY))[ROW] == "waived"
    stale = Gate((Waiver(OTHER, "known", "platform", TODAY), *gate.waivers))
    assert concluded(joined(results), stale, TODAY)["exit_code"] == 1


def test_a_waiver_past_its_day_fails_a_shard_too(shard: Make) -> None:
    assert shard(1, Gate((Waiver(ROW, "known", "platform", TODAY - datetime.timedelta(1)),)))["exit_code"] == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 8}, "its seed is 8, and there it is 7"),
        ({"profile": "2024.1"}, "its profile is 2024.1"),
        ({"target": "https://api.example.com"}, "its target is https://api.example.com, and there it is emulated"),
        ({"budget": "quick"}, "its budget is quick"),
        ({"suites": ("identity",)}, "its suites is identity"),
    ],
)
def test_a_shard_of_another_run_is_named(shard: Make, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(NoVerdictError, match=f"^two.json is no shard of the same run as one.json: {says}"):
        joined({"one.json": shard(1), "two.json": shard(2, **changes)})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda result: result.update(version="9"), "version is 9"),
        (lambda result: result["digests"].update(spec="0" * 64), "digest of the spec is 0000"),
        (lambda result: result["shard"].update(plan="other"), "division of the items"),
        (lambda result: result["shard"].update(of=3), "number of shards is 3, and there it is 2"),
    ],
)
def test_a_shard_of_another_suite_is_named(shard: Make, change: Callable[[dict[str, Any]], None], says: str) -> None:
    second = shard(2)
    change(second)
    with pytest.raises(NoVerdictError, match=f"^two.json .*{says}"):
        joined({"one.json": shard(1), "two.json": second})


def test_a_missing_shard_and_one_given_twice_are_named(shard: Make) -> None:
    with pytest.raises(NoVerdictError, match=r"^Shard 2/2 is missing"):
        joined({"a": shard(1)})
    with pytest.raises(NoVerdictError, match=r"^The shards 1/3, 3/3 are missing"):
        joined({"a": shard(2, of=3)})
    with pytest.raises(NoVerdictError, match=r"^Shard 1/2 is there twice, in a and in b"):
        joined({"a": shard(1), "b": shard(1)})


def test_the_result_of_no_shard_and_a_changed_one_are_named(shard: Make) -> None:
    with pytest.raises(NoVerdictError, match=r"^whole is the result of no shard"):
        joined({"whole": shard(1, shard="")})
    second = shard(2)
    second["shard"]["facts"]["broken"] = [{}]
    with pytest.raises(UsageError, match=r"^What b says it saw"):
        joined({"a": shard(1), "b": second})
