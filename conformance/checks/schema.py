"""Bodies: what an answer holds, field by field, against the document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

_INDEX = re.compile(r"\[\d+\]")
_STEP = re.compile(r"(?:\.(\w+))?(\[\])?(?=\.|\[|$)")
_ITEMS = 50


def success_body(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A success's body is as described; a field that has a row of its own is judged under that row.

    JSON Schema takes 25.0 for an integer; clients that were promised an integer read a float, and name things by it.
    """
    response = exchange.response
    if response is None or not response.body_known or not (exchange.ok or response.status is None):
        return
    fields = rules.catalogue.fields_of(exchange.operation or "")
    broken: dict[str, tuple[str, str]] = {}
    for problem in rules.validator.body_problems(exchange):
        slug = _row_of(problem.where, fields) or "answers-with-the-described-body"
        broken.setdefault(slug, (f"{problem.expected} at {_INDEX.sub('[]', problem.where)}", problem.actual))
    for field, row in fields:
        fraction = next((one for one in _values(exchange.answer, field) if isinstance(one, float)), None)
        if fraction is not None and rules.is_integer(exchange.operation or "", field):
            broken.setdefault(_slug(row), (f"an integer, written as one, at {field}", str(fraction)))
    for slug in ("answers-with-the-described-body", *(_slug(row) for _, row in fields)):
        expected, actual = broken.get(slug, ("a body as described", ""))
        yield seen(exchange, slug, slug not in broken, expected, actual)


def error_body(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A refusal's JSON body is as described: `{msg, code}`, or for inference what was recorded."""
    response = exchange.response
    if response is None or not response.body_known or exchange.ok or response.status is None:
        return
    if response.status < 400 or not rules.declares(exchange.operation or "", response.status):
        return
    problems = rules.validator.body_problems(exchange)
    expected = f"{problems[0].expected} at {problems[0].where}" if problems else "an error body as described"
    yield seen(exchange, "refuses-with-the-described-body", not problems, expected, came(exchange))


def _values(value: Any, field: str) -> list[Any]:
    """What stands at a field such as `$.workspaces[].id`; of long lists the first items."""
    found = [value]
    for name, listed in _STEP.findall(field.removeprefix("$")):
        if name:
            found = [one[name] for one in found if isinstance(one, dict) and name in one]
        if listed:
            found = [item for one in found if isinstance(one, list) for item in one[:_ITEMS]]
    return found


def _slug(requirement_id: str) -> str:
    return requirement_id.rpartition(".")[2]


@cache
def _pattern(field: str) -> re.Pattern[str]:
    return re.compile(re.escape(field).replace(re.escape("[]"), r"\[\d+\]") + r"(?=$|[.\[])")


def _row_of(where: str, fields: tuple[tuple[str, str], ...]) -> str:
    matching = [(field, row) for field, row in fields if _pattern(field).match(where)]
    return _slug(max(matching, key=lambda pair: len(pair[0]))[1]) if matching else ""
