"""Whether a file is a valid OpenAPI description, and where it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from conformance.errors import UsageError

_VALIDATORS = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}


@dataclass(frozen=True)
class Flaw:
    """One thing wrong with a description: where, as the keys from its top joined by `/`, and what."""

    where: str
    message: str


def flaws(path: Path) -> Iterator[Flaw]:
    """What is wrong with a description, as the OpenAPI Specification of the release it names has it.

    Raises UsageError where the file cannot be read, is neither YAML nor JSON, or names no release we know.
    """
    raw = _parsed(path)
    release = str(raw.get("openapi", "")) if isinstance(raw, dict) else ""
    validator = _VALIDATORS.get(".".join(release.split(".")[:2]))
    if validator is None:
        known = " or ".join(_VALIDATORS)
        raise UsageError(f"{path} is not an OpenAPI {known} description: its `openapi` is {release or 'missing'}.")
    seen = set()
    for error in validator(raw, base_uri=path.resolve().as_uri()).iter_errors():
        flaw = Flaw("/".join(map(str, getattr(error, "absolute_path", ()))) or "the top", error.message[:300])
        if flaw not in seen:
            seen.add(flaw)
            yield flaw


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"The description {path} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"The description {path} is neither YAML nor JSON: {str(error).splitlines()[0]}.") from error
