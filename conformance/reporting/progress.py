"""A run while it goes on: one line a suite, with a clock that moves and the wait that is going on."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from rich.text import Text

from conformance.api.gateway import writer_of
from conformance.model import Exchange
from conformance.redaction import redact_text
from conformance.reporting.terminal import console_for, plain
from conformance.targets.waits import Wait

_TICK = 0.2
_MINUTE = 60.0
"""Seconds of silence after which an output that is no terminal gets a line."""

_TOLD_AFTER = 2.0
"""Seconds after which a wait is shown: shorter ones are a flicker."""

_RUN_PREFIX = re.compile(r"\bconformance-[0-9a-f]{8}-")


@dataclass(frozen=True)
class Found:
    """Requirements a suite saw broken: those that gate, those excused by a waiver or the baseline, and warnings."""

    broken: int = 0
    excused: int = 0
    warnings: int = 0

    def words(self) -> Text:
        """For a person: "1 broken, 2 warnings"."""
        counts = ((self.broken, "broken", "broken", "red"), (self.excused, "excused", "excused", "cyan"),
                  (self.warnings, "warning", "warnings", "yellow"))  # fmt: skip
        parts = [Text(f"{n} {one if n == 1 else many}", style=colour) for n, one, many, colour in counts if n]
        return Text(", ").join(parts) if parts else Text("nothing broken", style="dim")


@dataclass
class _Suite:
    done: int = 0
    total: int = 0
    found: Found = Found()
    spent: float = 0.0

    @property
    def finished(self) -> bool:
        return self.total > 0 and self.done >= self.total


class Progress:
    """Draws a run: on a terminal the suite at work is redrawn as time passes; elsewhere each suite gets a line when it
    is done, and a silent minute gets one that says what is going on.

    `wait` gives what is being waited for. Call `update` as items end, `say` for a line that stays, `close` at the end.
    It draws from a thread of its own on a descriptor of its own, since pytest redirects the numbered ones.
    """

    def __init__(
        self,
        file: IO[str],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[], Wait | None] = lambda: None,
    ) -> None:
        self._file = _undisturbed(file)
        self._owned = self._file is not file
        self._console = console_for(self._file)
        self._clock, self._wait = clock, wait
        self._suites: dict[str, _Suite] = {}
        self._current = ""
        self._doing = ""
        self._drawn = False
        self._since = self._spoke = self._clock()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, doing: str) -> None:
        """Say what goes on before the first suite, and let time pass on the screen from now on."""
        with self._lock:
            self._doing, self._since = doing, self._clock()
        if self._thread is None:
            self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._thread.start()

    def start(self, suite: str, total: int) -> None:
        """Say that an item of a suite of `total` items begins."""
        with self._lock:
            self._pass_time(suite)
            self._suites[suite].total = total

    def update(self, suite: str, done: int, total: int, found: Found) -> None:
        """Say that `done` of `total` items of a suite have run, and what they found."""
        with self._lock:
            self._pass_time(suite)
            row = self._suites[suite]
            row.done, row.total, row.found = done, total, found
            if row.finished:
                self._print(_line(suite, row, row.spent))
            elif self._console.is_terminal:
                self._redraw()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        with self._lock:
            self._print(Text(plain(sentence)))

    def close(self) -> None:
        """Stop drawing; suites that did not end are said to be so."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            self._clear()
            for suite, row in self._suites.items():
                if not row.finished and row.done:
                    self._print(_line(suite, row, row.spent).append(", not finished", style="yellow"))
            self._suites.clear()
            if self._owned:
                self._file.close()
                self._owned = False

    def _pass_time(self, suite: str) -> None:
        """Count the time since the last call for the suite at work: items of suites may come in turns."""
        now = self._clock()
        if not self._current:
            self._since = now
        row = self._suites.setdefault(suite, _Suite())
        row.spent += now - self._since
        self._current, self._since = suite, now

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            with self._lock:
                if self._console.is_terminal:
                    self._redraw()
                elif self._clock() - self._spoke >= _MINUTE:
                    self._print(self._now())

    def _redraw(self) -> None:
        line = self._now()
        line.truncate(self._console.width - 1, overflow="ellipsis")
        self._clear()
        self._console.print(line, end="", soft_wrap=True)
        self._console.file.flush()
        self._drawn = True

    def _now(self) -> Text:
        """The line of what is going on at this moment."""
        passed = self._clock() - self._since
        row = self._suites.get(self._current)
        if row is None:
            return Text(f"· {self._doing}  {passed:.0f} s")
        wait = self._wait()
        if row.finished:
            passed_on = _waiting(wait, self._console.is_terminal) if wait else "the last steps"
            return Text(f"· {passed_on}")
        if wait is None or time.monotonic() - wait.began < _TOLD_AFTER:
            return _line(self._current, row, row.spent + passed)
        short = self._console.is_terminal
        line = _line(self._current, row, row.spent + passed, quiet=short)
        return line.append(f"{'' if short and row.found == Found() else '; '}{_waiting(wait, short)}", style="dim")

    def _print(self, line: Text) -> None:
        self._clear()
        if self._console.is_terminal:
            self._console.print(line)
        else:
            for part in line.wrap(self._console, 80):
                part.rstrip()
                self._console.print(part, soft_wrap=True)
        self._console.file.flush()
        self._spoke = self._clock()

    def _clear(self) -> None:
        if self._drawn:
            self._console.file.write("\r\x1b[2K")
            self._drawn = False


