"""Whether two outputs of a cell say the same, when ids, times, tokens and random names are what one instance gave them.

Outputs that are JSON, or a value as Python writes it, are compared as values; all others word by word. Numbers agree
within 1e-6 of themselves. What is left out of an output is said in `_MASKS`, pattern by pattern.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

TOLERANCE = 1e-6

_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_DAY = r"\d{4}-(?:\d{2}|[A-Z][a-z]{2})-\d{1,2}|\d{4}-\d{1,2}-[A-Z][a-z]{2}|\d{1,2}-[A-Z][a-z]{2}-\d{4}"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

_MASKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), word)
    for pattern, word in (
        (r"\x1b\[[0-9;]*[A-Za-z]", ""),  # colours
        (r"^\s*% Total .*$|^\s*Dload\s.*$|^(?:.*\r)?\s*\d+\s+\S+\s+\d+\s+\S+(?:\s+[\d:.kKMG-]+){4,}.*$", ""),  # curl's
        (r"^.*\d+%\|.*$", ""),  # a progress bar
        (r"^(?:CPU times|Wall time):.*$", ""),
        (r"Bearer\s+<[^>]*>", "Bearer token"),
        (r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?", "token"),
        (r"<redacted [^>]*>", "token"),
        (_UUID + rf"(?:\s*,\s*{_UUID})*", "uuid"),
        (r"[\w.+-]+@[\w-]+\.[\w.-]+", "address"),
        (r"user_code=[\w-]+", "user_code="),
        (rf"(?:{_DAY})(?:[T ]{_TIME})?", "time"),
        (rf"(?<![\d.:]){_TIME}\b", "time"),
        (r"\b1[5-9]\d{8}(?:\d{3}|\d{6}|\d{9})?\b(?:\.\d+)?", "time"),  # since 1970: seconds and their thousandths
        (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "ip"),
        (r"\b0x[0-9a-fA-F]{6,}\b", "pointer"),
        (r"(?<=[a-z])-[0-9a-f]{8,10}-[0-9a-z]{5}\b", "-pod"),
        (r"(?<=[A-Za-z_])-\d+(?=[/\"'\s,.)\]]|$)", "-id"),
        (r"(?i)\b((?:\w*_)?(?:pk_)?ids?)(['\"]?\s*[:=|]\s*)\d+", r"\1\2id"),
        (r"(?i)\b(elapsed)(['\"]?\s*[:=]\s*)\[[^\]]*\]", r"\1\2elapsed"),
        (r"\.{2,}", "…"),
    )
)

_ID = re.compile(r"(?i)(^|[_.\s])(pk_)?ids?$|[a-z]Id$")
_OF_THE_MOMENT = re.compile(r"(?i)(^|[_.])(time|elapsed|timestamp|created|updated)(_at)?$|_at$|_time$")
_TOKEN = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|\w+|[^\s\w]")
_NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?\Z")
_AROUND = 6


def difference(stored: str, now: str) -> str:
    """What the second output says otherwise, as one sentence; empty where both say the same."""
    first, second = _value(stored), _value(now)
    if first is not _NO_VALUE and second is not _NO_VALUE:
        return next(_of_values(first, second, "$"), "")
    return _of_texts(stored, now)


def masked(text: str) -> str:
    """The text without what is another in every run."""
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


_NO_VALUE: Any = object()


def _value(text: str) -> Any:
    """The value that a text is, of JSON or of Python's own writing; a text within a text is read too."""
    text = text.strip()
    if not text or (text[0] not in "{['\"(" and text not in ("null", "None", "true", "false", "True", "False")):
        return _NO_VALUE
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return _unwrapped(value)
    return _NO_VALUE


def _unwrapped(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        inner = _value(value)
        return value if inner is _NO_VALUE else inner
    return value


def _of_values(first: Any, second: Any, at: str, key: str = "") -> Iterator[str]:
    first, second = _unwrapped(first), _unwrapped(second)
    if isinstance(first, dict) and isinstance(second, dict):
        yield from _of_objects(first, second, at)
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        yield from _of_lists(first, second, at, key)
    elif _is_number(first) and _is_number(second):
        if not (_ID.search(key) or _OF_THE_MOMENT.search(key) or _close(first, second) or _moments(first, second)):
            yield f"{at} was {first}, and is {second}"
    elif isinstance(first, str) and isinstance(second, str):
        if _of_texts(first, second):
            yield f"{at} was {_short(masked(first))}, and is {_short(masked(second))}"
    elif first != second or type(first) is not type(second):
        yield f"{at} was {_short(_written(first))}, and is {_short(_written(second))}"


def _of_objects(first: dict[Any, Any], second: dict[Any, Any], at: str) -> Iterator[str]:
    for name in [*first, *(name for name in second if name not in first)]:
        if name not in second:
            yield f"{at}.{name} was there, and is not any more"
        elif name not in first:
            yield f"{at}.{name} was not there, and is now"
        else:
            yield from _of_values(first[name], second[name], f"{at}.{name}", str(name))


def _of_lists(first: Sequence[Any], second: Sequence[Any], at: str, key: str) -> Iterator[str]:
    if _OF_THE_MOMENT.search(key) and all(map(_is_number, [*first, *second])):
        return
    if len(first) != len(second):
        yield f"{at} had {len(first)} entries, and has {len(second)}"
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        yield from _of_values(one, other, f"{at}[{number}]", key)


def _written(value: Any) -> str:
    return masked(json.dumps(value, default=str))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(first: float, second: float) -> bool:
    if isinstance(first, int) and isinstance(second, int):
        return first == second
    return math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (first != first and second != second)


def _moments(first: float, second: float) -> bool:
    return all(masked(f"{value:.0f}") == "time" for value in (first, second))


def _of_texts(stored: str, now: str) -> str:
    first, second = (_TOKEN.findall(masked(text)) for text in (stored, now))
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if not _same(one, other):
            return f"was {_excerpt(first, number)}, and is {_excerpt(second, number)}"
    if len(first) == len(second):
        return ""
    number = min(len(first), len(second))
    longer = first if len(first) > len(second) else second
    what = f"{_excerpt(longer, number)} at its end" if number else _excerpt(longer, 0)
    return f"{what} was there, and is not any more" if longer is first else f"{what} was not there, and is now"


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if not (_NUMBER.match(one) and _NUMBER.match(other)):
        return False
    return ("." in one or "." in other) and _close(float(one), float(other))


def _excerpt(tokens: list[str], number: int) -> str:
    part = tokens[max(0, number - 1) : number + _AROUND]
    return _short(" ".join(part)) if part else "nothing"


def _short(text: str, most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
