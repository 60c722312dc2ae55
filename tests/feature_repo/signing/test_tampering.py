"""Every way to put something else in the place of what was signed is refused, before anything of it is parsed."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo import bundle as bundle_module
from feature_repo.bundle import ALIASES, MANIFEST, champion, open_bundle, promoted_models
from feature_repo.encryption.bundle_files import SIGNATURE, open_files, seal_files
from feature_repo.errors import (
    BundleError,
    EncryptionError,
    InputError,
    ManifestSignatureError,
    NotPromoted,
    SignatureError,
)
from feature_repo.home import Home
from feature_repo.signing import manifests, newest, trust
from feature_repo.signing import sign as sign_module
from feature_repo.signing.bundles import sign_bundle
from feature_repo.signing.champions import write_champion
from feature_repo.signing.manifests import read_signed_manifest, sign_manifest
from tests.feature_repo.signing.conftest import NAME, write_bundle
from tests.sealed import turn_on


def _replace(folder: Path, before: bytes, after: bytes) -> None:
    content = (folder / SIGNATURE).read_bytes()
    assert before in content
    (folder / SIGNATURE).write_bytes(content.replace(before, after))


def _sign_as(**change: object) -> Callable[[Path, Home], object]:
    """Signs the folder validly, as another bundle."""

    def change_it(folder: Path, home: Home) -> None:
        version, name = change.get("version", 1), change.get("name", NAME)
        sign_bundle(folder, Home(home.root, str(change.get("tenant", "default"))), str(name), int(str(version)))

    return change_it


TAMPERING: dict[str, tuple[Callable[[Path, Home], object], str]] = {
    "unsigned": (lambda folder, _: (folder / SIGNATURE).unlink(), "no signature"),
    "empty signature": (lambda folder, _: (folder / SIGNATURE).write_bytes(b""), "fixed form"),
    "signature of garbage": (lambda folder, _: (folder / SIGNATURE).write_bytes(os.urandom(999)), "fixed form"),
    "huge signature": (lambda folder, _: (folder / SIGNATURE).write_bytes(b"a" * (1 << 21)), "at most"),
    "changed file": (lambda folder, _: (folder / "model.onnx").write_bytes(b"other"), "model.onnx as it was signed"),
    "changed manifest": (lambda folder, _: (folder / MANIFEST).write_text("{}"), "manifest.json as it was signed"),
    "added file": (lambda folder, _: (folder / "more").write_bytes(b""), "no files but those"),
    "added folder": (lambda folder, _: (folder / "more").mkdir(), "plain files alone"),
    "removed file": (lambda folder, _: (folder / "card.html").unlink(), "no such file"),
    "renamed file": (lambda folder, _: (folder / "card.html").rename(folder / "kard.html"), "card.html"),
    "linked file": (
        lambda folder, home: (
            (folder / "card.html").rename(home.root / "card.html"),
            (folder / "card.html").symlink_to(home.root / "card.html"),
        ),
        "a link",
    ),
    "other digest": (lambda folder, _: _replace(folder, b" model.onnx", b" nodel.onnx"), "not made by that key"),
    "other version": (lambda folder, _: _replace(folder, b"version: 1", b"version: 2"), "not made by that key"),
    "other time": (lambda folder, _: _replace(folder, b"signed: 2", b"signed: 1"), "not made by that key"),
    "signed as another version": (_sign_as(version=2), "of the bundle churn 2"),
    "signed as another model": (_sign_as(name="other"), "of the bundle other"),
    "signed as another tenant": (_sign_as(tenant="acme"), "of tenant acme"),
    "gone": (lambda folder, _: shutil.rmtree(folder), "no such version"),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_a_tampered_bundle_is_refused_before_it_is_parsed(
    case: str, home: Home, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_bundle(NAME, home).name_version == "churn:1"
    assert open_bundle(f"{NAME}:1", home).name_version == "churn:1"
    tamper, message = TAMPERING[case]
    tamper(signed, home)
    monkeypatch.setattr(bundle_module, "_manifest", lambda *arguments: pytest.fail("it was parsed"))
    with pytest.raises(SignatureError, match=message):
        open_bundle(NAME, home)


@pytest.mark.parametrize("case", ["unsigned", "changed manifest", "signed as another model"])
def test_a_tampered_bundle_is_no_promoted_model(case: str, home: Home, signed: Path) -> None:
    manifest = json.loads((signed / MANIFEST).read_text()) | {"extra": {"kind": "tabular"}}
    (signed / MANIFEST).write_text(json.dumps(manifest))
    sign_bundle(signed, home, NAME, 1)
    assert promoted_models(home, "tabular") == {NAME: "1"}
    TAMPERING[case][0](signed, home)
    assert promoted_models(home, "tabular") == {}


def test_a_file_that_changes_after_it_was_verified_is_not_taken(home: Home, signed: Path) -> None:
    bundle = open_bundle(NAME, home)
    assert bundle.read("model.onnx") == b"model 1"
    (signed / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.onnx of churn:1 as it was registered"):
        bundle.read("model.onnx")


def test_a_manifest_of_other_files_than_those_signed_is_refused(home: Home, signed: Path) -> None:
    manifest = json.loads((signed / MANIFEST).read_text())
    manifest["files"]["model.onnx"] = "0" * 64
    (signed / MANIFEST).write_text(json.dumps(manifest))
    sign_bundle(signed, home, NAME, 1)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        open_bundle(NAME, home)


def test_another_key_is_refused(home: Home, signed: Path, new_key: Callable[[], str]) -> None:
    new_key()
    sign_bundle(signed, home, NAME, 1)
    with pytest.raises(SignatureError, match="a signature by a pinned key"):
        open_bundle(f"{NAME}:1", home)


def test_a_revoked_key_does_not_count_until_signed_again(
    home: Home, signed: Path, pinned: str, new_key: Callable[[], str]
) -> None:
    trust.revoke(pinned, "lost")
    with pytest.raises(SignatureError, match="which is revoked since 2"):
        open_bundle(f"{NAME}:1", home)  # although it was signed before
    with pytest.raises(SignatureError, match="revoked"):
        champion(home, NAME)
    trust.pin(pinned)  # pinning it again does not undo that
    with pytest.raises(SignatureError, match="revoked"):
        open_bundle(f"{NAME}:1", home)
    trust.pin(new_key())
    sign_bundle(signed, home, NAME, 1)
    write_champion(home.bundles(NAME) / ALIASES, home, NAME, 1)
    assert open_bundle(NAME, home).name_version == "churn:1"


@pytest.mark.parametrize(("ahead", "is_refused"), [(timedelta(minutes=4), False), (timedelta(minutes=6), True)])
def test_a_time_in_the_future_is_refused(
    ahead: timedelta, is_refused: bool, home: Home, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + ahead

    monkeypatch.setattr(sign_module, "datetime", Ahead)
    sign_bundle(signed, home, NAME, 1)
    if not is_refused:
        open_bundle(f"{NAME}:1", home)
        return
    with pytest.raises(SignatureError, match="in the future"):
        open_bundle(f"{NAME}:1", home)


def test_an_older_version_in_the_place_of_the_champion_is_refused(home: Home, signed: Path) -> None:
    newer = write_bundle(home, 2)
    sign_bundle(newer, home, NAME, 2)
    aliases = home.bundles(NAME) / ALIASES
    older_promotion = aliases.read_bytes()
    write_champion(aliases, home, NAME, 2)
    promotion = aliases.read_bytes()
    assert champion(home, NAME) == "2"
    shutil.rmtree(newer)
    shutil.copytree(signed, newer)
    with pytest.raises(SignatureError, match="of the bundle churn 1"):
        open_bundle(NAME, home)
    aliases.write_bytes(promotion.replace(b'"champion": 2', b'"champion": 1'))
    with pytest.raises(SignatureError, match="not made by that key"):
        champion(home, NAME)
    aliases.write_text('{"champion": 1}\n')
    with pytest.raises(SignatureError, match="no signature"):
        champion(home, NAME)
    aliases.write_bytes(older_promotion)  # valid, and of before
    with pytest.raises(SignatureError, match="nothing older"):
        champion(home, NAME)
    write_champion(aliases, home, NAME, 1)  # a rollback on purpose is newer
    assert champion(home, NAME) == "1"


@pytest.mark.parametrize(
    "content",
    [b'{"champion": 1, "signature": "x"}\n', b"[]", b"", b'{"signature": "x", "champion": 1}\n', b"\x00" * 99],
)
def test_promotions_in_any_other_form_are_not_parsed(
    content: bytes, home: Home, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.bundles(NAME) / ALIASES).write_bytes(content)
    monkeypatch.setattr(bundle_module.json, "loads", lambda text: pytest.fail("it was parsed"))
    with pytest.raises(SignatureError, match="no signature"):
        champion(home, NAME)


def test_a_promotion_of_another_model_or_tenant_is_refused(home: Home, signed: Path) -> None:
    for other in (home.bundles("other"), Home(home.root, "acme").bundles(NAME)):
        other.mkdir(parents=True)
        shutil.copy(home.bundles(NAME) / ALIASES, other)
    with pytest.raises(SignatureError):
        champion(home, "other")
    with pytest.raises(SignatureError):
        champion(Home(home.root, "acme"), NAME)


def test_a_demotion_is_signed_and_says_so(home: Home, signed: Path) -> None:
    write_champion(home.bundles(NAME) / ALIASES, home, NAME, None)
    with pytest.raises(NotPromoted):
        champion(home, NAME)


def test_what_is_newest_is_remembered_over_restarts(
    home: Home, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.json"
    monkeypatch.setenv(newest.STATE, str(state))
    aliases = home.bundles(NAME) / ALIASES
    older = aliases.read_bytes()
    write_champion(aliases, home, NAME, 1)
    champion(home, NAME)
    aliases.write_bytes(older)
    monkeypatch.setattr(newest, "_newest", {})
    with pytest.raises(SignatureError, match="nothing older"):
        champion(home, NAME)
    state.write_text("damaged")
    with pytest.raises(SignatureError, match="remembers"):
        champion(home, NAME)


def test_without_pinned_keys_nothing_is_verified_or_asked_for(home: Home) -> None:
    write_bundle(home)
    write_champion(home.bundles(NAME) / ALIASES, home, NAME, 1)
    assert (home.bundles(NAME) / ALIASES).read_text() == '{"champion": 1}\n'
    assert open_bundle(NAME, home).read("model.onnx") == b"model 1"


def test_bundles_of_before_are_refused_with_the_command_that_signs_them(home: Home, pinned: str) -> None:
    write_bundle(home)
    (home.bundles(NAME) / ALIASES).write_text('{"champion": 1}\n')
    with pytest.raises(SignatureError, match="refrain signing sign churn:1"):
        open_bundle(f"{NAME}:1", home)
    with pytest.raises(SignatureError, match=r"refrain signing sign churn "):
        open_bundle(NAME, home)


MANIFESTS: dict[str, tuple[Callable[[Home], object], str]] = {
    "unsigned": (lambda home: manifests.signature_file(home).unlink(), "no signature"),
    "changed": (lambda home: home.manifest.write_text('{"version": 9}'), "another content"),
    "of another tenant": (
        lambda home: (
            Home(home.root, "acme").manifest.write_bytes(home.manifest.read_bytes()),
            sign_manifest(Home(home.root, "acme")),
            manifests.signature_file(Home(home.root, "acme")).rename(manifests.signature_file(home)),
        ),
        "of tenant acme",
    ),
    "a bundle's": (
        lambda home: manifests.signature_file(home).write_bytes((home.bundles(NAME) / "1" / SIGNATURE).read_bytes()),
        "of the bundle churn",
    ),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_tampered_manifest_is_refused(case: str, home: Home, signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "PAUSE", 0)
    home.manifest.write_text('{"version": 1}')
    sign_manifest(home)
    assert read_signed_manifest(home) == b'{"version": 1}'
    MANIFESTS[case][0](home)
    with pytest.raises(ManifestSignatureError, match=MANIFESTS[case][1]):
        read_signed_manifest(home)


def test_a_manifest_of_before_is_refused(home: Home, pinned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "PAUSE", 0)
    contents = []
    for number in (1, 2):
        home.manifest.write_text(json.dumps({"version": number}))
        sign_manifest(home)
        contents.append((home.manifest.read_bytes(), manifests.signature_file(home).read_bytes()))
    assert read_signed_manifest(home) == b'{"version": 2}'
    home.manifest.write_bytes(contents[0][0])
    manifests.signature_file(home).write_bytes(contents[0][1])
    with pytest.raises(ManifestSignatureError, match="nothing older"):
        read_signed_manifest(home)


def test_a_manifest_that_is_being_written_is_read_again(
    home: Home, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.manifest.write_text("{}")  # its signature follows
    monkeypatch.setattr(manifests.time, "sleep", lambda seconds: sign_manifest(home))
    assert read_signed_manifest(home) == b"{}"


def test_a_signed_manifest_compiled_without_a_key_loses_its_signature(
    home: Home, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.manifest.write_text("{}")
    sign_manifest(home)
    monkeypatch.delenv("REFRAIN_SIGNING_KEY")
    sign_manifest(home)
    assert not manifests.signature_file(home).exists()


def test_names_that_cannot_be_signed_are_an_error(home: Home, signed: Path) -> None:
    (signed / "a\nb").write_bytes(b"")
    with pytest.raises(InputError, match="plain letters"):
        sign_bundle(signed, home, NAME, 1)


def test_a_bundle_stays_signed_as_it_is_sealed_and_opened_again(
    home: Home, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = (signed / SIGNATURE).read_bytes()
    turn_on(home, tmp_path, monkeypatch)
    assert seal_files(signed, home) > 0
    assert open_bundle(NAME, home).read("model.onnx") == b"model 1"
    sealed = (signed / "model.onnx").read_bytes()
    (signed / "model.onnx").write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(EncryptionError):
        open_bundle(NAME, home)
    (signed / "model.onnx").write_bytes(sealed)
    open_files(signed, home)
    assert open_bundle(NAME, home).read("model.onnx") == b"model 1"
    assert (signed / SIGNATURE).read_bytes() == signature