def _waiting(wait: Wait, short: bool) -> str:
    so_far = time.monotonic() - wait.began
    if short:  # one line of a terminal: the run's own prefix says nothing there
        return f"{so_far:.0f} of {wait.at_most:.0f} s for {_RUN_PREFIX.sub('', plain(wait.what))}"
    return f"waiting for {plain(wait.what)}: {so_far:.0f} s of at most {wait.at_most:.0f} s"


def _line(suite: str, row: _Suite, seconds: float, *, quiet: bool = False) -> Text:
    """The line of a suite; a `quiet` one does not say that nothing is broken."""
    found = row.found
    mark = ("✗", "red") if found.broken else ("!", "yellow") if found.warnings else ("✓", "green")
    shown = mark if row.finished or found.broken else ("·", "dim")
    counts = f" {plain(suite):<10} {row.done:>5}/{row.total} items  {seconds:>6.1f} s  "
    line = Text.assemble(shown, counts)
    return line if quiet and found == Found() else line.append_text(found.words())


def _undisturbed(file: IO[str]) -> IO[str]:
    """The same terminal or file by a descriptor of its own; the file itself where it has none."""
    try:
        number = os.dup(file.fileno())
    except (OSError, ValueError, AttributeError):
        return file
    encoding: str = getattr(file, "encoding", None) or "utf-8"
    return os.fdopen(number, "w", encoding=encoding, errors="backslashreplace")


def said_aloud(worker: str = "") -> Callable[[Exchange], None]:
    """Writes a line for each exchange it is given. pytest takes what items print: the line goes round it."""
    descriptor = os.dup(2)

    def say(exchange: Exchange) -> None:
        with suppress(OSError):  # whoever read it has gone
            os.write(descriptor, f"{line_of(exchange, worker)}\n".encode("utf-8", "backslashreplace"))

    return say


def line_of(exchange: Exchange, worker: str = "") -> str:
    """When, what was asked, what came and how long that took, and the request's id."""
    at = time.strftime("%H:%M:%S", time.localtime(exchange.started))
    took = f"{1000 * (exchange.ended - exchange.started):.0f} ms" if exchange.ended and exchange.started else ""
    writer = writer_of(exchange.response, exchange.operation) if exchange.response else ""
    came = f"{exchange.status}{f' by {writer}' if writer else ''}" if exchange.response else exchange.failure
    number = exchange.request.headers.get("x-request-id", "")
    words = (at, worker, exchange.request.method, exchange.request.path, came, took, number)
    text = redact_text(" ".join(word for word in words if word))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
