"""The plugin's options, and the runner that a pytest run's options make. Light: the plugin is loaded in every run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.run.runner import Runner
    from conformance.run.settings import Settings

RUNNER = pytest.StashKey["Runner"]()
TARGET: dict[str, Any] = {
    "default": None, "metavar": "URL|emulated", "help": "the instance to judge (or CONFORMANCE_TARGET)",
}  # fmt: skip
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--conformance-target", TARGET),
    ("--conformance-profile", {"default": "2023.4", "metavar": "RELEASE", "help": "the release it should conform to"}),
    ("--conformance-budget", {"default": "standard", "choices": ["quick", "standard", "thorough"]}),
    ("--conformance-suite", {"action": "append", "default": [], "metavar": "NAME", "help": "only this suite"}),
    ("--conformance-only", {"action": "append", "default": [], "metavar": "ID", "help": "only this requirement"}),
    ("--conformance-strict", {"action": "store_true", "help": "everything broken gates"}),
    ("--conformance-seed", {"type": int, "default": 0, "metavar": "N"}),
    ("--conformance-max-requests", {"type": int, "default": None, "metavar": "N"}),
    ("--conformance-max-seconds", {"type": float, "default": None, "metavar": "S"}),
    ("--conformance-model", {"default": "", "metavar": "FILE.onnx", "help": "the model to upload"}),
    ("--conformance-workspace-id", {"type": int, "default": None, "metavar": "N"}),
    (
        "--conformance-timeout",
        {"type": float, "default": None, "metavar": "S", "help": "longest wait for a deployment"},
    ),
    ("--conformance-effects", {"default": "", "choices": ["read", "own", "full"], "help": "what may be touched"}),
    ("--conformance-allow-host", {"action": "append", "default": [], "metavar": "HOST"}),
    ("--conformance-max-deployments", {"type": int, "default": None, "metavar": "N"}),
    ("--conformance-max-minutes", {"type": float, "default": None, "metavar": "N"}),
    ("--conformance-journal", {"default": "", "metavar": "DIR", "help": "where what a run makes is written down"}),
    ("--conformance-ca-file", {"default": "", "metavar": "FILE"}),
    ("--conformance-client-cert", {"default": "", "metavar": "FILE"}),
    ("--conformance-client-key", {"default": "", "metavar": "FILE"}),
    ("--conformance-rate", {"type": float, "default": None, "metavar": "N", "help": "requests a second, at most"}),
    ("--conformance-record", {"default": "", "metavar": "DIR|FILE.har", "help": "keep the exchanges, redacted"}),
    ("--conformance-har", {"default": "", "metavar": "FILE", "help": "keep all that is sent and received, redacted"}),
    ("--conformance-report", {"action": "append", "default": [], "metavar": "KIND=FILE"}),
)


def runner_of(config: pytest.Config) -> Runner:
    """The run's runner, made from the options (or from the controlling process's word) on first use."""
    if RUNNER not in config.stash:
        from conformance.run.runner import Runner
        from conformance.run.settings import Settings

        handed = getattr(config, "workerinput", {}).get("conformance")
        config.stash[RUNNER] = Runner(Settings.from_plain(handed) if handed else _settings(config))
    return config.stash[RUNNER]


def _settings(config: pytest.Config) -> Settings:
    from conformance.run.settings import Settings, longest_wait

    option = config.option
    target, wait = option.conformance_target or os.environ.get("CONFORMANCE_TARGET", ""), option.conformance_timeout
    return Settings(
        target=target,
        profile=option.conformance_profile,
        budget=option.conformance_budget,
        suites=tuple(option.conformance_suite),
        only=tuple(option.conformance_only),
        strict=option.conformance_strict,
        seed=option.conformance_seed,
        max_requests=option.conformance_max_requests,
        max_seconds=option.conformance_max_seconds,
        model=option.conformance_model,
        workspace_id=option.conformance_workspace_id,
        wait=longest_wait(target) if wait is None else wait,
        ca_file=option.conformance_ca_file,
        client_cert=option.conformance_client_cert,
        client_key=option.conformance_client_key,
        rate=option.conformance_rate,
        record=option.conformance_record,
        har=option.conformance_har,
        effects=option.conformance_effects,
        allow_hosts=tuple(option.conformance_allow_host),
        max_deployments=option.conformance_max_deployments,
        max_minutes=option.conformance_max_minutes,
        journal=option.conformance_journal,
    )
