"""`conformance drift`: what changed between two descriptions, or between ours and other sources, and who breaks."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from conformance.cli import options as shared
from conformance.cli.options import profile_option, transport_options
from conformance.drift.changes import BREAKING, NONE, Comparison, advice_for
from conformance.drift.openapi.bundling import Described
from conformance.drift.openapi.document import Slip
from conformance.drift.report.forms import FORMS, render
from conformance.drift.report.sections import (
    Section,
    becoming_section,
    notes_section,
    slips_section,
    table_section,
    usage_section,
)
from conformance.drift.sources.collection import (
    OfRelease,
    comparison_of,
    leave_out,
    narrowed,
    read_ignored,
    sdk_source,
    source_of,
    table_for,
    upgrade,
)
from conformance.drift.sources.served import Web, is_url
from conformance.drift.sources.table import contradictions
from conformance.drift.usage import read_usage
from conformance.errors import NoVerdictError, UsageError
from conformance.run.settings import Settings, trust_of
from conformance.spec.document import Document
from conformance.spec.requirements import load

_MANY = ("--used-in", "--traffic")
_INSTALLED = "installed"
_LONGEST_GET = 60.0
"""Seconds to wait for a description at a URL, at most."""


class _Command(click.Command):
    """Lets --used-in and --traffic take every path up to the next option, as a shell's wildcard gives them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = ""
        for word in args:
            if option and not word.startswith("-"):
                spread += [option, word]
                continue
            option = word if word in _MANY else ""
            spread += [] if option else [word]
        return super().parse_args(ctx, spread)


@dataclass(frozen=True)
class _Found:
    """What one way of calling found: the comparison, the base's document, sections to show, what calls become."""

    comparison: Comparison
    spec: Document
    sections: tuple[Section, ...] = ()
    becomes: Mapping[str, str] = field(default_factory=dict)
    unless: Mapping[str, str] = field(default_factory=dict)
    described: tuple[Described | None, Described | None] = (None, None)
    slips: tuple[Slip, ...] = ()


@click.command(cls=_Command)
@click.argument("base", required=False)
@click.argument("revision", required=False)
@click.option(
    "--target",
    envvar="CONFORMANCE_DRIFT_TARGET",
    default="",
    metavar="URL|emulated",
    help="Compare this instance, and what it serves, with our description.",
)
@click.option("--document", "place", default="", metavar="PATH|URL", help="Where the instance serves its description.")
@click.option("--no-run", is_flag=True, help="Only ask the instance for its description; run nothing against it.")
@click.option(
    "--traffic",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE…",
    help="Compare recorded traffic: HAR files, recordings.",
)
@click.option(
    "--sdk", default="", metavar="DIR|installed", help="Compare the vendor's SDK: an unpacked wheel or a .whl file."
)
@click.option(
    "--from",
    "old",
    default="",
    metavar="RELEASE",
    help="The release to upgrade from.",
    shell_complete=shared.complete_releases,
)
@click.option(
    "--to",
    "new",
    default="",
    metavar="RELEASE",
    help="The release to upgrade to.",
    shell_complete=shared.complete_releases,
)
@click.option(
    "--used-in",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH…",
    help="Show only changes that affect these files: notebooks, scripts, HAR files.",
)
@profile_option("The release other sources are compared with.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMS)), default="text", show_default=True, help="The output format."
)
@click.option(
    "--fail-on",
    type=click.Choice(["breaking", "any", "never"]),
    default="breaking",
    show_default=True,
    help="Which changes make the exit code 1.",
)
@click.option(
    "--ignore", "ignored", type=click.Path(path_type=Path), metavar="FILE", help="TOML file of accepted changes."
)
@click.option("--allow-remote", is_flag=True, help="Fetch what the descriptions refer to on other hosts.")
@click.option(
    "--strict-documents", is_flag=True, help="Refuse an invalid description instead of comparing the rest of it."
)
@click.option(
    "--timeout", "wait", type=float, default=300.0, show_default=True, help="Longest wait of a run, in seconds."
)
@transport_options
@click.option("--all", "whole", is_flag=True, help="List every place of every change.")
def drift(form: str, fail_on: str, ignored: Path | None, used_in: tuple[Path, ...], whole: bool, **options: Any) -> int:
    """Compare descriptions: what changed, and whose client breaks.

    REVISION is compared with BASE, or another source with our description.

    BASE and REVISION are files or URLs of descriptions (OpenAPI 3.0 to 3.2, Swagger 2.0; YAML or JSON), URLs of
    instances that serve one, or SDKs of the vendor's. Equal meanings are no change, however they are written. --from
    and --to compare two releases; --target, --traffic and --sdk compare what an instance, recorded traffic and an SDK
    say with our description of --profile, in one table. --used-in narrows the changes to what these files touch. The
    exit code is 0, or 1 for a change at or above --fail-on.
    """
    found = _found(**options)
    comparison, sections = found.comparison, found.sections
    if used_in:
        from conformance.cli.exercise import exchanges_of  # what runs the suites takes longer to load than to compare

        usage = read_usage(used_in, found.spec, lambda file: exchanges_of([file], found.spec))
        narrow = narrowed(comparison, usage, found.unless)
        becomes = {one.id: found.becomes.get(one.id) or advice_for(one, {}) for one in comparison.changes}
        comparison, sections = narrow.comparison, (usage_section(narrow, becomes), *sections)
    elif found.becomes:
        sections = (becoming_section(comparison.changes, found.becomes), *sections)
    if ignored is not None:
        comparison = leave_out(comparison, read_ignored(ignored), datetime.datetime.now(datetime.UTC).date())
    told = render(comparison, form, sections, described=found.described, slips=found.slips, whole=whole)
    click.echo(told, nl=False)
    return exit_code(comparison, fail_on)


