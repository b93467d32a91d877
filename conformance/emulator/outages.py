"""Outages on demand: for a while an instance refuses, is slow, hangs up, or never comes to Running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from conformance.emulator.state import RESPOND, Middleware, State, Step
from conformance.emulator.wire import Answer, Call, ClientGoneError
from conformance.errors import UsageError

Kind = Literal["429", "503", "slow", "reset", "never running"]
KINDS: tuple[Kind, ...] = ("429", "503", "slow", "reset", "never running")
LOGIN = "token"
"""The name, as an operation, of what the token endpoint answers."""

_STARTING = b'{"status":"Starting","details":[],"engines":[],"engine_lbs":[],"sidekicks":[]}'


@dataclass
class Outage:
    """One outage while it lasts. `operation` None means every call; `left` None that it does not end by itself.

    `seconds` is how much later a slow answer comes, and what Retry-After says.
    """

    kind: Kind
    operation: str | None
    left: int | None
    seconds: float
    met: int = 0

    def meets(self, call: Call) -> bool:
        """Whether this call meets the outage; counts that it does."""
        operation = LOGIN if call.path.endswith("/openid-connect/token") else call.operation
        if self.kind == "never running":
            meant = operation == "status.get-deployment"
        else:
            meant = self.operation in (None, operation)
        if not meant or self.left == 0:
            return False
        self.left = None if self.left is None else self.left - 1
        self.met += 1
        return True


@dataclass
class Outages:
    """The outages that an instance has now, and the middleware that makes them."""

    now: list[Outage] = field(default_factory=list)

    @property
    def middleware(self) -> Mapping[str, tuple[Middleware, ...]]:
        """What to start the instance with."""
        return {RESPOND: (self._around,)}

    @contextmanager
    def outage(
        self, kind: Kind, operation: str | None = None, times: int | None = None, seconds: float = 1.0
    ) -> Iterator[Outage]:
        """An outage while the block lasts, of one operation (`pipelines.deploy`, `token`) or all, so many times."""
        if kind not in KINDS:
            raise UsageError(f"There is no outage {kind!r}; there are {', '.join(map(repr, KINDS))}.")
        one = Outage(kind, operation, times, seconds)
        self.now.append(one)
        try:
            yield one
        finally:
            self.now.remove(one)

    async def _around(self, call: Call, proceed: Step, state: State) -> Answer:
        one = next((outage for outage in self.now if outage.meets(call)), None)
        if one is None:
            return await proceed(call)
        if one.kind == "slow":
            await asyncio.sleep(one.seconds)
            return await proceed(call)
        if one.kind == "reset":
            call.abort()
            await asyncio.sleep(0)  # the server hears of it before it is told that nobody is answered
            raise ClientGoneError
        if one.kind == "never running":
            answer = await proceed(call)
            return Answer(200, _STARTING) if answer.status == 200 else answer
        body = b'{"msg":"Too many requests","code":429}' if one.kind == "429" else b""
        return Answer(int(one.kind), body, "application/json" if body else "", {"retry-after": str(round(one.seconds))})
