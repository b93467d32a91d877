from __future__ import annotations

from conformance.targets.waits import Patience


def test_a_wait_that_was_never_in_vain_is_whole() -> None:
    assert Patience(300).seconds("Running") == 300


def test_after_one_wait_in_vain_the_next_for_the_same_end_is_short() -> None:
    patience = Patience(300)
    patience.ran_out("404")
    assert patience.seconds("404") == 5
    assert patience.seconds("Running") == 300


def test_no_wait_is_longer_than_it_was_allowed_to_be() -> None:
    patience = Patience(2)
    patience.ran_out("404")
    assert patience.seconds("404") == 2
