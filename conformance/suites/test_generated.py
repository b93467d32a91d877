"""Requests drawn from the description, in long lifecycles, and the same question asked in more than one way."""

from __future__ import annotations

import pytest

from conformance.api.operations import IDS
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.generation.resources import Budget, Resources
from conformance.suites.releases import each


@pytest.mark.parametrize("operation", each(IDS))
def test_valid_requests_are_served(
    session: Session, resources: Resources, budget: Budget, settings: Settings, operation: str
) -> None:
    from conformance.suites.generation import sending

    sending.valid(session, resources, budget, settings.seed, operation)


@pytest.mark.parametrize("operation", each(IDS))
def test_invalid_requests_are_refused(
    session: Session, resources: Resources, budget: Budget, settings: Settings, operation: str
) -> None:
    from conformance.suites.generation import sending

    sending.invalid(session, resources, budget, settings.seed, operation)


@pytest.mark.live_cost(1)
def test_the_same_rows_get_the_same_answers(session: Session, resources: Resources, settings: Settings) -> None:
    from conformance.suites.generation import sending

    sending.same_rows(session, resources, settings.seed)


@pytest.mark.live_cost(2)
def test_long_lifecycles(request: pytest.FixtureRequest, session: Session, budget: Budget, settings: Settings) -> None:
    from conformance.suites.generation import lifecycles

    if settings.kind == "live":
        request.getfixturevalue("long_lifecycles")()
    else:
        lifecycles.run(session, request.getfixturevalue("resources"), budget, settings)


@pytest.mark.live_cost(0)
def test_requests_at_the_same_moment(session: Session, resources: Resources, budget: Budget) -> None:
    from conformance.suites.generation import sending

    sending.at_once(session, resources, budget)
