"""Runs a user's cells unchanged in the user's own Python, in a copy of their folder, and says what came of each."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import from_dict

from conformance.errors import NoVerdictError, UsageError
from conformance.model import Exchange
from conformance.rehearse.environment import RehearsalInstance
from conformance.rehearse.reading import PROGRAMS, Program, Runnable, Stored, names_in, shown

_MARK = "CONFORMANCE_REHEARSAL_RUN"
_SKIPPED = shutil.ignore_patterns(".git", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints")
_MOST_BYTES = 2 * 2**30
_KERNEL = "rehearsal"
_DEAD = "DeadKernelError"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Failure:
    """How a cell ended that failed: the exception's name and message, and the line of the cell, 0 where unknown."""

    name: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


@dataclass(frozen=True)
class Ran:
    """What came of one cell: its output, how it failed, what it asked of the instance.

    `waits_for` names what earlier cells did not make, so that it was not run; `lifted` says that what stopped it was
    lifted afterwards, so that the cells after it could go on.
    """

    shown: Stored
    exchanges: tuple[Exchange, ...] = ()
    failure: Failure | None = None
    waits_for: tuple[str, ...] = ()
    lifted: bool = False

    @property
    def good(self) -> bool:
        """Whether it ran, and did not fail."""
        return self.failure is None and not self.waits_for


@dataclass
class _Debts:
    """The names that cells should have bound and did not, with the cell that owes each."""

    names: dict[str, int] = field(default_factory=dict)

    def of(self, cell: Runnable) -> tuple[str, ...]:
        """The names it reads that are owed."""
        bound: set[str] = set()
        wanted: set[str] = set()
        for _, names in names_in(cell.code):
            wanted |= (names.reads - bound) & self.names.keys()
            bound |= names.binds
        return tuple(f"{name}, which cell {self.names[name]} did not make" for name in sorted(wanted))

    def failed(self, cell: Runnable, line: int) -> None:
        """What the cell binds from that line on is owed; from its last statement that begins at or before it."""
        statements = names_in(cell.code)
        begins = max((start for start, _ in statements if start <= line), default=0)
        for start, names in statements:
            for name in names.binds:
                if start >= begins:
                    self.names[name] = cell.index
                else:
                    self.names.pop(name, None)

    def paid(self, cell: Runnable) -> None:
        """What the cell binds is there."""
        for _, names in names_in(cell.code):
            for name in names.binds:
                self.names.pop(name, None)


@contextmanager
def copied(paths: Sequence[Path], folder: Path) -> Iterator[Mapping[Path, Path]]:
    """Copies of the folders that the paths stand in, and the original that each is of; their sum is limited.

    Raises UsageError where there is too much to copy.
    """
    wanted = {(path if path.is_dir() else path.parent).resolve() for path in paths}
    roots = sorted(one for one in wanted if not any(other in one.parents for other in wanted))
    copies: dict[Path, Path] = {}
    for number, root in enumerate(roots):
        if _bytes_in(root) > _MOST_BYTES:
            raise UsageError(
                f"The folder {root} holds more than {_MOST_BYTES >> 30} GiB, and a rehearsal runs in a copy of it. "
                "Put the files, and what they read, into a folder of their own."
            )
        copies[root] = folder / f"copy-{number}" / (root.name or "root")
        shutil.copytree(root, copies[root], ignore=_SKIPPED, symlinks=True, ignore_dangling_symlinks=True)
    yield copies


def _bytes_in(root: Path) -> int:
    total = 0
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _SKIPPED(folder, names)]
        for file in files:
            with suppress(OSError):
                total += (Path(folder) / file).lstat().st_size
            if total > _MOST_BYTES:
                return total
    return total


def require_kernel(python: str, programs: Sequence[Program]) -> None:
    """Raises UsageError where the interpreter cannot be run, or lacks ipykernel and a file needs it."""
    code = "" if all(one.path.suffix in PROGRAMS for one in programs) else "import ipykernel"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--python {python} cannot be run: {error}.") from None
    if done.returncode and "ipykernel" in done.stderr:
        raise UsageError(
            f"Notebooks and Markdown run in a kernel, and {python} has none: {python} -m pip install ipykernel."
        )
    if done.returncode:
        raise UsageError(
            f"--python {python} is no Python that runs: {(done.stderr.strip() or 'it says nothing')[-200:]}."
        )


def run(
    program: Program, instance: RehearsalInstance, environ: Mapping[str, str], python: str, copies: Mapping[Path, Path],
    seconds: float, before: Sequence[Ran] | None = None,
) -> list[Ran]:  # fmt: skip
    """What came of each cell of a program, against the instance.

    `before` is what came of them on the earlier release. A cell that runs there and not here is run once more as that
    release answers, so that those after it find what they need.
    """
    full = program.path.resolve()
    root = next(one for one in copies if one in full.parents)
    file = copies[root] / full.relative_to(root)
    mark = f"{os.getpid()}-{id(program)}"
    environ = {**environ, _MARK: mark}
    try:
        if program.path.suffix in PROGRAMS:
            return [_script(file, instance, environ, python, seconds)]
        return list(_cells(program, instance, environ, python, file.parent, seconds, before))
    finally:
        _end_marked(mark)


