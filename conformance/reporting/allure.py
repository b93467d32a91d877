"""Allure, where its pytest plugin is installed: each item carries the requirements it is about as labels."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache


@cache
def installed() -> bool:
    """Whether allure-pytest is there; nothing of it is imported before that is known."""
    return importlib.util.find_spec("allure") is not None


def label(requirements: Iterable[str]) -> None:
    """Label the running item with requirement ids. Call it while the item runs; without Allure it does nothing."""
    if not installed():
        return
    import allure

    for requirement in dict.fromkeys(requirements):
        allure.dynamic.label("requirement", requirement)
