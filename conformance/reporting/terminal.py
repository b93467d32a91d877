"""The verdict at a terminal: what is broken, why it counts, how to see it, and one line that sums it up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from conformance.reporting.reproduction import leads

_FINDINGS = 3
"""Findings shown of one requirement; the reports hold the rest."""

_IDS = 4
"""Ids shown of those that were left untested for one reason; `verbose` shows all."""

_VERDICTS = {
    "conformant": ("CONFORMANT", "bold green"),
    "not-conformant": ("NOT CONFORMANT", "bold red"),
    "none": ("NO VERDICT", "bold yellow"),
}
_COUNTS = {"broken": "red", "warnings": "yellow", "waived": "cyan", "held": "green", "untested": "dim"}


def console_for(file: IO[str]) -> Console:
    """A console that colours nothing when NO_COLOR is set or `file` is no terminal, 80 columns wide where unknown."""
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=80, no_color=True)
    return console


def show(result: Mapping[str, Any], file: IO[str], *, verbose: bool = False) -> None:
    """Print the result, what matters most nearest to the prompt: untested, warnings, what gates, the verdict.

    `verbose` adds what was left out, and the promises that cannot be tested on any instance, each with its reason.
    """
    console = console_for(file)
    requirements = result["requirements"]
    broken = [requirement for requirement in requirements if requirement["outcome"] == "broken"]
    gating = [row for row in broken if row["gates"]]
    untested = [row for row in requirements if row["outcome"] == "untested"]
    shown = len(untested) if verbose else _IDS
    brief = not verbose and _counted_only(result)
    _untested(console, [row for row in untested if verbose or not (brief or row.get("untestable"))], shown)
    _left_out(console, [group for group in result.get("left_out", ()) if verbose or group["requirements"]])
    _waivers(console, requirements, result.get("waivers", ()))
    _changes(console, result.get("baseline"))
    _broken(console, "Broken as before: in the baseline too", [row for row in broken if row.get("known")], "cyan")
    warnings = [row for row in broken if not row["gates"] and not row.get("known")]
    _broken(console, "Warnings: broken, but they do not fail this run", warnings, "yellow")
    _broken(console, "Broken", gating, "red")
    _new_here(console, result.get("new", ()))
    _notes(console, result.get("notes", ()))
    console.print()
    for hint in () if verbose else _kept_back(result):
        _wrapped(console, hint, style="dim")
    if broken:
        _wrapped(console, "For details: conformance explain ID, or run with --report html=FILE.", style="dim")
    _wrapped(console, plain(result["reason"]))
    if console.is_terminal:
        _wrapped(console, about(result), style="dim")
        console.print(closing_line(result))
    else:  # whoever looks for the verdict in a log finds all of it in the last line
        console.print(closing_line(result).append(f" · {about(result)}"), soft_wrap=True)


def about(result: Mapping[str, Any]) -> str:
    """What the verdict is about: target, profile and scope."""
    target = result["target"]
    where = target["kind"] if target["kind"] in target["url"] else f"{target['kind']} {target['url']}".strip()
    strict = ", strict" if result["strict"] else ""
    return plain(f"{where} · profile {result['profile']} · scope {result['scope']}{strict}")


def closing_line(result: Mapping[str, Any]) -> Text:
    """The verdict and its counts in one line."""
    word, style = _VERDICTS[result["verdict"]]
    line = Text.assemble((word, style), "  ")
    counts = dict(result["counts"])
    known = sum(1 for row in result["requirements"] if row.get("known"))
    if known:
        counts["warnings"] -= known
        line.append(f"{known} broken as before, ", style="cyan")
        new = counts.pop("broken")
        line.append(f"{new} newly broken" if new else "nothing new", style="red" if new else "").append(", ")
    shown = [name for name in _COUNTS if counts.get(name) or name in ("broken", "held")]
    for index, name in enumerate(name for name in shown if name in counts):
        count = counts[name]
        noun = "warning" if name == "warnings" and count == 1 else name
        line.append(", " if index else "").append(f"{count} {noun}", style=_COUNTS[name] if count else "")
    return line


_NEW_SHOWN = 8


def _new_here(console: Console, additions: Sequence[Mapping[str, Any]]) -> None:
    """What no description has, and where it was seen: told, and gating nothing."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in additions:
        places.setdefault((one["kind"], one["what"]), []).append(one["operation"])
    if not places:
        return
    console.print("\nNew here (in no description; does not gate)", style="bold")
    for (kind, what), operations in list(places.items())[:_NEW_SHOWN]:
        where = operations[0] if len(operations) == 1 else f"{operations[0]} and {len(operations) - 1} more"
        _wrapped(console, plain(f"- {kind} {what}: {where}"))
    if len(places) > _NEW_SHOWN:
        _wrapped(console, f"- {len(places) - _NEW_SHOWN} more; the JSON report has all.")


