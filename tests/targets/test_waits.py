from __future__ import annotations

from conformance.targets.waits import WaitBudget


def test_a_wait_that_was_never_in_vain_is_whole() -> None:
    assert WaitBudget(300).seconds("Running") == 300


def test_after_one_wait_in_vain_the_next_for_the_same_end_is_short() -> None:
    budget = WaitBudget(300)
    budget.ran_out("404")
    assert budget.seconds("404") == 5
    assert budget.seconds("Running") == 300


def test_no_wait_is_longer_than_it_was_allowed_to_be() -> None:
    budget = WaitBudget(2)
    budget.ran_out("404")
    assert budget.seconds("404") == 2
