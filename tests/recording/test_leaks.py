from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

import conformance
from conformance.errors import UsageError
from conformance.recording.leaks import Leak, scan
from conformance.redaction import Redaction
from tests.secrets_planted import planted

CASES = [(kind, secret, text) for kind, rows in planted().items() for secret, text in rows]
IDS = [f"{kind}-{number % 3}" for number, (kind, _, _) in enumerate(CASES)]
HARMLESS = (
    '{"model_version": "bdfc8c60-b5bc-4c0e-aa87-157cd52895b6", "name": "api-sample-model"}',
    '{"sha": "bc85ce596945f876256f41515c7501c399fd97ebcb9ab3dd41bf03f8937b4507"}',
    "https://doc-test.api.wallarooexample.ai/v1/api/pipelines/infer/api-pipeline-14/api-pipeline",
    "curl -H 'Authorization: Bearer $TOKEN' https://host.example/v1/api/workspaces/list",
    '{"Authorization": "Bearer <redacted>", "Cookie": "<cookie-1>", "password": "<password-2>"}',
    '{"type": "string", "format": "password", "description": "The password of the user."}',
    "someone@example.com, root@host.invalid, git@github.com:acme/thing.git",
    '{"token_type": "Bearer", "expires_in": 60, "grant_type": "password"}',
    "password: str, token: str = field(repr=False), secret=secret, api_key=os.environ['KEY']",
    "The token endpoint refused the password grant. Set CONFORMANCE_PASSWORD, or give a token.",
    """{"email": "^.+@.+$", "mail": "an e-mail address", "TOKEN": "os.environ['TOKEN']", "cookie": "form"}""",
    '{"token": "Print a bearer token, got with what the environment names."}',
    "def placeholder(redaction: Redaction, cookie: dict[str, Any]) -> str:",
    "pip install wallaroo-conformance==0.1.0; see also https://docs.example.org/a?page=2&sort=name",
    '{"integrity": "sha512-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIj=="}',
)


def found(path: Path) -> list[Leak]:
    return list(scan([path]))


def test_the_package_itself_has_no_leak() -> None:
    assert found(Path(conformance.__file__).parent) == []


def test_there_are_thirty_secrets_of_ten_kinds() -> None:
    assert len(CASES) == 30
    assert len({kind for kind, _, _ in CASES}) == 10
    assert len({secret for _, secret, _ in CASES}) == 30


@pytest.mark.parametrize(("kind", "secret", "text"), CASES, ids=IDS)
def test_each_planted_secret_is_found_without_redaction(kind: str, secret: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text(f"first line\n{text}\n", encoding="utf-8")
    assert found(file)


@pytest.mark.parametrize(("kind", "secret", "text"), CASES, ids=IDS)
def test_nothing_is_found_once_redacted(kind: str, secret: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text(f"first line\n{Redaction({}).text(text)}\n", encoding="utf-8")
    assert found(file) == []


@pytest.mark.parametrize("text", HARMLESS)
def test_evidence_and_placeholders_are_no_leak(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(text, encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize("encode", ["escaped", "html", "wrapped", "utf-16", "nested"])
def test_a_token_is_found_however_it_is_written(encode: str, tmp_path: Path) -> None:
    token = planted()["JSON Web Token"][0][0]
    written = {
        "escaped": '"' + "".join(f"\\u{ord(c):04x}" for c in token) + '"',
        "html": "".join(f"&#{ord(c)};" for c in token),
        "wrapped": '"' + '"\n + "'.join(token[i : i + 40] for i in range(0, len(token), 40)) + '"',
        "utf-16": token,
        "nested": planted()["JSON Web Token"][2][1],
    }[encode]
    (tmp_path / "f").write_text(written, encoding="utf-16" if encode == "utf-16" else "utf-8")
    assert "JSON Web Token" in {leak.kind for leak in found(tmp_path)}


def test_a_leak_names_file_and_line_and_never_the_secret(tmp_path: Path) -> None:
    secret, text = planted()["password"][0]
    (tmp_path / "a.json").write_text(f"\n\n{text}\n", encoding="utf-8")
    (leak,) = found(tmp_path)
    assert leak == Leak(str(tmp_path / "a.json"), 3, "password")
    assert secret not in str(leak)


@pytest.mark.parametrize("form", ["wheel", "sdist", "gz"])
def test_archives_are_opened(form: str, tmp_path: Path) -> None:
    text = planted()["JSON Web Token"][0][1].encode()
    if form == "wheel":
        with zipfile.ZipFile(tmp_path / "x-1-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/data.txt", text)
    elif form == "sdist":
        with tarfile.open(tmp_path / "x-1.tar.gz", "w:gz") as archive:
            entry = tarfile.TarInfo("x/data.txt")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    else:
        (tmp_path / "x.har.gz").write_bytes(gzip.compress(text))
    assert "JSON Web Token" in {leak.kind for leak in found(tmp_path)}


def test_a_secret_on_the_edge_of_a_window_is_found(tmp_path: Path) -> None:
    token = planted()["JSON Web Token"][0][0]
    (tmp_path / "big.txt").write_text("x\n" * ((4 << 19) - 50) + token + "\n" + "y\n" * 99, encoding="utf-8")
    assert {leak.kind for leak in found(tmp_path)} == {"JSON Web Token"}


def test_the_credentials_of_this_process_are_found_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFORMANCE_PASSWORD", "plainword")
    (tmp_path / "log.txt").write_text("it was plainword, they said", encoding="utf-8")
    assert [leak.kind for leak in found(tmp_path)] == ["known credential"]


def test_what_is_not_there_or_cannot_be_unpacked_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not exist"):
        found(tmp_path / "nothing")
    (tmp_path / "broken.whl").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UsageError, match=r"cannot be unpacked"):
        found(tmp_path / "broken.whl")


def test_the_scanner_shares_nothing_with_the_redaction() -> None:
    sources = Path(__file__).parents[2] / "conformance"
    for file in (sources / "leaks").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "redaction" not in text.replace("behind the redaction", "")
        assert "sensitive" not in text
