"""A side is asked with the credentials that each probe tries, and what it answered before it broke off is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from conformance.checks.auth import REPEATED
from conformance.compare.plan import Plan, Step
from conformance.compare.side import Side, opened
from conformance.compare.variations import ANY_CASE
from conformance.model import Exchange, Label, Mark, Purpose, Request
from conformance.run.settings import Settings
from conformance.suites.requests import json_request
from conformance.targets.emulated import emulator_process

KNOWN = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def plan(*labels: Label) -> Plan:
    """One list of workspaces for each label."""
    asked = [Exchange(json_request("workspaces.list", {}), None, "workspaces.list", labels=frozenset({label}))
             for label in labels]  # fmt: skip
    return Plan("", tuple(Step(number, one) for number, one in enumerate(asked, 1)))


FALSE = ("none", "garbage", "truncated", "prefixed", "query", "basic", "expired", "early", "forged", "unsigned",
         "audience")  # fmt: skip


def test_each_probe_is_sent_with_its_own_credentials(tmp_path: Path) -> None:
    false = [*(Purpose.IDENTITY.of(word) for word in FALSE), REPEATED]
    good = [ANY_CASE, *(Purpose.GRANT.of(word) for word in ("password", "refresh", "client-credentials"))]
    with opened("new", "emulated", Settings("emulated", journal=str(tmp_path)), os.environ) as side:
        done = side.play(plan(*false, *good))
    statuses = [done.answers[number].status for number in range(1, len(false) + len(good) + 1)]
    assert statuses == [401] * len(false) + [200] * len(good)
    assert len({one.request.headers.get("authorization") for one in done.answers.values()}) >= len(false) - 2


def test_a_live_side_leaves_out_the_tokens_that_only_its_issuer_makes(tmp_path: Path) -> None:
    with emulator_process([]) as url:
        side = Side("new", Settings(url, journal=str(tmp_path)), KNOWN)
        done = side.play(plan(*(Purpose.IDENTITY.of(word) for word in ("early", "expired", "garbage"))))
    assert sorted(done.answers) == [3]
    assert all("cannot be made on this side" in done.left_out[number] for number in (1, 2))


def test_the_documentation_is_asked_for_without_credentials(tmp_path: Path) -> None:
    request = Request("GET", "/v1/api/docs")
    step = Step(1, Exchange(request, None, None, labels=frozenset({Mark.DOCUMENTATION})))
    with opened("new", "emulated", Settings("emulated", journal=str(tmp_path)), os.environ) as side:
        answer = side.play(Plan("", (step,))).answers[1]
    assert (answer.status, "authorization" in answer.request.headers) == (200, False)


def test_a_body_in_which_nothing_is_renamed_goes_as_it_was_spelled(tmp_path: Path) -> None:
    spelled = b' {"user_id" : null,"user_id":null}\n'
    request = replace(json_request("workspaces.list", {}), body=spelled)
    step = Step(1, Exchange(request, None, "workspaces.list"))
    with opened("new", "emulated", Settings("emulated", journal=str(tmp_path)), os.environ) as side:
        assert side.play(Plan("", (step,))).answers[1].request.body == spelled


def test_what_an_instance_answered_before_it_took_no_token_any_more_is_kept(tmp_path: Path) -> None:
    listing = Exchange(json_request("workspaces.list", {}), None, "workspaces.list")
    steps = Plan("", tuple(Step(number, listing) for number in range(1, 5001)))
    with emulator_process(["--token-seconds", "2", "--fault", "refreshed-tokens-are-worthless"]) as url:
        done = Side("new", Settings(url, journal=str(tmp_path)), KNOWN).play(steps)
    assert 0 < len(done.answers) < len(steps.steps)
    assert done.broken_off.startswith(f"The new side broke off at step {max(done.answers)}: ")
