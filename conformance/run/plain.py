"""Facts as plain data and back: what a worker process can hand to the one that concludes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from conformance.model import Exchange, Finding, Headers, Request, Response, label_of
from conformance.reporting.facts import Facts

_LARGEST_BODY = 1024 * 1024
"""Bytes of a body that travel; what is larger is evidence nobody reads, and its report says so by a length."""


def of_facts(facts: Facts) -> dict[str, Any]:
    """Facts as texts, numbers, lists and mappings."""
    told = {one.name: getattr(facts, one.name) for one in fields(facts)}
    counts = {name: [[*_key(key), count] for key, count in value.items()] for name, value in told.items()
              if isinstance(value, Counter)}  # fmt: skip
    kept = {
        "broken": [of_finding(finding) for finding in facts.broken],
        "witnesses": {name: of_exchange(exchange) for name, exchange in facts.witnesses.items()},
        "troubles": [list(one) for one in facts.troubles],
    }
    return told | counts | kept


def to_facts(plain: Mapping[str, Any]) -> Facts:
    """The facts that `of_facts` wrote down."""
    facts = Facts()
    for one in fields(facts):
        value = plain[one.name]
        if isinstance(getattr(facts, one.name), Counter):
            value = Counter({key[0] if len(key) == 1 else tuple(key): count for *key, count in value})
        setattr(facts, one.name, value)
    facts.broken = [to_finding(finding) for finding in plain["broken"]]
    facts.witnesses = {name: to_exchange(exchange) for name, exchange in plain["witnesses"].items()}
    facts.troubles = [(kind, what, count, example) for kind, what, count, example in plain["troubles"]]
    return facts


def _key(key: str | tuple[Any, ...]) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def of_finding(finding: Finding) -> dict[str, Any]:
    """A finding as texts, numbers, lists and mappings; bodies as latin-1 text."""
    return {
        "requirement": finding.requirement,
        "held": finding.held,
        "expected": finding.expected,
        "actual": finding.actual,
        "operation": finding.operation,
        "shrunk": finding.shrunk,
        "repeated": list(finding.repeated),
        "evidence": [of_exchange(exchange) for exchange in finding.evidence],
    }


def to_finding(plain: Mapping[str, Any]) -> Finding:
    """The finding that `of_finding` wrote down."""
    evidence = tuple(to_exchange(exchange) for exchange in plain["evidence"])
    return Finding(**{**plain, "evidence": evidence, "repeated": tuple(plain["repeated"])})


def of_exchange(exchange: Exchange) -> dict[str, Any]:
    """An exchange as texts, numbers, lists and mappings; bodies as latin-1 text."""
    request, response = exchange.request, exchange.response
    return {
        "request": [request.method, request.url, [list(pair) for pair in request.headers.fields], _of(request.body)],
        "response": None
        if response is None
        else [response.status, [list(pair) for pair in response.headers.fields], _of(response.body), response.elapsed],
        "operation": exchange.operation,
        "parameters": dict(exchange.parameters),
        "started": exchange.started,
        "ended": exchange.ended,
        "failure": exchange.failure,
        "intent": exchange.intent,
        "labels": sorted(map(str, exchange.labels)),
    }


def to_exchange(plain: Mapping[str, Any]) -> Exchange:
    """The exchange that `of_exchange` wrote down."""
    method, url, fields, body = plain["request"]
    answer = plain["response"]
    response = None
    if answer is not None:
        response = Response(answer[0], _headers(answer[1]), answer[2].encode("latin-1"), answer[3])
    return Exchange(
        request=Request(method, url, _headers(fields), body.encode("latin-1")),
        response=response,
        operation=plain["operation"],
        parameters=plain["parameters"],
        started=plain["started"],
        ended=plain["ended"],
        failure=plain["failure"],
        intent=plain["intent"],
        labels=frozenset(map(label_of, plain["labels"])),
    )


def _headers(fields: list[list[str]]) -> Headers:
    return Headers([(name, value) for name, value in fields])


def _of(body: bytes) -> str:
    return body[:_LARGEST_BODY].decode("latin-1")
