"""A sequence of exchanges as a bash script and as a pytest file, both of which run again on any instance.

Values that answers gave and later requests use become variables, so that it runs on a target with other ids.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.api import multipart
from conformance.api.operations import (
    STATUS,
    Kind,
    OperationRow,
    Path,
    given,
    owner,
    row_of,
    split_name,
    with_fields_changed,
    with_path_changed,
)
from conformance.model import Exchange, Finding, Mark, Purpose
from conformance.reporting.snippets import (
    PLACEHOLDER,
    Call,
    access,
    base_of,
    bash_quoted,
    certificates,
    curl,
    files_of,
    literal,
    options_for,
    placeholder,
    python_quoted,
    send_arguments,
    sent_as,
    unspoken,
)
from conformance.spec.document import BASE_PROFILE

_RUN = re.compile(r"(?<=conformance-)[0-9a-f]{8}(?=-)")
"""The run's own part of every name it gives: another run of the same length stands there when the sequence is sent."""


@dataclass(frozen=True)
class Capture:
    """A value to keep: the variable and where it stands; `among` picks the row whose `id` is that variable's."""

    name: str
    path: Path
    among: str = ""


@dataclass(frozen=True)
class Step:
    """One request of a sequence. `until` is what a status is waited for (`Running` or `404`), empty for one request."""

    exchange: Exchange
    call: Call
    captures: tuple[Capture, ...] = ()
    until: str = ""


def placeholders_in(step: Step) -> str:
    """All text of a step in which placeholders can stand."""
    form = (part.content.decode("utf-8", "replace") for part in step.call.parts if part.filename is None)
    return "".join((step.call.url, step.call.text, *form))


