"""Report files: which kinds there are, `KIND=FILE` read before a run, every file written whole or not at all."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.spec.requirements import nearest

KINDS = ("json", "junit", "html", "markdown", "sarif")
"""`json` is the result itself, what every other report can be made from again; each other kind is a module of this
package with a pure `render(result) -> str`."""


def parse_reports(specs: Iterable[str], kinds: Sequence[str] = KINDS) -> dict[str, Path]:
    """Read `KIND=FILE` texts into files by kind, one of `kinds`, and make sure each file can be written.

    Raises UsageError: no `KIND=FILE`, an unknown kind, one kind twice, a folder that is not there or not writable.
    """
    reports: dict[str, Path] = {}
    for spec in specs:
        kind, separator, file = spec.partition("=")
        if not separator or not file:
            raise UsageError(f"'{spec}' is not KIND=FILE; give for instance --report html=report.html.")
        if kind not in kinds:
            raise UsageError(
                f"There is no report kind '{kind}'{nearest(kind, kinds)}; the kinds are {', '.join(kinds)}."
            )
        if kind in reports:
            raise UsageError(f"The report kind '{kind}' is given twice; give each kind once.")
        reports[kind] = Path(file)
        _require_writable(kind, Path(file))
    if len(set(map(Path.absolute, reports.values()))) < len(reports):
        raise UsageError("Two reports are to be written to the same file; give each its own.")
    return reports


def _require_writable(kind: str, path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"The {kind} report cannot be written: {path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"The {kind} report cannot be written: there is no folder {path.parent}; make it first.")
    if path.exists() and not path.is_file():
        return
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"The {kind} report cannot be written: {path} is not writable; choose another file.")


def write_reports(result: Mapping[str, Any], reports: Mapping[str, Path | str]) -> None:
    """Render and write each report: a reader finds the old file or the whole new one.

    Raises UsageError with what could not be written, once each was tried.
    """
    failed = attempted(result, reports)
    if failed:
        raise UsageError(failed)


def attempted(result: Mapping[str, Any], reports: Mapping[str, Path | str]) -> str:
    """Write each report that can be written; sentences on those that cannot, empty where all were."""
    failed = []
    for kind, path in reports.items():
        try:
            write_whole(Path(path), render(kind, result), f"The {kind} report")
        except UsageError as error:
            failed.append(str(error))
        except Exception as error:  # one report's own fault keeps no other from being written
            failed.append(f"The {kind} report could not be made ({type(error).__name__}).")
    return " ".join(failed)


def render(kind: str, result: Mapping[str, Any]) -> str:
    """One report's text. `kind` is one of KINDS."""
    if kind not in KINDS:
        raise UsageError(f"There is no report kind '{kind}'{nearest(kind, KINDS)}; the kinds are {', '.join(KINDS)}.")
    if kind == "json":
        return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text: str = importlib.import_module(f"conformance.reporting.{kind}").render(result)
    return text


def write_whole(path: Path, text: str, what: str) -> None:
    """Write a file by renaming a finished one over it; a device is written to. Raises UsageError where it fails."""
    content = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise UsageError(f"{what} cannot be written to {path}: {error.strerror}.") from error


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".conformance-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
