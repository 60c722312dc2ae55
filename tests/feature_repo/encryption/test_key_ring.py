"""The data keys of a tenant: made once, wrapped, found by id, destroyed; every way in which they cannot be used."""

import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from feature_repo.encryption import key_file
from feature_repo.encryption.key_ring import DataKey, EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.settings import KEY, Settings
from feature_repo.errors import EncryptionError, InputError
from feature_repo.home import Home


def ring(home: Home) -> EncryptionKeys:
    """A key ring of its own, as another process has it."""
    settings = Settings.of(home)
    assert settings is not None
    return EncryptionKeys(home, settings)


def test_encryption_is_off_without_a_setting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    assert EncryptionKeys.of(home) is None
    assert not home.encryption_keys.exists()


def test_a_scope_has_one_key_that_every_process_finds(home: Home, key: Path) -> None:
    first = ring(home).key("table/raw/plays")
    assert len(first.secret) == 32
    assert ring(home).key("table/raw/plays") == first
    assert ring(home).by_id(first.id) == first
    assert ring(home).key("logs") != first
    assert home.encryption_keys.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_shown_or_stored(home: Home, key: Path) -> None:
    data_key = ring(home).key("logs")
    assert "secret" not in repr(data_key)
    content = home.encryption_keys.read_bytes()
    assert data_key.secret not in content
    assert data_key.secret.hex().encode() not in content
    assert key.read_bytes() not in content


def _first_key(root: str) -> tuple[str, bytes]:
    data_key = ring(Home(Path(root))).key("table/raw/plays")
    return data_key.id, data_key.secret


def test_processes_that_come_at_once_make_one_key(home: Home, key: Path) -> None:
    with get_context("fork").Pool(4) as pool:
        keys = pool.map(_first_key, [str(home.root)] * 8, chunksize=1)
    assert len(set(keys)) == 1


def test_a_new_key_leaves_the_old_one_readable(home: Home, key: Path) -> None:
    old = ring(home).key("table/raw/plays")
    new = ring(home).new_key("table/raw/plays")
    assert new != old
    assert ring(home).key("table/raw/plays") == new
    assert ring(home).by_id(old.id) == old


def test_a_destroyed_key_leaves_its_tombstone(home: Home, key: Path) -> None:
    keys = ring(home)
    gone = keys.key("person/u1")
    keys.destroy("person/u1")
    with pytest.raises(EncryptionError, match=r"destroyed at 20\d\d-"):
        ring(home).by_id(gone.id)
    assert ring(home).key("person/u1") != gone
    stored = key_file.read(home.encryption_keys)
    assert stored is not None
    assert not stored.keys[0].wrapped


def test_an_unknown_key_says_which_file_to_restore(home: Home, key: Path) -> None:
    with pytest.raises(EncryptionError, match="no such key"):
        ring(home).by_id("0" * 16)


def test_a_key_of_another_tenant_is_refused_by_name(home: Home, key: Path) -> None:
    other = ring(replace(home, tenant="acme")).key("logs")
    ring(home).key("logs")
    with pytest.raises(EncryptionError, match="tenant acme"):
        ring(home).by_id(other.id)


def test_keys_of_one_tenant_moved_to_another_do_not_unwrap(home: Home, key: Path) -> None:
    ring(home).key("logs")
    acme = replace(home, tenant="acme")
    ring(acme).key("logs")
    content, moved = (json.loads(each.encryption_keys.read_text()) for each in (home, acme))
    moved["keys"] = content["keys"]
    acme.encryption_keys.write_text(json.dumps(moved))
    with pytest.raises(EncryptionError, match="damaged or changed"):
        ring(acme).key("logs")


@pytest.mark.parametrize(
    ("name", "value"), [("is_on", False), ("refuses_plain", True), ("plain_tables", ["raw/plays"]), ("key", "env:X")]
)
def test_a_changed_file_of_keys_is_refused(home: Home, key: Path, name: str, value: object) -> None:
    ring(home).key("logs")
    content = json.loads(home.encryption_keys.read_text())
    home.encryption_keys.write_text(json.dumps({**content, name: value}))
    with pytest.raises(EncryptionError, match="damaged or changed"):
        ring(home).key("logs")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 9}', "\x00\xff"])
