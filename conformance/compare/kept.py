"""A plan and its passes kept as recordings: how a release is compared with the next when its instance is long gone.

`conformance record --whole` writes them, redacted: each pass is a session of recordings, in order of the plan's steps.
A folder of plain recordings, or a HAR, is a plan of one pass: what varies by itself is then known from it less well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.compare.plan import Plan, plan_of
from conformance.compare.side import Pass
from conformance.errors import NoVerdictError, UsageError
from conformance.model import Exchange
from conformance.recording import folder
from conformance.recording.recording import Recording
from conformance.recording.traffic import ordered, read
from conformance.redaction import redact_exchange
from conformance.spec.document import Document
from conformance.targets.emulated import emulator_process

SESSION = "comparison pass"
_CREDENTIALS = "CONFORMANCE_"
_FAST = ["--start-seconds", "0.05", "--stop-seconds", "0.02"]


def drawn(profile: str, budget: str, seed: int) -> Plan:
    """The plan of a seed: what the suites ask an emulated instance of the release under the limits of a live run.

    Raises NoVerdictError where the suites cannot be run.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_CREDENTIALS)}
    known = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    with (
        tempfile.TemporaryDirectory(prefix="conformance-plan-") as place,
        emulator_process(["--profile", profile, *_FAST], environ) as url,
    ):
        output = Path(place) / "plan"
        command = [
            *(sys.executable, "-P", "-m", "conformance", "record", "--target", url, "--output", str(output)),
            *("--profile", profile, "--budget", budget, "--seed", str(seed), "--everything"),
            *("--journal", place, "--timeout", "60"),
        ]
        done = subprocess.run(command, env=environ | known, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise NoVerdictError(f"The requests to compare by could not be drawn: {said}")
        return plan_of([_meant(one) for one in ordered(folder.read(output, Document.load(profile)))])


def write(place: Path, plan: Plan, passes: Sequence[Pass], profile: str) -> int:
    """Keep the passes of a plan, redacted, as recordings in a folder; returns how many. Raises UsageError."""
    recordings = [
        Recording(
            exchange=redact_exchange(one.answers[step.number]),
            about=f"Step {step.number} of a comparison's plan: {step.operation}.",
            source=f"run {one.run}",
            release=profile,
            session=f"{SESSION} {turn}",
            order=step.number,
            intent=step.exchange.intent,
            labels=step.exchange.labels,
        )
        for turn, one in enumerate(passes, 1)
        for step in plan.steps
        if step.number in one.answers
    ]
    return len(folder.write(place, recordings))


def read_kept(path: Path, profile: str) -> tuple[Plan, list[Pass]]:
    """The plan that recordings hold, and the passes in which it was answered. Raises UsageError."""
    document = Document.load(profile)
    if path.is_dir() and any(path.rglob("*.json")):
        sessions: dict[str, list[Recording]] = {}
        for recording in folder.read(path, document):
            sessions.setdefault(recording.session, []).append(recording)
        turns = [sessions[name] for name in sorted(sessions) if name.startswith(SESSION)]
        if turns:
            return _turns(turns)
        exchanges = [_meant(one) for name in sessions for one in ordered(sessions[name])]
    else:
        exchanges = [exchange for _, series in read([path], document) for exchange in series]
    if not exchanges:
        raise UsageError(f"{path} holds no exchange; give a folder that `conformance record` wrote, or a HAR.")
    plan = plan_of(exchanges)
    return plan, [_pass(plan, {step.number: step.exchange for step in plan.steps})]


def _turns(turns: Sequence[Sequence[Recording]]) -> tuple[Plan, list[Pass]]:
    first = sorted(turns[0], key=lambda recording: recording.order or 0)
    plan = plan_of([_meant(recording) for recording in first], polled=False)
    numbers = {recording.order: number for number, recording in enumerate(first, 1)}
    passes = []
    for turn in turns:
        answers = {numbers[one.order]: one.exchange for one in turn if one.order in numbers}
        passes.append(_pass(plan, answers))
    return plan, passes


def _pass(plan: Plan, answers: Mapping[int, Exchange]) -> Pass:
    url = next(iter(answers.values())).request.url
    return Pass(plan_of(list(answers.values())).run, url.partition("/v1/api")[0], answers)


def _meant(recording: Recording) -> Exchange:
    """The recording's exchange with what its sender meant by it."""
    exchange = recording.exchange
    return replace(exchange, intent=recording.intent, labels=exchange.labels | recording.labels)


def digest(path: Path) -> str:
    """What two recordings are told apart by."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    return json.dumps([(file.name, file.stat().st_size) for file in files])
