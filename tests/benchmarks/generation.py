"""By hand: `python -m tests.benchmarks.generation [mutations SECONDS | rates]`.

`mutations` records what a quick run exchanges with a conformant instance, changes the answers in every systematic way
of `mutations.py`, and counts how many changes the checks tell. `rates` prints requests per CPU-second of drawn
requests, of long lifecycles (status polls left out), and of `schemathesis run`, all its phases, on the same instance.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from conformance.api.client import PipelineClient
from conformance.api.operations import IDS as OPERATIONS
from conformance.checks import Rules, judge
from conformance.data import FIXTURES
from conformance.ledger import Ledger
from conformance.model import Exchange
from conformance.run.session import Session
from conformance.run.settings import Settings, open_target
from conformance.suites.generation import lifecycles, sending
from conformance.suites.generation.resources import Budget, Names, Resources, make_resources, own_workspace
from conformance.suites.model import Model
from conformance.targets.emulated import emulator_process
from tests.benchmarks.mutations import Change, mutations

SEED = 5


def staged(url: str, kept: list[Exchange]) -> tuple[Session, Resources, Settings]:
    settings = Settings(target="emulated", emulated_url=url, run_id="0123abcd", seed=SEED)
    session = Session(open_target(settings), Rules.of())
    session.keep_with(kept.append)
    client, names = PipelineClient(session.send, intent="valid"), Names(settings.prefix)
    model = Model.read(next(Path(FIXTURES / "models").glob("*.onnx")))
    resources = make_resources(client, names, own_workspace(client, names), model, deploys=True)
    resources.until_served(client, session.wait_budget)
    return session, resources, settings


def recorded() -> list[Exchange]:
    kept: list[Exchange] = []
    budget = Budget(2, 10, 3, 30, (1, 2, 51))
    with emulator_process() as url:
        session, resources, settings = staged(url, kept)
        sending.same_rows(session, resources, SEED)
        lifecycles.run(session, resources, budget, settings)
        for operation in OPERATIONS:
            sending.valid(session, resources, budget, SEED, operation)
            sending.invalid(session, resources, budget, SEED, operation)
    return kept


def told(exchanges: list[Exchange], change: Change, rules: Rules) -> set[str]:
    """What a changed recording breaks, up to the first requirement that gates."""
    ledger, broken = Ledger(), set[str]()
    for exchange in exchanges:
        changed = change(exchange)
        broken |= {finding.requirement for finding in judge(changed, ledger, rules) if not finding.held}
        if any(rules.catalogue.by_id[one].gates for one in broken):
            break
        ledger = ledger.after(changed)
    return broken


def measure_mutations(seconds: float) -> None:
    exchanges, rules = recorded(), Rules.of()
    sample: dict[str, Exchange] = {}
    for exchange in exchanges:
        running = exchange.operation != "status.get-deployment" or "Running" in str(exchange.answer)
        if exchange.ok and exchange.operation and running:
            sample.setdefault(exchange.operation, exchange)
    tried, found, gating = Counter[str](), Counter[str](), Counter[str]()
    began = time.monotonic()
    for mutation in mutations(sample):
        if not any(mutation.change(exchange) != exchange for exchange in exchanges):
            continue
        broken = told(exchanges, mutation.change, rules)
        gates = any(rules.catalogue.by_id[one].gates for one in broken)
        tried[mutation.kind] += 1
        found[mutation.kind] += bool(broken)
        gating[mutation.kind] += gates
        if not gates:
            print("warned" if broken else "MISSED", mutation.kind, mutation.name)
        if time.monotonic() - began > seconds:
            break
    for kind, count in tried.items():
        print(f"{kind}: {count} changes, {found[kind]} told, {gating[kind]} of them gate")


def rate(name: str, requests: int, cpu: float) -> None:
    print(f"{name}: {requests} requests, {cpu:.1f} CPU s, {requests / cpu:.0f} a CPU second")


def measure_rates() -> None:
    kept: list[Exchange] = []
    with emulator_process() as url:
        session, resources, settings = staged(url, kept)
        sending.valid(session, resources, Budget(5, 5, 1, 1, (1,)), SEED, "pipelines.create")
        kept.clear()
        began = time.process_time()
        for operation in OPERATIONS:
            sending.valid(session, resources, Budget(60, 200, 1, 1, (1, 2, 51)), SEED, operation)
            sending.invalid(session, resources, Budget(60, 200, 1, 1, (1,)), SEED, operation)
        rate("drawn requests", _without_polls(kept), time.process_time() - began)
        kept.clear()
        began = time.process_time()
        lifecycles.run(session, resources, Budget(1, 1, 20, 50, (1,)), settings)
        rate("long lifecycles", _without_polls(kept), time.process_time() - began)
        _schemathesis(url, session)


def _without_polls(exchanges: list[Exchange]) -> int:
    return sum(exchange.operation != "status.get-deployment" for exchange in exchanges)


def _schemathesis(url: str, session: Session) -> None:
    token = session.target._credentials.authorization()  # type: ignore[attr-defined]
    command = ["run", f"{url}/v1/api/openapi.json", "--url", url, "--seed", str(SEED),
               "--max-examples", "20", "-H", f"Authorization: {token}"]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = [str(Path(sys.executable).parent / "schemathesis"), *command]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(program, capture_output=True, text=True, cwd=folder, env=dict(os.environ), check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cases = re.search(r"([\d,]+) generated", done.stdout)
    rate("schemathesis run", int(cases[1].replace(",", "")) if cases else 0, cpu)
    print(done.stdout[-800:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["mutations"]:
        measure_mutations(float(sys.argv[2]) if len(sys.argv) > 2 else 600.0)
    else:
        measure_rates()
