"""Sends a kept sequence of requests again and judges each exchange: what generated pytest files are written with."""

from __future__ import annotations

import json as json_module
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import IO, Any

from conformance.api import multipart
from conformance.checks import Rules
from conformance.errors import NoVerdictError, SuiteError, UsageError
from conformance.model import Exchange, Headers, Intent, Label, Mark, Purpose, Request, label_of
from conformance.run.session import Session
from conformance.run.settings import EMULATED, Settings, emulator_for, new_run_id, open_target
from conformance.targets.credentials import Credentials
from conformance.targets.live import own
from conformance.targets.safety.cleanup import clean
from conformance.targets.safety.holdings import Holdings
from conformance.targets.strangers import falsely
from conformance.targets.target import Target

_WAIT_SECONDS = 300.0

FormFile = tuple[str, tuple[str | None, bytes | str | IO[bytes], str]]
"""A part of a form as httpx takes it: name, and file name, content and content type."""


class Replay:
    """One target, and the requirements that what was sent to it showed broken. Use it as the generated files do."""

    def __init__(self, session: Session, run: str, credentials: Credentials | None = None) -> None:
        self._session, self._credentials = session, credentials
        self.run = run
        """Eight characters that no other run has, for the names it gives: `conformance-{run}-…`."""

    @classmethod
    @contextmanager
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        profile: str = "2023.4",
        ca_file: str = "",
        client_cert: str = "",
        client_key: str = "",
    ) -> Iterator[Replay]:
        """A replay against CONFORMANCE_TARGET, a URL or `emulated`, with the credentials `conformance run` reads.

        `profile` is the release it is judged by; the PEM files are those of `conformance run`.

        On a live target it touches what it made itself, and the workspace that CONFORMANCE_WORKSPACE_ID names. What it
        deployed is undeployed at the end. Raises UsageError where there is no target.
        """
        where, workspace = environ.get("CONFORMANCE_TARGET", ""), environ.get("CONFORMANCE_WORKSPACE_ID", "")
        if not where:
            raise UsageError("No target: set CONFORMANCE_TARGET to the URL of your instance, or to 'emulated'.")
        if not (workspace.isdecimal() or not workspace):
            raise UsageError(
                f"CONFORMANCE_WORKSPACE_ID is '{workspace}'. Set it to the id of a workspace, which is a number."
            )
        settings = Settings(
            target=where, profile=profile, run_id=new_run_id(), ca_file=ca_file, client_cert=client_cert,
            client_key=client_key,
        )  # fmt: skip
        safeguards = own(settings.prefix, {int(workspace)} if workspace else set())
        with emulator_for(settings) as url, ExitStack() as stack:
            target = open_target(replace(settings, emulated_url=url), environ, safeguards)
            stack.callback(target.close)
            stack.callback(_leave_nothing, target, safeguards.holdings)
            with suppress(_NotGivenError):
                yield cls(Session(target, Rules.of(profile)), settings.run_id, target.credentials)

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | str = b"",
        files: Iterable[FormFile] = (),
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        intent: Intent = "",
        labels: Iterable[str] = (),
        authorized: bool = True,
        until: str = "",
    ) -> Exchange:
        """Send one request, judged as in a run. `until` sends it again until its status is that word or number."""
        fields = Headers(headers).fields
        body = content.encode() if isinstance(content, str) else content
        if json is not None:
            fields, body = (*fields, ("Content-Type", "application/json")), json_module.dumps(json).encode()
        if parts := [_part(file) for file in files]:
            kind, body = multipart.encode(parts)
            fields = (*fields, ("Content-Type", kind))
        request = Request(method, path, Headers(fields), body)
        if until:
            return self._awaited(request, until)
        meant = frozenset(map(label_of, labels))
        return self._session.send(self._spoiled(request, meant), intent=intent, labels=meant, authenticated=authorized)

    def _spoiled(self, request: Request, labels: frozenset[Label]) -> Request:
        for word in Purpose.IDENTITY.words(labels):
            false = falsely(Purpose.IDENTITY.of(word), request, self._credentials)
            if false is None:
                raise NoVerdictError(f"A token that is {word} cannot be made of the credentials given.")
            return false
        return request

    def value(self, exchange: Exchange, *way: str | int, among: object = None) -> Any:
        """What an answer holds there, in its row with the id `among` where that is given.

        Where it holds nothing there the replay ends: what was sent until then is what there is to judge.
        """
        value = exchange.answer
        try:
            if among is not None:
                value = next(row for row in value if row["id"] == among)
            for key in way:
                value = value[key]
        except (KeyError, IndexError, TypeError, StopIteration) as error:
            raise _NotGivenError from error
        return value

    def broken(self, requirement: str) -> list[str]:
        """How a requirement was seen broken so far, one sentence each; empty where it was not.

        Raises NoVerdictError where the target answered nothing, or refused our credentials, and so showed nothing.
        """
        found = [finding for finding in self._session.facts.broken if finding.requirement == requirement]
        answers = {status for _, status in self._session.facts.reached}
        if not found and not any(kept for (held, _), kept in self._session.facts.held.items() if held == requirement):
            if not answers:
                raise NoVerdictError(
                    "The target answered no request, so nothing can be concluded. Check that it is running."
                )
            if answers <= {401, 403}:
                raise NoVerdictError(
                    "The target refused our credentials, so nothing can be concluded. Set a valid token."
                )
        return [f"expected {finding.expected}; actual {finding.actual}" for finding in found]

    @staticmethod
    def main(test: Callable[[], None]) -> int:
        """Run a generated test as a script and say what came of it: the exit code.

        1 while the finding stands, 0 once it is mended, 2 for wrong usage, 3 where nothing could be shown.
        """
        try:
            test()
        except AssertionError as error:
            print(f"The finding stands.\n{error}")
            return 1
        except UsageError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 2
        except SuiteError as error:
            print(f"No verdict: {error}", file=sys.stderr)
            return 3
        print("The finding is fixed: this sequence no longer shows it.")
        return 0

    def _awaited(self, request: Request, until: str) -> Exchange:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            last = time.monotonic() >= deadline
            exchange = self._session.send(request, labels=frozenset({Mark.DEADLINE}) if last else frozenset())
            answer = exchange.answer
            word = answer.get("status") if isinstance(answer, dict) else None
            if last or until in (word, str(exchange.status)):
                return exchange
            time.sleep(0.05 if self._session.target.kind == EMULATED else 1.0)


class _NotGivenError(Exception):
    """An answer did not hold what the next request needs."""


def _leave_nothing(target: Target, holdings: Holdings) -> None:
    cleaned = clean(target, holdings, _WAIT_SECONDS)
    if cleaned.left:
        print(cleaned.sentence, file=sys.stderr)


def _part(file: FormFile) -> multipart.Part:
    name, (filename, content, kind) = file
    if not isinstance(content, bytes | str):
        content = content.read()
    return multipart.Part(name, content.encode() if isinstance(content, str) else content, kind, filename)
