"""A sequence of exchanges as a bash script and as a pytest file, both of which run again on any instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.model import Exchange, Finding
from conformance.reporting.binding import Capture, Step, origin_of, placeholders_in, steps_of
from conformance.reporting.call import PLACEHOLDER, placeholder
from conformance.reporting.curl import bash_quoted, curl, options_for
from conformance.reporting.python import literal, python_quoted, send_arguments

_TAKE = """\
take() {  # the value under the given keys of the JSON on standard input; `id=N` picks the row with that id
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    name, found, wanted = key.partition("=")
    if found:
        value = next(row for row in value if str(row[name]) == wanted)
    else:
        value = value[int(key) if isinstance(value, list) else key]
print(value)' "$@"
}
"""

_AWAIT = """\
await() {  # send until the answer's status is the given word, or its HTTP status the given number; at most 60 times
  local wanted=$1
  shift
  for _ in $(seq 60); do
    answer=$("$@" -w '\\n%{http_code}')
    [ "${answer##*$'\\n'}" = "$wanted" ] && break
    [ "$(take status <<<"${answer%$'\\n'*}" 2>/dev/null)" = "$wanted" ] && break
    sleep 1
  done
  printf '%s\\n' "$answer"
}
"""


def bash_of(exchanges: Sequence[Exchange]) -> str:
    """A bash script (curl, and python3 to read ids out of answers); it asks for TARGET and TOKEN in the environment."""
    steps = steps_of(exchanges)
    lines = ["#!/usr/bin/env bash", "set -u", f'TARGET="${{TARGET:-{origin_of(exchanges)}}}"']
    if any("TOKEN" in value for step in steps for _, value in step.call.headers):
        lines.append(': "${TOKEN:?set it to a bearer token}"')
    if any(placeholder("RUN") in placeholders_in(step) for step in steps):
        lines.append("RUN=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \\n')  # part of every name, new each time")
    lines += [""]
    lines += [_TAKE] if any(step.captures or step.until for step in steps) else []
    lines += [_AWAIT] if any(step.until for step in steps) else []
    for number, step in enumerate(steps, 1):
        lines += [f"# {number}. {_about(step)}", *_bash_step(step), ""]
    return "\n".join(lines)


def _bash_step(step: Step) -> Iterator[str]:
    if step.until:
        yield f"await {step.until} {curl(step.call, '-sS')}"
    elif step.captures:
        yield f"answer=$({curl(step.call, '-sS')})"
        yield "printf '%s\\n' \"$answer\""
        yield from (_bash_capture(capture) for capture in step.captures)
    else:
        yield curl(step.call, options_for(step.exchange))
        yield "echo"


def _bash_capture(capture: Capture) -> str:
    keys = [bash_quoted(f"id={placeholder(capture.among)}")] if capture.among else []
    keys += [str(key) for key in capture.path]
    return f'{capture.name}=$(take {" ".join(keys)} <<<"$answer")'


def pytest_of(exchanges: Sequence[Exchange], finding: Finding) -> str:
    """A pytest file that sends the sequence and fails while the requirement is broken; it needs this package.

    It reads CONFORMANCE_TARGET and the credentials from the environment, and undeploys what it deployed.
    """
    name = re.sub(r"\W+", "_", finding.requirement).strip("_")
    lines = [f'"""{_docstring(finding)}"""', "", "from conformance.run.replay import Replay", "", ""]
    lines += [f"def test_{name}() -> None:", "    with Replay.from_environment() as target:"]
    for number, step in enumerate(steps_of(exchanges), 1):
        lines += [f"        {line}" for line in _python_step(number, step)]
    lines += [f"        assert target.broken({literal(finding.requirement)}) == []", ""]
    return "\n".join(lines)


def _docstring(finding: Finding) -> str:
    expected, actual = (text.replace("\\", "\\\\").replace('"""', "'''") for text in (finding.expected, finding.actual))
    return f"{finding.requirement}\n\nExpected: {expected}\nSeen:     {actual}\n"


def _python_step(number: int, step: Step) -> Iterator[str]:
    known = {match: match.lower() for match in PLACEHOLDER.findall(placeholders_in(step))} | {"RUN": "target.run"}
    yield f"# {number}. {_about(step)}"
    path = python_quoted(step.call.url.replace(placeholder("TARGET"), "", 1), known)
    arguments = [literal(step.call.method), path, *send_arguments(step.call, known), *_intent(step)]
    if step.until:
        arguments.append(f"until={literal(step.until)}")
    answer = f"answer_{number} = " if step.captures else ""
    line = f"{answer}target.send({', '.join(arguments)})"
    yield from [line] if len(line) < 100 else [f"{answer}target.send(", *(f"    {a}," for a in arguments), ")"]
    for capture in step.captures:
        source = f"answer_{number}.answer"
        if capture.among:
            source = f'next(row for row in {source} if row["id"] == {capture.among.lower()})'
        keys = "".join(f"[{key}]" if isinstance(key, int) else f"[{literal(key)}]" for key in capture.path)
        yield f"{capture.name.lower()} = {source}{keys}"


def _intent(step: Step) -> Iterator[str]:
    exchange = step.exchange
    if exchange.intent:
        yield f"intent={literal(exchange.intent)}"
    if exchange.labels:
        yield f"labels=({', '.join(map(literal, sorted(exchange.labels)))},)"
    if "authorization" not in exchange.request.headers:
        yield "authorized=False"


def _about(step: Step) -> str:
    status = step.exchange.status
    came = f"answered {status}" if status else "had no answer" if step.exchange.response is None else "status unknown"
    return f"{step.exchange.operation or step.call.method}, {came}" + (f", awaiting {step.until}" if step.until else "")
