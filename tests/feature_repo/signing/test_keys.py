"""Keys: where they come from, who may read them, and which count."""

import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.signing import trust
from feature_repo.signing.private_key import has_private_key, key_file, load_private_key, write_private_key
from feature_repo.signing.public_keys import is_signed_by, public_key_of
from feature_repo.signing.trust import Trust

OTHER = "ed25519:" + "ab" * 32
PKCS8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


def test_a_key_is_its_owners_alone_and_outside_of_the_data_folder(home: Home) -> None:
    assert not has_private_key()
    write_private_key(key_file())
    assert has_private_key()
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert not key_file().is_relative_to(home.root)
    with pytest.raises(InputError, match="so that no key is lost"):
        write_private_key(key_file())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_that_others_can_read_is_refused(mode: int, home: Home) -> None:
    write_private_key(key_file())
    key_file().chmod(mode)
    with pytest.raises(InputError, match=f"mode {mode:o}.*chmod 600"):
        load_private_key()


def test_a_key_comes_from_the_environment_or_a_command(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    key = write_private_key(key_file())
    pem = key_file().read_text()
    key_file().unlink()
    monkeypatch.setenv("REFRAIN_SIGNING_KEY_PEM", pem)
    assert public_key_of(load_private_key()) == public_key_of(key)
    monkeypatch.delenv("REFRAIN_SIGNING_KEY_PEM")
    command = shlex.join([sys.executable, "-c", f"print({pem!r})"])
    monkeypatch.setenv("REFRAIN_SIGNING_KEY_COMMAND", command)
    assert public_key_of(load_private_key()) == public_key_of(key)


@pytest.mark.parametrize("command", ["false", "/no/such/program secret", "'", "true"])
def test_a_command_that_fails_is_said_without_its_text(
    command: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_SIGNING_KEY_COMMAND", command)
    with pytest.raises(InputError) as error:
        load_private_key()
    assert "secret" not in str(error.value)
    assert "REFRAIN_SIGNING_KEY_COMMAND" in str(error.value)


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        (b"", "no PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n", "no PEM"),
        (ec.generate_private_key(ec.SECP256R1()).private_bytes(*PKCS8, serialization.NoEncryption()), "another kind"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(*PKCS8, serialization.BestAvailableEncryption(b"x")),
            "passphrase",
        ),
    ],
)
def test_what_is_no_key_is_said_without_its_content(pem: bytes, problem: str, home: Home) -> None:
    key_file().parent.mkdir(parents=True)
    key_file().write_bytes(pem)
    key_file().chmod(0o600)
    with pytest.raises(InputError, match=problem) as error:
        load_private_key()
    assert "secret" not in str(error.value)


def test_a_file_that_is_named_and_not_there_is_an_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_SIGNING_KEY", str(home.root / "gone.pem"))
    with pytest.raises(InputError, match="No such file"):
        load_private_key()
    monkeypatch.delenv("REFRAIN_SIGNING_KEY")
    monkeypatch.setenv("REFRAIN_TRUSTED_KEYS", str(home.root / "gone"))
    with pytest.raises(InputError, match="no file"):  # rather than no pinned key
        Trust.load(home)


def test_signatures_of_others_and_of_other_contents_are_none() -> None:
    key, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    signature = key.sign(b"content")
    assert is_signed_by(public_key_of(key), b"content", signature)
    assert not is_signed_by(public_key_of(other), b"content", signature)
    assert not is_signed_by(public_key_of(key), b"content ", signature)
    assert not is_signed_by(public_key_of(key), b"content", b"")


def test_keys_are_pinned_in_three_places_and_revoked_by_any(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_key: Callable[[], str]
) -> None:
    assert not Trust.load(home).is_required
    project = tmp_path / "shop"
    project.mkdir()
    one, two, three = new_key(), new_key(), new_key()
    (project / "refrain.toml").write_text(f'name = "shop"\n[signing]\ntrusted = ["{one}"]\nrevoked = ["{three}"]\n')
    monkeypatch.setenv("REFRAIN_TRUSTED_KEYS", f" {two.upper()}, {OTHER}")
    trust.pin(three, "a note\nrevoked " + OTHER)
    loaded = Trust.load(Home(home.root, project_folder=project))
    assert set(loaded.trusted) == {one, two, three, OTHER}
    assert set(loaded.revoked) == {three}
    assert loaded.trusted[three].note == "a note revoked " + OTHER


def test_revoking_the_only_key_still_asks_for_signatures(home: Home) -> None:
    trust.revoke(OTHER)
    assert Trust.load(home).is_required


@pytest.mark.parametrize("text", ["ed25519:", "ed25519:" + "a" * 63, "rsa:1", "", "ed25519:" + "g" * 64])
def test_what_is_no_public_key_is_refused(text: str, home: Home) -> None:
    with pytest.raises(InputError, match="a public key"):
        trust.pin(text)


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (f"trust {OTHER}\n", 0o600, "line 1"),
        (f"# mine\n\ntrusted {OTHER} extra a\x0bline\nrevoked\n", 0o600, "line 4"),
        (f"trusted {OTHER}\n", 0o620, "mode 620"),
        ("\ud800", 0o600, "utf-8"),
    ],
)
def test_a_damaged_or_open_list_is_refused(content: str, mode: int, message: str, home: Home) -> None:
    path = trust.trust_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    path.chmod(mode)
    with pytest.raises(InputError, match=message):
        Trust.load(home)


def test_sections_of_a_project_are_checked(home: Home, tmp_path: Path) -> None:
    for section in ("trusted = 1", 'trusts = ["a"]', "trusted = [1]"):
        (tmp_path / "refrain.toml").write_text(f'name = "shop"\n[signing]\n{section}\n')
        with pytest.raises(InputError, match="signing"):
            Trust.load(Home(home.root, project_folder=tmp_path))
        (tmp_path / "refrain.toml").unlink()
