"""The verdict at a terminal: what is broken, why it counts, how to see it, and one line that sums it up."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rich.console import Console
from rich.text import Text

_FINDINGS = 3
"""Findings shown of one requirement; the reports hold the rest."""

_IDS = 12
"""Ids shown of those that were left untested for one reason."""

_VERDICTS = {
    "conformant": ("CONFORMANT", "bold green"),
    "not-conformant": ("NOT CONFORMANT", "bold red"),
    "none": ("NO VERDICT", "bold yellow"),
}
_COUNTS = (("broken", "red"), ("warnings", "yellow"), ("waived", "cyan"), ("held", "green"), ("untested", "dim"))


def console_for(file: IO[str]) -> Console:
    """A console that colours nothing when NO_COLOR is set or `file` is no terminal, 80 columns wide where unknown."""
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=80, no_color=True)
    return console


def show(result: Mapping[str, Any], file: IO[str]) -> None:
    """Print the result: gating requirements first, then warnings, waivers, what was not tested, and the last line."""
    console = console_for(file)
    requirements = result["requirements"]
    broken = [requirement for requirement in requirements if requirement["outcome"] == "broken"]
    _broken(console, "Broken", [r for r in broken if r["gates"]], "red")
    _broken(
        console,
        "Warnings: broken, but this run does not fail for them",
        [r for r in broken if not r["gates"]],
        "yellow",
    )
    _waivers(console, requirements, result.get("waivers", ()))
    _untested(console, [requirement for requirement in requirements if requirement["outcome"] == "untested"])
    _left_out(console, result.get("left_out", ()))
    _changes(console, result.get("baseline"))
    console.print()
    for note in result.get("notes", ()):
        console.print(Text(plain(note)))
    console.print(Text(plain(result["reason"])))
    console.print(closing_line(result), soft_wrap=True)


def closing_line(result: Mapping[str, Any]) -> Text:
    """Verdict, counts, target, profile and scope in one line."""
    word, style = _VERDICTS[result["verdict"]]
    line = Text.assemble((word, style), "  ")
    shown = [(name, colour) for name, colour in _COUNTS if result["counts"][name] or name in ("broken", "held")]
    for index, (name, colour) in enumerate(shown):
        count = result["counts"][name]
        noun = "warning" if name == "warnings" and count == 1 else name
        line.append(", " if index else "").append(f"{count} {noun}", style=colour if count else "")
    target = result["target"]
    where = target["kind"] if target["kind"] in target["url"] else f"{target['kind']} {target['url']}".strip()
    strict = ", strict" if result["strict"] else ""
    return line.append(plain(f" · {where} · profile {result['profile']} · scope {result['scope']}{strict}"))


def _broken(console: Console, heading: str, requirements: Sequence[Mapping[str, Any]], colour: str) -> None:
    if not requirements:
        return
    console.print()
    console.print(Text(heading, style=f"bold {colour}"))
    for requirement in requirements:
        _requirement(console, requirement, colour)


def _requirement(console: Console, requirement: Mapping[str, Any], colour: str) -> None:
    console.print()
    console.print(Text.assemble(("✗ ", colour), (plain(requirement["id"]), "bold")))
    _indented(console, Text(plain(requirement["text"])))
    standing = f"{requirement['level']}, {requirement['basis']}: {requirement['source']}"
    _indented(console, Text(plain(standing), style="dim"))
    if requirement["reason"]:
        _indented(console, Text(plain(requirement["reason"]), style="dim"))
    for finding in requirement["findings"][:_FINDINGS]:
        _finding(console, finding, requirement["operation"])
    more = len(requirement["findings"]) - _FINDINGS
    if more > 0:
        _indented(console, Text(f"… and {more} more; a report (--report html=FILE) holds all.", style="dim"))


def _finding(console: Console, finding: Mapping[str, Any], operation: str) -> None:
    console.print()
    if finding["operation"] != operation:
        _indented(console, Text(f"in {plain(finding['operation'])}", style="dim"))
    _labelled(console, "expected", finding["expected"])
    _labelled(console, "actual", finding["actual"])
    earlier = len(finding.get("requests", ())) - 1
    if earlier > 0:
        noun = "request that leads" if earlier == 1 else "requests that lead"
        _indented(console, Text(f"after {earlier} {noun} here; the HTML report holds all as a script", style="dim"))
    for line in finding["curl"].splitlines():
        console.print(Text(f"  {plain(line)}", style="cyan"), soft_wrap=True)


def _labelled(console: Console, label: str, text: str) -> None:
    body = Text(plain(text) or "nothing")
    width = max(20, console.width - 12)
    for index, line in enumerate(body.wrap(console, width)):
        lead = f"  {label:<9} " if index == 0 else " " * 12
        console.print(Text.assemble((lead, "dim"), line), soft_wrap=True)


def _waivers(console: Console, requirements: Iterable[Mapping[str, Any]], waivers: Iterable[Mapping[str, Any]]) -> None:
    waived = [requirement for requirement in requirements if requirement["outcome"] == "waived"]
    failed = [waiver for waiver in waivers if waiver["standing"] in ("stale", "expired")]
    if waived:
        console.print()
        console.print(Text("Waived", style="bold cyan"))
    for requirement in waived:
        console.print(Text(f"~ {plain(requirement['id'])}"))
        _indented(console, Text(plain(requirement["reason"]), style="dim"))
    if failed:
        console.print()
        console.print(Text("Waivers that fail the run", style="bold red"))
    for waiver in failed:
        why = "what it excuses holds" if waiver["standing"] == "stale" else f"its last day was {waiver['last_day']}"
        console.print(
            Text(f"✗ {plain(waiver['requirement'])}: {waiver['standing']}, {why} (owner: {plain(waiver['owner'])})")
        )


def _untested(console: Console, requirements: Sequence[Mapping[str, Any]]) -> None:
    if not requirements:
        return
    by_reason: dict[str, list[str]] = defaultdict(list)
    for requirement in requirements:
        gating = (
            "nothing in this run exercised it, and it gates"
            if requirement["gates"]
            else "nothing in this run exercised it"
        )
        by_reason[requirement["reason"] or gating].append(requirement["id"])
    console.print()
    console.print(Text(f"Untested ({len(requirements)})", style="bold"))
    for reason, ids in by_reason.items():
        console.print(Text(f"- {plain(reason)}"))
        more = f" … and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
        _indented(console, Text(", ".join(map(plain, ids[:_IDS])) + more, style="dim"))


def _left_out(console: Console, groups: Sequence[Mapping[str, Any]]) -> None:
    if not groups:
        return
    console.print()
    console.print(Text("Left out", style="bold"))
    for group in groups:
        counted = ((len(group["requirements"]), "requirement"), (group["items"], "item"))
        counts = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted if count)
        console.print(Text(f"- {plain(group['reason'])} ({counts})"))


def _changes(console: Console, baseline: Mapping[str, Any] | None) -> None:
    if not baseline:
        return
    console.print()
    console.print(Text("Since the baseline", style="bold"))
    for name, label in (("newly_broken", "newly broken"), ("fixed", "fixed"), ("newly_untested", "newly untested")):
        ids = list(dict.fromkeys(entry["requirement"] for entry in baseline.get(name, ())))
        _indented(console, Text(f"{label}: {', '.join(map(plain, ids)) or 'none'}"))


def _indented(console: Console, text: Text) -> None:
    for line in text.wrap(console, console.width - 2):
        line.rstrip()
        console.print(Text.assemble("  ", line), soft_wrap=True)


def plain(text: str) -> str:
    """A text of the target without what would steer a terminal: controls are shown as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))


