"""Loaded by every Python that a rehearsal starts: nothing leaves the machine, and no file of the user's is changed.

It stands alone, since it runs in the user's own interpreter. A proxy is what leads to the emulated instance; what
ignores it is stopped here. Programs in other languages are led by their proxy settings alone.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import Any

_OUT = "A rehearsal lets nothing out of this machine"
_CHANGED = "A rehearsal changes no file of yours"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove": 1, "os.rename": 2, "os.rmdir": 1, "os.truncate": 1, "os.mkdir": 1, "shutil.rmtree": 1}
"""Events of PEP 578 and how many of their arguments are paths that change."""


def _folders(*names: str) -> tuple[str, ...]:
    return tuple(os.path.realpath(name) + os.sep for name in names if name)


_OWN = _folders(os.environ.get("CONFORMANCE_REHEARSAL", ""))
_KEPT = _folders(*os.environ.get("CONFORMANCE_REHEARSAL_KEPT", "").split(os.pathsep))
_FREE = _folders(tempfile.gettempdir(), "/dev", "/proc", "/sys")


def _hook(event: str, args: Any) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        _require_local(str(args[1][0]))
    elif event == "socket.getaddrinfo" and args[0]:
        _require_local(args[0].decode("ascii", "replace") if isinstance(args[0], bytes) else str(args[0]))
    elif event == "open" and isinstance(args[2], int) and args[2] & _WRITES:
        _require_free(args[0])
    elif event in _CHANGES:
        for path in args[: _CHANGES[event]]:
            _require_free(path)


def _require_local(host: str) -> None:
    if not (host in ("localhost", "::1", "0.0.0.0", "::") or host.startswith("127.")):  # noqa: S104
        raise OSError(f"{_OUT}: a connection to {host} past the proxy was refused.")


def _require_free(path: Any) -> None:
    if isinstance(path, (str, bytes)) and path:
        full = os.path.realpath(os.fsdecode(path))
        inside = full + os.sep
        if not inside.startswith(_OWN) and (inside.startswith(_KEPT) or not inside.startswith(_FREE)):
            raise PermissionError(f"{_CHANGED}: {full} would be written.")


if os.environ.get("CONFORMANCE_REHEARSAL"):
    sys.addaudithook(_hook)

# Another file of this name, of the user's own, is loaded too.
_here = os.path.dirname(os.path.abspath(__file__))
_elsewhere = [path for path in sys.path if os.path.abspath(path or ".") != _here]
_ours = sys.modules.pop("sitecustomize", None)
_path, sys.path[:] = sys.path[:], _elsewhere
try:
    importlib.import_module("sitecustomize")
except ImportError:
    if _ours is not None:
        sys.modules["sitecustomize"] = _ours
finally:
    sys.path[:] = _path
