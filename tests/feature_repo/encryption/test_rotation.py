"""Rotation and recovery: keys are wrapped anew, nothing is lost, whenever a run is killed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.encryption import recovery, rotation
from feature_repo.encryption.key_file import KeyFile
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.rotation import rotate
from feature_repo.encryption.settings import KEY, Settings
from feature_repo.errors import EncryptionError, InputError
from feature_repo.home import Home

SCOPES = ["table/raw/plays", "logs", "person/u1"]


def ring(home: Home) -> EncryptionKeys:
    settings = Settings.of(home, "")
    assert settings is not None
    return EncryptionKeys(home, settings)


def content(home: Home) -> KeyFile:
    file = ring(home).file()
    assert file is not None
    return file


def test_a_rotation_changes_every_wrap_and_no_data_key(home: Home, key: Path) -> None:
    keys, before, text = ring(home).key_of_each(SCOPES), content(home), key.read_text()
    ring(home).destroy("person/u1")
    result = rotate(home)
    after = content(home)
    assert result.tenants == ["default"]
    assert {scope: ring(home).by_id(keys[scope].id) for scope in SCOPES[:2]} == {s: keys[s] for s in SCOPES[:2]}
    assert key.read_text() != text
    assert result.old_file is not None
    assert result.old_file.read_text() == text
    assert not set(after.wraps) & set(before.wraps)
    assert not {each.wrapped for each in after.keys} & {each.wrapped for each in before.keys}
    assert not key.with_name("encryption.key.next").exists()
    with pytest.raises(EncryptionError, match="destroyed"):
        ring(home).by_id(keys["person/u1"].id)


def test_all_tenants_are_rotated_with_the_key_file(home: Home, key: Path) -> None:
    acme = replace(home, tenant="acme")
    keys = ring(home).key("logs"), ring(acme).key("logs")
    assert rotate(acme).tenants == ["acme", "default"]
    assert (ring(home).key("logs"), ring(acme).key("logs")) == keys


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", range(8))
def test_a_rotation_that_is_killed_loses_nothing_and_is_repeated(
    home: Home, key: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A child dies at one step after another; each step is a file that gets its name, or a link."""
    keys = ring(home).key_of_each(SCOPES)
    acme = replace(home, tenant="acme")
    other = ring(acme).key("logs")
    child = os.fork()
    if not child:
        count = [0]

        def dying(do):  # type: ignore[no-untyped-def]
            def run(*arguments, **options):  # type: ignore[no-untyped-def]
                if count[0] == step:
                    os.kill(os.getpid(), 9)
                count[0] += 1
                return do(*arguments, **options)

            return run

        for name in ("replace", "link"):
            setattr(os, name, dying(getattr(os, name)))
        try:
            rotate(home)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert {scope: ring(home).key(scope) for scope in SCOPES} == keys, "usable at every point"
    rotate(home)
    assert {scope: ring(home).key(scope) for scope in SCOPES} == keys
    assert ring(acme).key("logs") == other
    assert len(content(home).wraps) == len(content(acme).wraps) == 1
    assert not content(home).next_wrap
    assert not key.with_name("encryption.key.next").exists()
    assert os.WIFSIGNALED(status) == (step < 7), "the last step is beyond the last file"


def test_a_rotation_to_another_place_goes_by_both_keys_until_the_setting_is_changed(
    home: Home, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ring(home).key_of_each(SCOPES)
    monkeypatch.setenv("REFRAIN_TEST_KEK", new_text())
    assert rotate(home, "env:REFRAIN_TEST_KEK").setting == "env:REFRAIN_TEST_KEK"
    assert ring(home).key_of_each(SCOPES) == keys
    with pytest.raises(InputError, match="to which the rotation goes"):
        rotate(home)
    monkeypatch.setenv(KEY, "env:REFRAIN_TEST_KEK")
    assert ring(home).key_of_each(SCOPES) == keys
    assert rotate(home).setting == ""
    assert ring(home).key_of_each(SCOPES) == keys
    assert len(content(home).wraps) == 1
    monkeypatch.setenv(KEY, f"file:{key}")
    with pytest.raises(EncryptionError, match="recover"):
        ring(home).key("logs")


def test_a_key_in_a_variable_needs_the_place_of_the_new_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_TEST_KEK", new_text())
    monkeypatch.setenv(KEY, "env:REFRAIN_TEST_KEK")
    ring(home).key("logs")
    with pytest.raises(InputError, match="--to"):
        rotate(home)


def test_without_keys_there_is_nothing_to_rotate(home: Home, key: Path) -> None:
    with pytest.raises(InputError, match="refrain encryption on"):
        rotate(home)


def test_a_process_that_runs_meanwhile_goes_on(home: Home, key: Path) -> None:
    running = ring(home)
    data_key = running.key("logs")
    rotate(home)
    assert running.key("logs") == data_key
    made = running.key("bundles")
    assert ring(home).by_id(made.id) == made


def test_the_recovery_key_is_the_way_back_also_after_rotations_and_new_keys(
    home: Home, key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ring(home).key("logs")
    text = recovery.make(ring(home))
    rotate(home)
    keys = ring(home).key_of_each(SCOPES)
    assert text not in home.encryption_keys.read_text()
    key.unlink()
    with pytest.raises(EncryptionError):
        ring(home).key("logs")
    new = tmp_path / "new.key"
    rotation.new_key_file(new)
    monkeypatch.setenv(KEY, f"file:{new}")
    assert recovery.recover(ring(home), f" {text.upper()}\n", f"file:{new}") == len(SCOPES)
    assert ring(home).key_of_each(SCOPES) == keys


@pytest.mark.parametrize("text", ["", "refrain-recovery-", "refrain-recovery-aaaa", "ä" * 52, "!" * 52])
def test_a_text_that_is_no_recovery_key_is_refused(home: Home, key: Path, text: str) -> None:
    ring(home).key("logs")
    recovery.make(ring(home))
    with pytest.raises(InputError, match="a recovery key"):
        recovery.recover(ring(home), text, f"file:{key}")


def test_another_recovery_key_is_refused_and_a_new_one_replaces_the_old(home: Home, key: Path) -> None:
    ring(home).key("logs")
    old = recovery.make(ring(home))
    recovery.make(ring(home))
    before = home.encryption_keys.read_bytes()
    with pytest.raises(EncryptionError, match="made last"):
        recovery.recover(ring(home), old, f"file:{key}")
    assert home.encryption_keys.read_bytes() == before


def test_keys_without_a_recovery_key_say_so(home: Home, key: Path) -> None:
    ring(home).key("logs")
    with pytest.raises(InputError, match="recovery-key"):
        recovery.recover(ring(home), "refrain-recovery-aaaa", f"file:{key}")


def test_a_key_file_is_never_overwritten(key: Path) -> None:
    before = key.read_text()
    with pytest.raises(InputError, match="so that no key is lost"):
        rotation.new_key_file(key)
    assert key.read_text() == before
