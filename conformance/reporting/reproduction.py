"""From a finding in a report to the same requests sent again: in words, and as a script and a test in files."""

from __future__ import annotations

import base64
import gzip
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from conformance.errors import UsageError

Found = tuple[str, Mapping[str, Any]]
"""A requirement's id and one finding on it, as a result holds them."""

_JUDGE = """\
# Verdict: exit 1 while the finding stands, 0 once it is fixed (python3 must have the package `conformance`).
[ "${{#DEPLOYED[@]}}" = 0 ] || {{ undeploy; DEPLOYED=(); }}
CONFORMANCE_TARGET="$TARGET" CONFORMANCE_TOKEN="${{TOKEN-}}" "${{PYTHON:-python3}}" "$(dirname "$0")/{name}"
"""


def findings_of(result: Mapping[str, Any], wanted: str = "") -> list[Found]:
    """The broken findings of a result, or those of one requirement, or the one of a fingerprint.

    Raises UsageError where a wanted one is not there.
    """
    broken = [
        (str(row["id"]), finding)
        for row in result.get("requirements", ())
        if row.get("outcome") in ("broken", "waived")
        for finding in row.get("findings", ())
    ]
    found = [(id_, finding) for id_, finding in broken if wanted in ("", id_, finding.get("fingerprint"))]
    if wanted and not found:
        known = ", ".join(sorted({id_ for id_, _ in broken})) or "none"
        raise UsageError(f"The result has no finding on {wanted}; it has findings on: {known}.")
    return found


def write(folder: Path, findings: Sequence[Found]) -> list[Path]:
    """Write each finding that can be shown again to a script and a test; the paths. Raises UsageError."""
    written: list[Path] = []
    used: dict[str, int] = {}
    for id_, finding in findings:
        if not finding.get("pytest"):
            continue
        slug = re.sub(r"\W+", "_", id_).strip("_")
        used[slug] = used.get(slug, 0) + 1
        name = slug if used[slug] == 1 else f"{slug}_{used[slug]}"
        test, script = folder / f"test_{name}.py", folder / f"{name}.sh"
        shell = str(finding["script"]).rstrip("\n") + "\n\n" + _JUDGE.format(name=test.name)
        if "trap undeploy EXIT" not in shell:
            shell = "\n".join(line for line in shell.splitlines() if not line.startswith('[ "${#DEPLOYED')) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            test.write_text(str(finding["pytest"]), encoding="utf-8")
            script.write_text(shell, encoding="utf-8")
            script.chmod(0o755)
            for file, content in finding.get("files", {}).items():
                (folder / file).write_bytes(gzip.decompress(base64.b64decode(content)))
        except OSError as error:
            raise UsageError(f"{folder} cannot be written to: {error.strerror}.") from error
        written += [script, test]
    return written


def kept(result: Mapping[str, Any], folder: str) -> str:
    """Write all findings of a result to a folder, if one is named; what prevented it, empty for nothing."""
    try:
        if folder:
            write(Path(folder), findings_of(result))
    except UsageError as error:
        return str(error)
    return ""


def leads(finding: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Where a finding was seen, by which request and answer, after how many others, and how often its promise broke."""
    requests = finding.get("requests", ())
    parts = [f"in {finding['where']}"] if finding.get("where") else []
    if requests:
        last, earlier = requests[-1], len(requests) - 1
        unknown = "answered, by a status that was not recorded" if "answer" in last else "no answer"
        came = f"answered {last['status']}" if last["status"] else last.get("failure") or unknown
        parts.append(f"{last['method']} {last['path']}: {came}")
        parts += [f"after {earlier} earlier request{'' if earlier == 1 else 's'}"] if earlier else []
    if row.get("broke"):
        parts.append(f"broke in {row['broke']} of {row['evidence']}")
    if said := repeated(finding):
        parts.append(said)
    return "; ".join(parts)


def how_to_ask(result: Mapping[str, Any]) -> str:
    """One line on what the commands of a report's findings need, commands in backticks; empty where there are none."""
    if not any(finding["curl"] for row in result["requirements"] for finding in row["findings"]):
        return ""
    target = result["target"]
    if target["kind"] == "recorded" or not target["url"]:
        return "Replace `$TOKEN` in a command by a token of yours."
    files = _certificates(str(result.get("command", "")))
    token = f'`eval "$(conformance token --target {shlex.quote(target["url"])}{files} --export)"`'
    if target["kind"] == "emulated":
        return (
            "The emulated instance ended with the run: start one with `conformance emulate`, then set `$TOKEN` with "
            f"{token}."
        )
    return f"Before you paste a command, set `$TOKEN` with {token}."


_CERTIFICATES = ("--ca-file", "--client-cert", "--client-key")


def _certificates(command: str) -> str:
    """The PEM files of a run's command, as options, each after a space."""
    words = shlex.split(command)
    pairs = pairwise(words)
    return "".join(f" {option} {shlex.quote(file)}" for option, file in pairs if option in _CERTIFICATES)


def repeated(finding: Mapping[str, Any]) -> str:
    """Whether a finding showed each time its smallest sequence was asked; empty where it was not asked again."""
    times = str(finding.get("repeated", ""))
    shown, _, asked = times.partition(" of ")
    return (
        "" if not times else f"repeated alone it shows {times}" if shown == asked else f"not repeatable: shown {times}"
    )