def _notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print()
        _wrapped(console, plain(note), style="bold yellow")


def _kept_back(result: Mapping[str, Any]) -> Iterator[str]:
    """What -v would say, in one sentence; nothing where there is nothing."""
    items = sum(group["items"] for group in result.get("left_out", ()) if not group["requirements"])
    untestable = sum(1 for row in result["requirements"] if row.get("untestable") and row["outcome"] == "untested")
    parts = [f"{items} {'item' if items == 1 else 'items'}"] if items else []
    sentences = "sentence" if untestable == 1 else "sentences"
    parts += [f"{untestable} {sentences} that cannot be tested on any instance"] if untestable else []
    if parts:
        yield f"Left out (-v says why): {'; '.join(parts)}."
    untested = [row for row in result["requirements"] if row["outcome"] == "untested" and not row.get("untestable")]
    if untested and _counted_only(result):
        gating = sum(row["gates"] for row in untested)
        yield f"Untested (-v says why): {len(untested)}{f', of which {gating} would gate' if gating else ''}."


def _counted_only(result: Mapping[str, Any]) -> bool:
    """Whether the untested are a matter of counts: where they keep a verdict from being reached they are listed, and
    where nothing was asked, for then what traffic happens not to show is the better half of what it says."""
    return bool(result["verdict"] != "none" and result["target"]["kind"] != "recorded")


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
    if requirement["reason"] and not requirement.get("known"):
        _indented(console, Text(plain(requirement["reason"]), style="dim"))
    for finding in requirement["findings"][:_FINDINGS]:
        _finding(console, finding, requirement)
    more = len(requirement["findings"]) - _FINDINGS
    if more > 0:
        _indented(console, Text(f"… and {more} more; a report (--report html=FILE) holds all.", style="dim"))


def _finding(console: Console, finding: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    console.print()
    if finding["operation"] != row["operation"]:
        _indented(console, Text(f"in {plain(finding['operation'])}", style="dim"))
    _labelled(console, "expected", finding["expected"])
    _labelled(console, "actual", finding["actual"])
    if finding.get("request_id"):
        _labelled(console, "request", f"id {finding['request_id']}")
    _indented(console, Text(plain(leads(finding, row)), style="dim"))
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
        said = f"{plain(waiver['requirement'])}: {waiver['standing']}, {why} (owner: {plain(waiver['owner'])})"
        _wrapped(console, said, lead="✗ ")


def _untested(console: Console, requirements: Sequence[Mapping[str, Any]], shown: int) -> None:
    if not requirements:
        return
    by_reason: dict[str, list[str]] = defaultdict(list)
    for requirement in sorted(requirements, key=lambda row: not row["gates"]):
        gating = (
            "Nothing in this run tested it, and it gates." if requirement["gates"] else "Nothing in this run tested it."
        )
        by_reason[requirement["reason"] or gating].append(requirement["id"])
    console.print()
    console.print(Text(f"Untested ({len(requirements)})", style="bold"))
    for reason, ids in by_reason.items():
        _wrapped(console, plain(reason), lead="- ")
        more = f" … and {len(ids) - shown} more" if len(ids) > shown else ""
        _indented(console, Text(", ".join(map(plain, ids[:shown])) + more, style="dim"))


def _left_out(console: Console, groups: Sequence[Mapping[str, Any]]) -> None:
    if not groups:
        return
    console.print()
    console.print(Text("Left out", style="bold"))
    for group in groups:
        counted = ((len(group["requirements"]), "requirement"), (group["items"], "item"))
        counts = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted if count)
        _wrapped(console, f"{plain(group['reason'])} ({counts})", lead="- ")


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


def _wrapped(console: Console, text: str, *, lead: str = "", style: str = "") -> None:
    """A paragraph in the console's width, with a mark before its first line and its others below the text."""
    for index, line in enumerate(Text(text, style=style).wrap(console, console.width - len(lead))):
        line.rstrip()
        console.print(Text.assemble(lead if index == 0 else " " * len(lead), line), soft_wrap=True)


def plain(text: str) -> str:
    """A text of the target without what would steer a terminal: controls are shown as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
