"""What is registered, promoted, marked, rolled back and packed into an image with a key is signed, and verified."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.bundle import ALIASES, MANIFEST, champion, open_bundle
from feature_repo.encryption.bundle_files import SIGNATURE
from feature_repo.errors import ManifestSignatureError, SignatureError
from feature_repo.home import Home
from feature_repo.signing import newest
from feature_repo.signing.manifests import read_signed_manifest, sign_manifest
from refrain.cli import app
from tests.training.lifecycle.test_promotion import NAME, _register
from training import promotions
from training.checks import check_bundle
from training.deployment.container import build_context


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A data folder with an MLflow of its own, of a user without any configuration."""
    for name in ("KEY", "KEY_PEM", "KEY_COMMAND", "STATE"):
        monkeypatch.delenv(f"REFRAIN_SIGNING_{name}", raising=False)
    monkeypatch.delenv("REFRAIN_TRUSTED_KEYS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(newest, "_newest", {})
    yield Home(tmp_path / "data")


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    error = f" {result.exception}" if result.exception else ""
    return result.exit_code, re.sub(r"\s+", " ", result.output + error)


def test_versions_are_signed_from_the_first_key_on(home: Home, tmp_path: Path) -> None:
    home.ensure()
    unsigned = _register(home, 0.5)
    promotions.promote(home, NAME, unsigned)
    code, output = _run("signing", "status")
    assert (code, "signs: nothing" in output, "nothing is verified" in output) == (0, True, True)
    assert "not signed; next: refrain signing sign" in _run("model", "verify", NAME)[1]

    public_key = re.findall("ed25519:[0-9a-f]{64}", _run("signing", "key")[1])[0]
    assert _run("signing", "key")[0] == 1  # it is not made twice
    code, output = _run("signing", "trust", public_key, "--note", "the test")
    assert (code, f"{NAME}:1 will be refused" in output, "refrain signing sign --all" in output) == (0, True, True)
    assert _run("signing", "status")[0] == 1
    code, output = _run("model", "verify", NAME)
    assert (code, f"refrain signing sign {NAME}" in output) == (1, True)
    home.manifest.write_text("{}")
    sign_manifest(home)
    assert _run("signing", "sign", f"{NAME}:one")[0] == 1  # no version, and so not the champion
    assert f"signed {NAME}:1 sha256" in _run("signing", "sign", "--all")[1]
    assert ", verified" in _run("model", "verify", NAME)[1]

    signed = _register(home, 1.2)
    folder = home.bundles(NAME) / str(signed)
    assert (folder / SIGNATURE).is_file()
    check_bundle(folder, home)  # which passes over the signature
    promotions.promote(home, NAME, signed)  # it failed its gates, so its card is marked
    assert "Promoted anyway" in (folder / "card.html").read_text()
    assert open_bundle(NAME, home).name_version == f"{NAME}:2"
    promotions.rollback(home, NAME)
    assert champion(home, NAME) == "1"
    shutil.rmtree(folder)
    promotions.promote(home, NAME, 2)  # MLflow's copy is signed as well
    assert open_bundle(NAME, home).name_version == f"{NAME}:2"
    things = json.loads(_run("signing", "status", "--json")[1])
    assert {thing["refused"] for thing in things["things"]} == {""}
    assert things["trusted"][public_key]["note"] == "the test"

    aliases = (home.bundles(NAME) / ALIASES).read_text()
    build_context(home, {NAME: aliases}, tmp_path / "image")
    image = Home(tmp_path / "image" / "home")
    assert not (image.bundles(NAME) / "2" / "evidence.npz").exists()
    assert open_bundle(NAME, image).name_version == f"{NAME}:2"
    assert read_signed_manifest(image) == b"{}"

    _run("signing", "revoke", public_key)
    code, output = _run("signing", "status")
    assert (code, "REVOKED" in output) == (1, True)
    with pytest.raises(SignatureError, match="revoked"):
        open_bundle(f"{NAME}:2", home)
    promotions.demote(home, NAME)


def test_what_was_tampered_with_is_not_signed_anew(home: Home, tmp_path: Path) -> None:
    home.ensure()
    public_key = re.findall("ed25519:[0-9a-f]{64}", _run("signing", "key")[1])[0]
    _run("signing", "trust", public_key)
    home.manifest.write_text("{}")
    sign_manifest(home)
    version = _register(home, 1.2)  # its card is marked when it is promoted
    folder = home.bundles(NAME) / str(version)
    for name in ("README.md", MANIFEST):
        (folder / name).write_text((folder / name).read_text() + "\n")
    with pytest.raises(SignatureError, match="another content"):
        promotions.promote(home, NAME, version)
    with pytest.raises(SignatureError, match="another content"):
        build_context(home, {NAME: '{"champion": 1}'}, tmp_path / "image")
    home.manifest.write_text('{"services": {}}')
    with pytest.raises(ManifestSignatureError, match="another content"):
        build_context(home, {NAME: '{"champion": 1}'}, tmp_path / "image")
    assert not (tmp_path / "image").exists()


def test_without_a_key_a_changed_bundle_loses_its_signature(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.ensure()
    assert _run("signing", "key")[0] == 0
    version = _register(home, 1.2)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.root / "nobody"))
    promotions.promote(home, NAME, version)
    assert not (home.bundles(NAME) / str(version) / SIGNATURE).exists()
    assert (home.bundles(NAME) / ALIASES).read_text() == '{"champion": 1}\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["signing", "sign"], "what to sign"),
        (["signing", "sign", "nothing_such"], "none promoted"),
        (["signing", "sign", "nothing_such:1"], "No such file"),
        (["signing", "trust", "ed25519:zz"], "a public key"),
        (["signing", "revoke", ""], "a public key"),
    ],
)
def test_commands_say_what_is_wrong(arguments: list[str], message: str, home: Home) -> None:
    home.ensure()
    code, output = _run(*arguments)
    assert code == 1
    assert message in output


def test_a_damaged_version_is_not_signed(home: Home) -> None:
    home.ensure()
    version = _register(home, 0.5)
    (home.bundles(NAME) / str(version) / "README.md").write_text("other")
    assert _run("signing", "key")[0] == 0
    code, output = _run("signing", "sign", f"{NAME}:1")
    assert (code, "another content of README.md" in output) == (1, True)
