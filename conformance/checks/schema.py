"""Bodies: what an answer holds, field by field, against the document."""

from __future__ import annotations

import re
from functools import cache

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

_INDEX = re.compile(r"\[\d+\]")


def success_body(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A success's body is as described; a field that has a row of its own is judged under that row."""
    response = exchange.response
    if response is None or not response.body_known or not (exchange.ok or response.status is None):
        return
    fields = rules.catalogue.fields_of(exchange.operation or "")
    broken: dict[str, tuple[str, str]] = {}
    for problem in rules.validator.body_problems(exchange):
        slug = _row_of(problem.where, fields) or "answers-with-the-described-body"
        broken.setdefault(slug, (f"{problem.expected} at {_INDEX.sub('[]', problem.where)}", problem.actual))
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


def _slug(requirement_id: str) -> str:
    return requirement_id.rpartition(".")[2]


@cache
def _pattern(field: str) -> re.Pattern[str]:
    return re.compile(re.escape(field).replace(re.escape("[]"), r"\[\d+\]") + r"(?=$|[.\[])")


def _row_of(where: str, fields: tuple[tuple[str, str], ...]) -> str:
    matching = [(field, row) for field, row in fields if _pattern(field).match(where)]
    return _slug(max(matching, key=lambda pair: len(pair[0]))[1]) if matching else ""
