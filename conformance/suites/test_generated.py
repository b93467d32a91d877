"""Requests drawn from the description, in long lifecycles, and the same question asked in more than one way."""

from __future__ import annotations

import pytest

from conformance.api.operations import IDS
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.generation.budget import Budget
from conformance.suites.generation.stage import Stage
from conformance.suites.releases import each


@pytest.mark.parametrize("operation", each(IDS))
def test_valid_requests_are_served(
    session: Session, stage: Stage, budget: Budget, settings: Settings, operation: str
) -> None:
    from conformance.suites.generation import serving

    serving.valid(session, stage, budget, settings.seed, operation)


@pytest.mark.parametrize("operation", each(IDS))
def test_invalid_requests_are_refused(
    session: Session, stage: Stage, budget: Budget, settings: Settings, operation: str
) -> None:
    from conformance.suites.generation import refusing

    refusing.invalid(session, stage, budget, settings.seed, operation)


@pytest.mark.live_cost(1)
def test_the_same_rows_get_the_same_answers(session: Session, stage: Stage, settings: Settings) -> None:
    from conformance.suites.generation import asking

    asking.in_other_ways(session, stage, settings.seed)


@pytest.mark.live_cost(2)
def test_long_lifecycles(request: pytest.FixtureRequest, session: Session, budget: Budget, settings: Settings) -> None:
    from conformance.suites.generation import lifecycles

    if settings.kind == "live":
        request.getfixturevalue("lives")()
    else:
        lifecycles.run(session, request.getfixturevalue("stage"), budget, settings)


@pytest.mark.live_cost(0)
def test_requests_at_the_same_moment(session: Session, stage: Stage, budget: Budget) -> None:
    from conformance.suites.generation import together

    together.run(session, stage, budget)