def _script(file: Path, instance: RehearsalInstance, environ: Mapping[str, str], python: str, seconds: float) -> Ran:
    command = [python, file.name] if file.suffix == ".py" else ["bash", file.name]
    begun = len(instance.exchanges)
    with subprocess.Popen(  # noqa: S603  what the user asked to run
        command, cwd=file.parent, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            out, err = process.communicate()
            failure: Failure | None = Failure("TimeoutError", f"it was not done after {seconds:g} seconds")
        except BaseException:
            _kill(process.pid)
            raise
        else:
            failure = _of_exit(process.returncode, err, file.name) if process.returncode else None
    return Ran(Stored(out, failure.name if failure else ""), tuple(instance.exchanges[begun:]), failure)


def _of_exit(code: int, err: str, name: str) -> Failure:
    lines = [line for line in err.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if any(line.startswith("Traceback") for line in lines) and not last.startswith(" "):
        kind, _, message = last.partition(":")
        places = re.findall(rf'File "[^"]*{re.escape(name)}", line (\d+)', err)
        return Failure(kind.rpartition(".")[2], message.strip(), int(places[-1]) if places else 0)
    usage = next((line.strip() for line in lines if line.lower().startswith("usage:")), "")
    return Failure("Usage" if code == 2 and usage else "Exit", usage or f"it ended with {code}: {last}"[:400])


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _cells(
    program: Program, instance: RehearsalInstance, environ: Mapping[str, str], python: str, folder: Path,
    seconds: float, before: Sequence[Ran] | None,
) -> Iterator[Ran]:  # fmt: skip
    debts = _Debts()
    died = ""
    with _kernel(python, folder, environ, seconds) as kernel:
        for number, cell in enumerate(program.cells):
            wanted = (died,) if died else debts.of(cell)
            if wanted:
                yield Ran(Stored(""), waits_for=wanted)
                debts.failed(cell, 0)
                continue
            ran = _one(kernel, cell, instance)
            if ran.failure and before is not None and before[number].good:
                with instance.as_before():
                    ran = replace(ran, lifted=_one(kernel, cell, instance).failure is None)
            if ran.failure is None or ran.lifted:
                debts.paid(cell)
            else:
                debts.failed(cell, ran.failure.line)
                died = f"the kernel, which died in cell {cell.index}" if ran.failure.name == _DEAD else ""
            yield ran


def _one(kernel: NotebookClient, cell: Runnable, instance: RehearsalInstance) -> Ran:
    begun = len(instance.exchanges)
    node = _node({"cell_type": "code", "source": cell.code, "metadata": {}, "outputs": []})
    kernel.nb.cells.append(node)
    failure: Failure | None = None
    try:
        kernel.execute_cell(node, len(kernel.nb.cells) - 1)
    except (DeadKernelError, CellTimeoutError):
        failure = Failure(_DEAD, "the kernel died")
    outputs: Sequence[Mapping[str, Any]] = node.get("outputs", ())
    error = next((one for one in outputs if one.get("output_type") == "error"), None)
    if error is not None and failure is None:
        late = error["ename"] == "KeyboardInterrupt"
        said = f"it was interrupted after {kernel.timeout} seconds" if late else str(error["evalue"])
        failure = Failure("TimeoutError" if late else str(error["ename"]), _ANSI.sub("", said), _line_of(error))
    text = shown(outputs, as_html=bool(cell.stored and cell.stored.as_html))
    return Ran(text, tuple(instance.exchanges[begun:]), failure)


def _node(value: Mapping[str, Any]) -> Any:
    node: Any = from_dict(value)  # type: ignore[no-untyped-call]
    return node


def _line_of(error: Mapping[str, Any]) -> int:
    """The cell's own line in a traceback of IPython's: the arrow's in the frame that is a cell."""
    frames = _ANSI.sub("", "\n".join(map(str, error.get("traceback", ())))).split("\n\n")
    for frame in frames:
        if re.match(r"\s*(?:Cell In|Input In|<ipython-input|File <ipython)", frame) or "-----" in frame:
            found = re.search(r"^-+>\s*(\d+)", frame, re.MULTILINE)
            if found:
                return int(found[1])
    found = re.search(r"Cell In\[?\s*\d+\]?,? line:? ?(\d+)", "\n".join(frames))
    return int(found[1]) if found else 0


@contextmanager
def _kernel(python: str, folder: Path, environ: Mapping[str, str], seconds: float) -> Iterator[NotebookClient]:
    own = Path(environ["CONFORMANCE_REHEARSAL"]) / "private"
    spec = own / "kernels" / _KERNEL
    spec.mkdir(parents=True, exist_ok=True)
    command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
    described = {"argv": command, "display_name": _KERNEL, "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(described), encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(own / "kernels")], ensure_native_kernel=False)
    manager = AsyncKernelManager(
        kernel_name=_KERNEL, kernel_spec_manager=specs, connection_file=str(own / f"kernel-{environ[_MARK]}.json")
    )
    notebook = _node({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=max(1, int(seconds)),
        allow_errors=True,
        interrupt_on_timeout=True,
        store_widget_state=False,
    )
    try:
        with client.setup_kernel(cwd=str(folder), env=dict(environ), cleanup_kc=True):
            yield client
    except RuntimeError as error:
        raise NoVerdictError(f"The kernel of {python} did not start: {error}.") from None


def _end_marked(mark: str) -> None:
    """End every process that the program started and left, found by a variable in its environment (Linux)."""
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
