"""How one emulated instance behaves: frozen values, chosen before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True)
class Profile:
    """What differs on the wire between releases of the API (observed in recordings of each release).

    `undeployed` is the body of a successful undeploy; `known_extensions` the endings a model's file name must have,
    empty where any name is taken; `accelerators` those that may be asked for, empty where the release does not look,
    and `accelerator_settings` whether one of them may be given with settings;
    `registry_uuid` whether a registry's id must be a UUID;
    `nested_models` whether a list of models shows their versions; `api_label` whether the external URL's host keeps its
    `api.` label.
    """

    name: str
    copies: bool = True
    undeployed: Any = None
    anomaly: bool = False
    error_object: bool = False
    unreadable_status: int = 500
    model_version_id: bool = False
    pipeline_version_shown: bool = False
    ids_optional: bool = False
    known_extensions: tuple[str, ...] = ()
    api_label: bool = True
    architectures: tuple[str, ...] = ("arm", "x86")
    accelerators: tuple[str, ...] = ()
    accelerator_settings: bool = False
    more_frameworks: tuple[str, ...] = ()
    registry_uuid: bool = False
    nested_models: bool = False


_2023_4 = Profile("2023.4")
_2024_1 = replace(
    _2023_4, name="2024.1", copies=False, undeployed={}, anomaly=True, accelerators=("none", "cuda", "jetson", "aio")
)
_2024_4 = replace(
    _2024_1,
    name="2024.4",
    error_object=True,
    ids_optional=True,
    architectures=("arm", "x86", "power10"),
    accelerators=("none", "cuda", "jetson", "openvino"),
    nested_models=True,
    pipeline_version_shown=True,
    api_label=False,
)
_2025_1 = replace(
    _2024_4,
    name="2025.1",
    more_frameworks=("vllm",),
    accelerator_settings=True,
)
_2025_2 = replace(
    _2025_1,
    name="2025.2",
    unreadable_status=400,
    registry_uuid=True,
    known_extensions=(".zip", ".pt", ".onnx", ".h5", ".pkl"),
)
_2026_1 = replace(
    _2025_2,
    name="2026.1",
    model_version_id=True,
    accelerators=("none", "cuda", "jetson", "openvino", "rocm"),
    more_frameworks=("vllm", "sglang"),
)

PROFILES = {profile.name: profile for profile in (_2023_4, _2024_1, _2024_4, _2025_1, _2025_2, _2026_1)}
"""Each release as what changed in it since the one before."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for (our own choice: the real service's limits are not recorded). Sizes in bytes."""

    json_bytes: int = 1 * MIB
    upload_bytes: int = 128 * MIB
    inference_bytes: int = 64 * MIB
    rows: int = 200_000
    name_characters: int = 255
    header_bytes: int = 64 * 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    worker_bytes: int = 1024 * MIB
    worker_seconds: float = 10.0
    workers: int = 8


@dataclass(frozen=True)
class Settings:
    """One instance's settings. `data_dir` None keeps the state in a temporary folder; seconds are wall-clock.

    `signing_key` is a PEM file with the key that tokens are signed with; without one, a key is made.

    `base_url` is where the instance is reached, and so the start of its tokens' issuer. `public_url`, where there is
    one, stands at the start of the URLs it tells, however it was asked.
    """

    profile: Profile = PROFILES["2023.4"]
    start_seconds: float = 0.2
    stop_seconds: float = 0.1
    token_seconds: int = 60
    data_dir: Path | None = None
    signing_key: Path | None = None
    base_url: str = "http://emulated"
    public_url: str = ""
    username: str = "conformance"
    password: str = field(default="conformance", repr=False)
    client_id: str = "sdk-client"
    client_secret: str = field(default="conformance", repr=False)
    limits: Limits = Limits()
