"""A sequence of exchanges as a bash script and as a pytest file, both of which run again on any instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.api.operations import Kind, given, row_of
from conformance.model import Aim, Exchange, Finding, Purpose
from conformance.reporting.binding import Capture, Step, json_text, origin_of, placeholders_in, steps_of
from conformance.reporting.call import PLACEHOLDER, access, placeholder
from conformance.reporting.curl import bash_quoted, certificates, curl, options_for
from conformance.reporting.python import literal, python_quoted, send_arguments
from conformance.spec.document import BASE_PROFILE

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


_UNDEPLOY = """\
DEPLOYED=()
undeploy() {  # end what this script deployed, however it ends
  for body in ${DEPLOYED[@]+"${DEPLOYED[@]}"}; do
    curl -sS@CERTIFICATES@ -o /dev/null -X POST "$TARGET/v1/api/pipelines/undeploy" \\
      -H "Authorization: Bearer ${TOKEN-}" -H 'Content-Type: application/json' --data-raw "$body"
  done
}
trap undeploy EXIT
"""


def bash_of(exchanges: Sequence[Exchange]) -> str:
    """A bash script (curl, and python3 to read ids out of answers); it asks for TARGET and TOKEN in the environment.

    It undeploys what it deployed.
    """
    steps = steps_of(exchanges)
    deploys = any(_deploys(step) for step in steps)
    lines = ["#!/usr/bin/env bash", "set -u", f'TARGET="${{TARGET:-{origin_of(exchanges)}}}"']
    if any("TOKEN" in value for step in steps for _, value in step.call.headers):
        options = access().options.replace('"', '\\"')
        lines.append(
            f': "${{TOKEN:?run  eval \\"\\$(conformance token --target $TARGET{options} --export)\\"  first}}"'
        )
    if any(placeholder("RUN") in placeholders_in(step) for step in steps):
        lines.append("RUN=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \\n')  # part of every name, new each time")
    lines += [""]
    lines += [_TAKE] if deploys or any(step.captures or step.until for step in steps) else []
    lines += [_AWAIT] if any(step.until for step in steps) else []
    files = "".join(f" {words}" for words in certificates())
    lines += [_UNDEPLOY.replace("@CERTIFICATES@", files)] if deploys else []
    for number, step in enumerate(steps, 1):
        lines += [f"# {number}. {_about(step)}", *_bash_step(step), ""]
    return "\n".join(lines)


def _deploys(step: Step) -> bool:
    """Whether a step may have deployed something: it asked for it, or was given what it did not ask for."""
    exchange = step.exchange
    asked = exchange.question if isinstance(exchange.question, dict) else {}
    told = any(at.kind is Kind.DEPLOYMENT for at, _, _ in given(exchange))
    return told or (row_of(exchange.operation).gives_a(Kind.DEPLOYMENT) and (not _is_copy(step) or "deploy" in asked))


def _bash_step(step: Step) -> Iterator[str]:
    if step.until:
        yield f"await {step.until} {curl(step.call, '-sS')}"
    elif step.captures or _deploys(step):
        yield f"answer=$({curl(step.call, '-sS')})"
        yield "printf '%s\\n' \"$answer\""
        yield from (_bash_capture(capture) for capture in step.captures)
        if _deploys(step):
            yield f"DEPLOYED+=({_undeploying(step)})"
    else:
        yield curl(step.call, options_for(step.exchange))
        yield "echo"


def _undeploying(step: Step) -> str:
    """What to ask for to end what a step deployed: its pipeline, since an answer's deployment id may be wrong."""
    asked = step.call.value if isinstance(step.call.value, dict) else step.exchange.question
    pipeline = asked.get("pipeline_id") if isinstance(asked, dict) else None
    if pipeline is not None and not _is_copy(step):
        return bash_quoted(json_text({"pipeline_id": pipeline}))
    field, key = ("pipeline_id", "pipeline_pk_id") if _is_copy(step) else ("deployment_id", "id")
    return f'"{{\\"{field}\\": $(take {key} <<<"$answer")}}"'


def _is_copy(step: Step) -> bool:
    return row_of(step.exchange.operation).gives_a(Kind.PIPELINE)


def _bash_capture(capture: Capture) -> str:
    keys = [bash_quoted(f"id={placeholder(capture.among)}")] if capture.among else []
    keys += [str(key) for key in capture.path]
    return f'{capture.name}=$(take {" ".join(keys)} <<<"$answer")'


def can_be_replayed(exchanges: Sequence[Exchange]) -> bool:
    """Whether a replay can send the sequence: not where its point is a token that was spoiled or came by a grant."""
    return not any(
        isinstance(label, Aim) and label.purpose in (Purpose.IDENTITY, Purpose.GRANT) and label.word != "none"
        for exchange in exchanges
        for label in exchange.labels
    )


def pytest_of(exchanges: Sequence[Exchange], finding: Finding) -> str:
    """A pytest file, and a script, that sends the sequence and fails while the requirement is broken.

    It needs this package, reads CONFORMANCE_TARGET and the credentials from the environment, and undeploys what it
    deployed.
    """
    name = re.sub(r"\W+", "_", finding.requirement).strip("_")
    lines = [f'"""{_docstring(finding)}"""', "", "from conformance.run.replay import Replay", "", ""]
    lines += [f"def test_{name}() -> None:", f"    with Replay.from_environment({_replay_arguments()}) as target:"]
    for number, step in enumerate(steps_of(exchanges), 1):
        lines += [f"        {line}" for line in _python_step(number, step)]
    lines += [f"    broken = target.broken({literal(finding.requirement)})"]
    lines += ['    assert not broken, "; ".join(broken)', "", ""]
    lines += ['if __name__ == "__main__":', f"    raise SystemExit(Replay.main(test_{name}))", ""]
    return "\n".join(lines)


def _replay_arguments() -> str:
    """The release that was judged and the PEM files that were given, where they are not the defaults."""
    how = access()
    given = ({} if how.profile == BASE_PROFILE else {"profile": how.profile}) | how.files
    return ", ".join(f"{name}={literal(value)}" for name, value in given.items())


def _docstring(finding: Finding) -> str:
    expected, actual = (text.replace("\\", "\\\\").replace('"""', "'''") for text in (finding.expected, finding.actual))
    return f"{finding.requirement}\n\nExpected: {expected}\nSeen:     {actual}\n\n{_HOW}\n"


_HOW = """\
Set CONFORMANCE_TARGET to an instance's URL, and CONFORMANCE_TOKEN or CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD.
Then `python FILE` or `pytest FILE` makes what it needs, exits 1 while the finding stands and 0 once it is mended, and
undeploys what it deployed."""


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
        way = [str(key) if isinstance(key, int) else literal(key) for key in capture.path]
        way += [f"among={capture.among.lower()}"] if capture.among else []
        yield f"{capture.name.lower()} = target.value(answer_{number}, {', '.join(way)})"


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
