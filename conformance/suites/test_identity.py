"""Callers without credentials, or with false ones, are refused at every operation; those with good ones are served."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.api.client import PANDAS_RECORDS, infer_path
from conformance.checks.auth import PROBES
from conformance.model import Aim, Exchange, Headers, Label, Purpose, Request
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.requests import NOT_GIVEN, OPERATIONS, json_request, plain_request
from conformance.targets.credentials import Credentials, FetchedToken, client_credentials
from conformance.targets.strangers import falsely

Named = Callable[[str], str]
_LATE = (Purpose.IDENTITY.of("expired"),)


def _parameters() -> list[object]:
    pairs = [(probe, operation) for probe in sorted(PROBES) for operation in OPERATIONS]
    return [
        pytest.param(*pair, marks=[pytest.mark.about(pair[1]), *([pytest.mark.late] if pair[0] in _LATE else [])])
        for pair in pairs
    ]


@pytest.mark.parametrize(("probe", "operation"), _parameters())
def test_strangers_are_refused(
    session: Session, settings: Settings, named: Named, workspace_id: int, probe: Aim, operation: str
) -> None:
    plain = plain_request(operation, named, workspace_id)
    request = falsely(probe, plain, _credentials(session), settings.signing_key)
    if request is None:
        pytest.skip("this run has nothing to make such a token from")
    session.send(request, authenticated=False, labels=frozenset({probe}))


def _credentials(session: Session) -> Credentials | None:
    return getattr(session.target, "credentials", None)


def test_tokens_of_the_password_and_refresh_grants_are_good(session: Session) -> None:
    credentials = _credentials(session)
    if not isinstance(credentials, FetchedToken):
        pytest.skip("the token was given, not fetched")
    credentials.authorization()
    if credentials.grant == "password" and (anew := credentials.anew()):
        _granted(session, Purpose.GRANT.of("password"), anew)
    if refreshed := credentials.refreshed():
        _granted(session, Purpose.GRANT.of("refresh"), refreshed)


def _granted(session: Session, label: Label, token: str) -> Exchange:
    request = json_request("workspaces.list", {})
    fields = Headers([*request.headers.fields, ("Authorization", f"Bearer {token}")])
    return session.send(replace(request, headers=fields), authenticated=False, labels=frozenset({label}))


def test_a_token_of_the_client_credentials_grant_is_good_for_inference(
    session: Session, settings: Settings, named: Named
) -> None:
    credentials = _credentials(session)
    secret = os.environ.get("CONFORMANCE_CLIENT_SECRET") or ("conformance" if settings.kind == "emulated" else "")
    token = credentials.granted(client_credentials(secret)) if isinstance(credentials, FetchedToken) and secret else ""
    if not token:
        pytest.skip("this run has no client secret")
    path = infer_path(f"{named('stranger')}-{NOT_GIVEN}", named("stranger"))
    fields = Headers({"Content-Type": PANDAS_RECORDS, "Authorization": f"Bearer {token}"})
    request = Request("POST", path, fields, b"[]")
    session.send(request, authenticated=False, labels=frozenset({Purpose.GRANT.of("client-credentials")}))
