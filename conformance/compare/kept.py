"""A plan and its passes kept as recordings: how a release is compared with the next when its instance is long gone.

`conformance record --whole` writes them, redacted: each pass is a session of recordings, in order of the plan's steps.
A folder of plain recordings, or a HAR, is a plan of one pass: what varies by itself is then known from it less well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.compare.plan import Plan, Step, meant, plan_of
from conformance.compare.side import Pass
from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import folder
from conformance.recording.recording import Recording
from conformance.recording.traffic import ordered, read
from conformance.redaction import redact_exchange
from conformance.spec.document import Document

SESSION = "comparison pass"
_WAITING = "waits of pass"


def write(place: Path, plan: Plan, passes: Sequence[Pass], profile: str) -> int:
    """Keep the passes of a plan, redacted, as recordings in a folder; returns how many. Raises UsageError."""
    recordings: list[Recording] = []
    for turn, one in enumerate(passes, 1):
        for step in plan.steps:
            if step.number in one.answers:
                answered = [(f"{SESSION} {turn}", one.answers[step.number])]
                answered += [(f"{_WAITING} {turn}", exchange) for exchange in one.waiting.get(step.number, ())]
                recordings += [_recording(step, exchange, one, session, profile) for session, exchange in answered]
    return len(folder.write(place, recordings))


def _recording(step: Step, exchange: Exchange, one: Pass, session: str, profile: str) -> Recording:
    return Recording(
        exchange=redact_exchange(exchange),
        about=f"Step {step.number} of a comparison's plan: {step.operation}.",
        source=f"run {one.run}",
        release=profile,
        session=session,
        order=step.number,
        intent=step.exchange.intent,
        labels=step.exchange.labels,
    )


def read_kept(path: Path, profile: str) -> tuple[Plan, list[Pass]]:
    """The plan that recordings hold, and the passes in which it was answered. Raises UsageError."""
    document = Document.load(profile)
    if path.is_dir() and any(path.rglob("*.json")):
        sessions: dict[str, list[Recording]] = {}
        for recording in folder.read(path, document):
            sessions.setdefault(recording.session, []).append(recording)
        turns = [sessions[name] for name in sorted(sessions) if name.startswith(SESSION)]
        if turns:
            return _turns(turns, [sessions[name] for name in sorted(sessions) if name.startswith(_WAITING)])
        exchanges = [meant(one) for name in sessions for one in ordered(sessions[name])]
    else:
        exchanges = [exchange for _, series in read([path], document) for exchange in series]
    if not exchanges:
        raise UsageError(f"{path} holds no exchange; give a folder that `conformance record` wrote, or a HAR.")
    plan = plan_of(exchanges)
    return plan, [_pass(plan, {step.number: step.exchange for step in plan.steps})]


def _turns(turns: Sequence[Sequence[Recording]], waits: Sequence[Sequence[Recording]]) -> tuple[Plan, list[Pass]]:
    first = sorted(turns[0], key=lambda recording: recording.order or 0)
    plan = plan_of([meant(recording) for recording in first], polled=False)
    numbers = {recording.order: number for number, recording in enumerate(first, 1)}
    passes = []
    for index, turn in enumerate(turns):
        answers = {numbers[one.order]: one.exchange for one in turn if one.order in numbers}
        waiting: dict[int, tuple[Exchange, ...]] = {}
        for one in waits[index] if len(waits) == len(turns) else ():
            number = numbers.get(one.order, 0)
            waiting[number] = (*waiting.get(number, ()), one.exchange)
        passes.append(replace(_pass(plan, answers), waiting=waiting))
    return plan, passes


def _pass(plan: Plan, answers: Mapping[int, Exchange]) -> Pass:
    url = next(iter(answers.values())).request.url
    return Pass(plan_of(list(answers.values())).run, url.partition("/v1/api")[0], answers)
