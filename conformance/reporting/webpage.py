"""One look for every page: a self-contained file, no network, no script but our own, every string escaped.

A page is a template that extends `page/frame.html`; the frame asks for `title`, `eyebrow`, `verdict` (conformant,
not-conformant or none: its colour), `verdict_words`, `reason`, `notes`, `facts` (pairs), `command` and `sections`
(pairs of an id and a label). Templates of another package stand in a folder of theirs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_PAGE = files("conformance.reporting") / "page"
_FRAME: dict[str, Any] = {"eyebrow": "", "reason": "", "notes": (), "facts": (), "command": "", "sections": ()}


def render(template: str, context: Mapping[str, Any], *, script: bool | str = False, folder: Path | None = None) -> str:
    """The page. `script` adds ours, which a page of requirements needs, or one by its name in `folder`, where the
    template stands."""
    style, style_hash = _asset("page.css")
    code, code_hash = _asset(script if isinstance(script, str) else "page.js", folder) if script else ("", "")
    assets = {"style": style, "style_hash": style_hash, "script": code, "script_hash": code_hash}
    return str(_environment(folder).get_template(template).render({**_FRAME, **context, **assets}))


@cache
def _environment(folder: Path | None) -> Environment:
    places = [str(_PAGE), *([str(folder)] if folder else [])]
    return Environment(
        loader=FileSystemLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str, folder: Path | None = None) -> tuple[Markup, str]:
    """A file of ours as it stands in the page, and its hash for the page's own security policy."""
    own = folder is not None and (folder / name).is_file()
    text = (folder / name if own and folder else _PAGE / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"sha256-{digest}"  # noqa: S704 - our own file