class Progress:
    """One line per suite while it runs: redrawn in place on a terminal, written once when done elsewhere.

    Call `update(suite, done, total, broken)` as items finish and `close()` at the end.
    """

    def __init__(self, file: IO[str], clock: Any = time.monotonic) -> None:
        self._console = console_for(file)
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._updated: float | None = None
        self._drawn = 0.0
        self._open = ""

    def update(self, suite: str, done: int, total: int, broken: int) -> None:
        """Say that `done` of `total` items of a suite have run and `broken` requirements have shown."""
        now = self._clock()
        # The time since the item before, whichever suite that was of: some items of a suite come after all others.
        spent = self._spent.get(suite, 0.0) + (0.0 if self._updated is None else now - self._updated)
        self._spent[suite], self._updated = spent, now
        finished = done >= total
        if self._console.is_terminal and (finished or suite != self._open or now - self._drawn > 0.1):
            self._redraw(suite, _line(suite, done, total, broken, spent), finished=finished)
            self._drawn = now
        elif finished and not self._console.is_terminal:
            self._console.print(_line(suite, done, total, broken, spent))

    def close(self) -> None:
        """End a line that is still open."""
        if self._open:
            self._console.print()
            self._open = ""

    def _redraw(self, suite: str, line: Text, *, finished: bool) -> None:
        if self._open and self._open != suite:
            self._console.print()
        line.truncate(self._console.width - 1)
        self._console.file.write("\r\x1b[2K")
        self._console.print(line, end="\n" if finished else "")
        self._open = "" if finished else suite


def _line(suite: str, done: int, total: int, broken: int, seconds: float) -> Text:
    mark = ("✗", "red") if broken else ("✓", "green") if done >= total else ("·", "dim")
    state = (f"{broken} broken", "red") if broken else ("nothing broken", "dim")
    return Text.assemble(mark, f" {plain(suite):<12} {done:>5}/{total} items  {seconds:>6.1f} s  ", state)