def exit_code(found: Comparison, fail_on: str) -> int:
    """1 for a change at or above `fail_on` (`breaking`, `any`, `never`), else 0."""
    failing = {"breaking": found.verdict == BREAKING, "any": found.verdict != NONE, "never": False}
    return int(failing[fail_on])


def _found(base: str | None, revision: str | None, old: str, new: str, **options: Any) -> _Found:
    sources = [name for name in ("target", "traffic", "sdk") if options[name]]
    if bool(base or revision) + bool(old or new) + bool(sources) != 1:
        raise UsageError(
            "Say what to compare, one way: two descriptions BASE and REVISION; two releases by --from and --to; or "
            "other sources with ours by --target, --traffic and --sdk."
        )
    if sources:
        return _of_sources(**{name: value for name, value in options.items() if name != "strict_documents"})
    if old or new:
        return _of_releases(old, new)
    if not base or not revision:
        raise UsageError("Name two descriptions to compare, BASE and REVISION.")
    names = ("profile", "allow_remote", "strict_documents", "wait", "ca_file", "client_cert", "client_key")
    return _of_descriptions(base, revision, **{name: options[name] for name in names})


def _of_descriptions(
    base: str, revision: str, profile: str, allow_remote: bool, strict_documents: bool, wait: float, **trust: Any
) -> _Found:
    spec, files = Document.load(profile), trust_of(Settings(**trust))
    web = Web(files, min(wait, _LONGEST_GET)) if allow_remote or is_url(base) or is_url(revision) else None
    try:
        first, second = (source_of(place, spec, web, allow_remote) for place in (base, revision))
    finally:
        if web is not None:
            web.close()
    described = [one.loaded for one in (first, second) if one.loaded is not None]
    if strict_documents:
        for one in described:
            one.strictly()
    notes = [f"{source.title}: {note}" for source in (first, second) for note in source.notes]
    slips = [slip for one in described for slip in one.slips]
    sections = ((slips_section(slips),) if slips else ()) + ((notes_section(notes),) if notes else ())
    document = Document.from_mapping({"paths": {}, **first.document})
    return _Found(
        comparison_of(first, second), document, sections, described=(first.loaded, second.loaded), slips=tuple(slips)
    )


def _of_releases(old: str, new: str) -> _Found:
    if not old or not new:
        raise UsageError("Name both releases, --from RELEASE and --to RELEASE.")
    way = upgrade(old, new)
    releases = (OfRelease(Document.load(old)), OfRelease(Document.load(new)))
    return _Found(way.comparison, Document.load(old), (), way.becomes, way.unless, releases)


def _of_sources(
    target: str, place: str, no_run: bool, traffic: tuple[Path, ...], sdk: str, profile: str, wait: float,
    allow_remote: bool, **transport: Any,
) -> _Found:  # fmt: skip
    from conformance.cli.exercise import exchanges_of, exercised  # see above

    spec = Document.load(profile)
    notes: list[str] = []
    exchanges = exchanges_of(traffic, spec) if traffic else None
    client = sdk_source(None if sdk == _INSTALLED else Path(sdk), spec) if sdk else None
    served = None
    if target:
        settings = Settings(target=target, profile=profile, wait=wait, **transport)
        seen = exercised(settings, place, send=not no_run and exchanges is None)
        served = seen.served
        exchanges = seen.exchanges if exchanges is None else exchanges
        notes += _of_served(seen.url, served.document is None, served.url, dict(served.tried), place)
        if served.document is None and not exchanges:
            raise NoVerdictError(f"{seen.url} serves no description that was found, and no traffic of it was seen.")
    table, changes = table_for(spec, served, client, exchanges, contradictions(load(profile).rows))
    notes += list(client.notes) if client else []
    names = {"base": f"our description of release {profile}", "revision": ", ".join(table.columns)}
    sections = [table_section(table), *([notes_section(notes)] if notes else [])]
    return _Found(replace(Comparison(changes), sources=names), spec, tuple(sections), described=(OfRelease(spec), None))


def _of_served(url: str, missing: bool, found_at: str, tried: Mapping[str, str], place: str) -> list[str]:
    if not missing:
        return [f"The instance serves its description at {found_at}."]
    if place:
        raise UsageError(
            f"There is no description at {place}: {'; '.join(tried.values())}. Give another place by --document, or "
            "compare two files: conformance drift BASE REVISION."
        )
    return [f"The instance at {url} serves no description at any of {len(tried)} places tried; name it by --document."]