def test_a_damaged_file_of_keys_is_an_error_and_stays(home: Home, key: Path, content: str) -> None:
    ring(home).key("logs")
    home.encryption_keys.write_text(content)
    with pytest.raises(EncryptionError, match="damaged"):
        ring(home).key("logs")
    assert home.encryption_keys.read_text() == content


def test_a_missing_key_is_named(home: Home, key: Path) -> None:
    ring(home).key("logs")
    key.unlink()
    with pytest.raises(EncryptionError, match="put the key back"):
        ring(home).key("logs")


def test_a_wrong_key_is_told_from_the_right_one(home: Home, key: Path) -> None:
    ring(home).key("logs")
    key.write_text(new_text())
    with pytest.raises(EncryptionError, match="refrain encryption recover"):
        ring(home).key("logs")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(home: Home, key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(EncryptionError, match="chmod 600"):
        ring(home).key("logs")
    assert not home.encryption_keys.exists()


@pytest.mark.parametrize("text", ["", "short", "ab" * 31, "Ä" * 44, "0" * 4096])
def test_a_text_that_is_no_key_is_refused(home: Home, key: Path, text: str) -> None:
    key.write_text(text)
    with pytest.raises(EncryptionError, match="32 bytes"):
        ring(home).key("logs")


def test_a_key_in_the_data_folder_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, f"file:{home.root}/security/encryption.key")
    with pytest.raises(InputError, match="outside the data folder"):
        EncryptionKeys.of(home)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('tables = "some"', 'tables = "all"'),
        ('cache = "5 minutes"', 'cache = "5m"'),
        ('kye = "x"', "the options key"),
        ("key = 5", "a section of lines"),
    ],
)
def test_settings_that_are_not_valid_are_refused(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    (tmp_path / "refrain.toml").write_text(f'name = "shop"\n[encryption]\n{line}\n')
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(InputError, match=message):
        EncryptionKeys.of(replace(home, project_folder=tmp_path))


def test_a_project_says_where_the_key_is_relative_to_itself(
    home: Home, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_key = ring(home).key("logs")
    monkeypatch.delenv(KEY)
    (tmp_path / "refrain.toml").write_text('name = "shop"\n[encryption]\nkey = "file:encryption.key"\ncache = "30s"\n')
    keys = EncryptionKeys.of(replace(home, project_folder=tmp_path))
    assert keys is not None
    assert keys.key("logs") == data_key
    assert keys.settings.cache_seconds == 30


def test_the_same_key_may_be_a_variable_or_a_command(home: Home, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_key: DataKey = ring(home).key("logs")
    monkeypatch.setenv("REFRAIN_TEST_KEK", key.read_text())
    for place in ("env:REFRAIN_TEST_KEK", f"command:cat {key}"):
        monkeypatch.setenv(KEY, place)
        assert ring(home).key("logs") == data_key


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("env:REFRAIN_NO_SUCH", "no such variable"),
        ("command:false", "exit code 1"),
        ("command:/no/such/program", "No such file"),
        ("command:'open", "No closing quotation"),
        ("pocket:left", "pocket:left"),
        ("file:", "file:"),
        ("file:/no/such/key", "No such file"),
    ],
)
def test_a_key_that_is_not_there_is_a_typed_error(
    home: Home, monkeypatch: pytest.MonkeyPatch, place: str, found: str
) -> None:
    monkeypatch.setenv(KEY, place)
    with pytest.raises((EncryptionError, InputError), match=found):
        ring(home).key("logs")
    assert not home.encryption_keys.exists()


def test_a_cached_key_is_used_for_its_time_and_then_closed(home: Home, key: Path) -> None:
    seconds = [0.0]
    settings = Settings.of(home)
    assert settings is not None
    keys = EncryptionKeys(home, settings, lambda: seconds[0])
    data_key = keys.key("logs")
    key.unlink()
    for now in (100.0, 200.0, 299.0):
        seconds[0] = now
        assert keys.by_id(data_key.id) == data_key
    seconds[0] = 301.0
    with pytest.raises(EncryptionError, match="put the key back"):
        keys.by_id(data_key.id)
