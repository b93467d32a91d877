"""The suite's own faults, each a sentence for a person. A target's faults are findings, never these."""

from __future__ import annotations

import importlib.util

EXTRAS = {
    "emulated": ("graphql", "httptools", "multipart", "onnxruntime", "starlette", "uvicorn", "uvloop"),
    "generated": ("hypothesis", "schemathesis"),
    "load": ("locust",),
    "rehearse": ("ipykernel", "nbclient", "nbformat", "trustme"),
}
"""What each extra of the package brings, by the names that are imported."""


class SuiteError(Exception):
    """Base of everything that keeps the suite from reaching a verdict; the command line turns it into one sentence."""


class UsageError(SuiteError):
    """What the caller gave cannot be used (exit 2): a file, an option, a name."""


def require(what: str, extra: str) -> None:
    """Raises UsageError, with the command that mends it, where something of an extra is missing that `what` needs."""
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{what} needs {missing[0]}, which is not installed: pip install 'wallaroo-conformance[{extra}]'."
        )


class NoVerdictError(SuiteError):
    """No verdict can be reached for a reason outside the target's conduct (exit 3)."""


class TargetUnreachableError(NoVerdictError):
    """No connection, or nothing that answers as this API does."""


class CredentialsRefusedError(NoVerdictError):
    """The token endpoint refused the credentials, or gave nothing that is a token."""


class TimeSpentError(NoVerdictError):
    """The run has taken as long as it may."""


class RequestsSpentError(NoVerdictError):
    """The ceiling on requests is reached: nothing more is sent, but for what cleans up."""


class LimitReachedError(NoVerdictError):
    """A ceiling on what a run may cost its target is reached; what is deployed is undeployed."""
