"""The values of a program that is read, not run: what is known of them, and what is not."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from conformance.drift.usage.calls import Answer
from conformance.drift.usage.curl import HOLE


class Unknown:
    """The value of anything that cannot be told without running the program."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Function:
    """A function of the program itself, whose body is read again for each call with the arguments it gets."""

    node: ast.FunctionDef | ast.AsyncFunctionDef


class Session(str):
    """A client of an HTTP library; its text is the base URL that relative ones are joined to."""

    __slots__ = ()


class SdkObject:
    """Something the vendor's SDK made."""


def element(value: Any) -> Any:
    """What a loop over the value gives: an entry of an answer's array, the first of a list."""
    if isinstance(value, Answer):
        return value.part(0) if value.at else UNKNOWN
    return value[0] if isinstance(value, list) and value else UNKNOWN


def text_of(value: Any) -> str:
    """A value within a text; HOLE where it is not known."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else HOLE


def added(left: Any, right: Any) -> Any:
    """`left + right`: texts and lists are joined as far as they are known."""
    if isinstance(left, str) or isinstance(right, str):
        return text_of(left) + text_of(right)
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return UNKNOWN