@dataclass
class _Known:
    origin: str
    values: dict[tuple[str, Any], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, value: Any) -> str:
        self.counts[kind] += 1
        self.values[kind, value] = name = f"{kind}_{self.counts[kind]}".upper()
        return name

    def of(self, kind: str, value: Any) -> str:
        name = self.values.get((kind, value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
        return placeholder(name) if name else ""

    def bound(self, kind: Kind, value: Any) -> Any:
        """The variable that holds a value, the value itself where none does."""
        if kind is not Kind.DEPLOYMENT_NAME:
            return self.of(kind, value) or value
        parts = split_name(value)
        held = self.of(Kind.DEPLOYMENT, parts[1]) if parts else ""
        return f"{parts[0]}-{held}" if parts and held else value


def steps_of(exchanges: Sequence[Exchange]) -> list[Step]:
    """The sequence with ids replaced by the variables that hold them, the base URL by `TARGET`, polls by waiting.

    A variable that no later request uses is not kept.
    """
    known = _Known(origin_of(exchanges))
    steps = [_step(exchange, known) for exchange in without_polls(exchanges)]
    used = {match[1] for step in steps for match in PLACEHOLDER.finditer(placeholders_in(step))}
    used |= {capture.among for step in steps for capture in step.captures if capture.name in used}
    return [replace(step, captures=tuple(c for c in step.captures if c.name in used)) for step in steps]


def origin_of(exchanges: Sequence[Exchange]) -> str:
    """The base URL that the first request was sent to."""
    return base_of(exchanges[0].request.url)


def without_polls(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    """The exchanges but for polls: of those that ask for one status in a row the last."""
    for exchange, after in zip(exchanges, [*exchanges[1:], None], strict=True):
        repeated = after is not None and after.operation == exchange.operation == STATUS
        if not (repeated and after and after.request.body == exchange.request.body):
            yield exchange


def _step(exchange: Exchange, known: _Known) -> Step:
    call = replace(_bound(exchange, sent_as(exchange), known), folder=f"{placeholder('HERE')}/")
    captures = tuple(_captures(exchange, known)) if exchange.ok else ()
    return Step(exchange, call, captures, _awaited(exchange))


def _awaited(exchange: Exchange) -> str:
    if exchange.operation != STATUS:
        return ""
    answer = exchange.answer
    runs = exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running"
    if Mark.DEADLINE in exchange.labels:  # what was waited for did not come
        return "404" if runs else "Running"
    starts = exchange.ok and isinstance(answer, dict) and answer.get("status") == "Starting"
    return "404" if exchange.status == 404 else "Running" if runs or starts else ""


def _captures(exchange: Exchange, known: _Known) -> Iterator[Capture]:
    for at, way, value in given(exchange):
        thing = owner(exchange, at, way)
        among = known.values.get(thing, "") if thing else ""
        if among:
            yield Capture(known.add(at.kind, value), way[-1:], among)
        elif thing is None:
            yield Capture(known.add(at.kind, value), way)


def _bound(exchange: Exchange, call: Call, known: _Known) -> Call:
    url = _renamed(call.url)
    if url.startswith(f"{known.origin}/"):
        url = placeholder("TARGET") + url.removeprefix(known.origin)
    row = row_of(exchange.operation)
    url = with_path_changed(row.id, url, known.bound, quoted=False)
    parts = tuple(_bound_part(part, row, known) for part in call.parts)
    call = replace(call, url=url, parts=parts, text=_renamed(call.text))
    if not call.text or not isinstance(question := _json(call.text), dict):
        return call
    value = with_fields_changed(row, question, known.bound)
    text = json_text(value)
    return replace(call, value=value, text=text) if PLACEHOLDER.search(text) else call


def _renamed(text: str) -> str:
    return _RUN.sub(placeholder("RUN"), text)


def _bound_part(part: multipart.Part, row: OperationRow, known: _Known) -> multipart.Part:
    question = _json(_renamed(part.content.decode("utf-8", "replace"))) if part.filename is None else None
    if not isinstance(question, dict):
        return part
    text = json_text(with_fields_changed(row, question, known.bound))
    return replace(part, content=text.encode()) if PLACEHOLDER.search(text) else part


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_text(value: Any) -> str:
    """JSON in which a placeholder that stands for an integer stands without quotes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(f'"({PLACEHOLDER.pattern})"', lambda match: match[0] if _is_text(match[2]) else match[1], text)


def _is_text(name: str) -> bool:
    return name.startswith(("VERSION_", "MODEL_VERSION_", "RUN"))


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
    lines += ['HERE=$(cd "$(dirname "$0")" && pwd)'] if any(files_of(step.exchange.request) for step in steps) else []
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
    if unspoken(step.exchange):
        yield "# Sent by the test alone: no command can write its token."
    elif step.until:
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


_OF_THE_RUN = {"expired", "early", "audience"}
"""Tokens that take time, the issuer's key or a grant: a replay with a token alone cannot make them."""


def can_be_replayed(exchanges: Sequence[Exchange], requirement: str) -> bool:
    """Whether a replay can send the sequence: not where its point is a token that it cannot make, or how one came."""
    return not any(
        Purpose.GRANT.words(exchange.labels)
        or (_OF_THE_RUN & {*Purpose.IDENTITY.words(exchange.labels)} and _is_of_one_token(requirement))
        for exchange in exchanges
    )


def _is_of_one_token(requirement: str) -> bool:
    """Whether a promise is about the token that was sent: to be told why, any false one serves."""
    return requirement.rpartition(".")[2].startswith(("refuses-", "takes-"))


def _replayed(exchange: Exchange) -> Exchange:
    """The exchange with a false token that any replay can make, in place of one that it cannot."""
    made = Purpose.IDENTITY.of("garbage")
    labels = [made if _OF_THE_RUN & {*Purpose.IDENTITY.words([label])} else label for label in exchange.labels]
    return replace(exchange, labels=frozenset(labels))


def pytest_of(exchanges: Sequence[Exchange], finding: Finding) -> str:
    """A pytest file, and a script, that sends the sequence and fails while the requirement is broken.

    It needs this package, reads CONFORMANCE_TARGET and the credentials from the environment, and undeploys what it
    deployed.
    """
    name = re.sub(r"\W+", "_", finding.requirement).strip("_")
    lines = [f'"""{_docstring(finding)}"""', "", "from conformance.run.replay import Replay", "", ""]
    if any(files_of(exchange.request) for exchange in exchanges):
        lines[-4:-3] = ["", "from pathlib import Path", ""]
        lines[-1:] = ["HERE = Path(__file__).parent", "", ""]
    lines += [f"def test_{name}() -> None:", f"    with Replay.from_environment({_replay_arguments()}) as target:"]
    if not _is_of_one_token(finding.requirement):
        exchanges = [_replayed(exchange) for exchange in exchanges]
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
Then `python FILE` or `pytest FILE` creates what it needs, exits 1 while the finding stands and 0 once it is fixed, and
undeploys what it deployed."""


def _python_step(number: int, step: Step) -> Iterator[str]:
    known = {match: match.lower() for match in PLACEHOLDER.findall(placeholders_in(step))}
    known |= {"RUN": "target.run", "HERE": "HERE"}
    yield f"# {number}. {_about(step)}"
    url = step.call.url.replace(placeholder("TARGET"), "", 1)
    path = python_quoted(url.removesuffix(f"?access_token={placeholder('TOKEN')}"), known)  # a probe's, which adds it
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
    if "authorization" not in exchange.request.headers or Purpose.IDENTITY.words(exchange.labels):
        yield "authorized=False"


def _about(step: Step) -> str:
    status = step.exchange.status
    came = f"answered {status}" if status else "had no answer" if step.exchange.response is None else "status unknown"
    return f"{step.exchange.operation or step.call.method}, {came}" + (f", awaiting {step.until}" if step.until else "")
