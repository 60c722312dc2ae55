"""API keys: displayed once, stored as digests, and refused if they are wrong, expired or revoked."""

import json
import threading
import time
from pathlib import Path

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.security import keys
from inference.security.caller import Limits, Refused
from inference.security.keys import PATTERN, KeyRing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds since 1970, which a test sets; the file of keys is checked at each call."""
    monkeypatch.setattr(keys, "CHECK_SECONDS", 0.0)
    return [1_000_000.0]


@pytest.fixture
def ring(tmp_path: Path, clock: list[float]) -> KeyRing:
    return KeyRing(Home(tmp_path), lambda: clock[0])


def test_a_key_lets_in_and_only_its_digest_is_kept(ring: KeyRing, tmp_path: Path) -> None:
    text, key = ring.create("web player", ["predict", "read_features"], limits=Limits(5, 10, 1_000))
    assert PATTERN.fullmatch(text)
    caller = ring.caller(text)
    assert (caller.id, caller.name, caller.tenant) == (key.id, "web player", "default")
    assert caller.roles == {"predict", "read_features"}
    assert caller.limits == Limits(5, 10, 1_000)
    content = Home(tmp_path).keys.read_text()
    assert text not in content
    assert text.rpartition("_")[2] not in content
    assert Home(tmp_path).keys.stat().st_mode & 0o777 == 0o600


def test_keys_differ(ring: KeyRing) -> None:
    created = [ring.create("x", ["predict"]) for _ in range(20)]
    assert len({text for text, _ in created}) == len({key.id for _, key in created}) == 20


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:3] + ("0" if text[3] != "0" else "1") + text[4:],
        lambda text: text + "x",
        lambda text: text[:-1],
        lambda text: text.upper(),
        lambda text: f" {text}",
        lambda text: text.replace("rf_", "rf__", 1),
        lambda text: text + "\n",
        lambda text: "",
        lambda text: "rf_00000000_" + "A" * 43,
        lambda text: "rf_" + "é" * 52,
    ],
)
def test_what_is_not_the_key_is_refused(ring: KeyRing, change) -> None:  # type: ignore[no-untyped-def]
    text, _ = ring.create("somebody", ["predict"])
    with pytest.raises(Refused):
        ring.caller(change(text))
    assert ring.caller(text).name == "somebody"


def test_expired_revoked_and_foreign_keys_are_refused_with_their_reason(
    ring: KeyRing, tmp_path: Path, clock: list[float]
) -> None:
    text, key = ring.create("short", ["predict"], days=1)
    clock[0] += 86_399
    assert ring.caller(text)
    clock[0] += 1
    with pytest.raises(Refused, match="expired key"):
        ring.caller(text)
    revoked_text, revoked_key = ring.create("other", ["predict"])
    ring.revoke(revoked_key.id)
    with pytest.raises(Refused, match="revoked key") as error:
        ring.caller(revoked_text)
    assert error.value.key_id == revoked_key.id
    valid_text, _ = ring.create("third", ["predict"])
    foreign = Home(tmp_path, "acme")
    foreign.keys.write_bytes(Home(tmp_path).keys.read_bytes())
    with pytest.raises(Refused, match="tenant default"):
        KeyRing(foreign, lambda: clock[0]).caller(valid_text)
    assert key.id != revoked_key.id


def test_a_revocation_reaches_another_process(tmp_path: Path) -> None:
    first_ring, second_ring = KeyRing(Home(tmp_path)), KeyRing(Home(tmp_path))
    text, key = first_ring.create("somebody", ["predict"])
    assert second_ring.caller(text)
    first_ring.revoke(key.id)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            second_ring.caller(text)
        except Refused:
            break
        time.sleep(0.05)
    with pytest.raises(Refused, match="revoked"):
        second_ring.caller(text)


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    rings = [KeyRing(Home(tmp_path)) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda ring=ring: [ring.create("x", ["predict"]) for _ in range(5)]) for ring in rings
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeyRing(Home(tmp_path)).all()) == 20


def test_a_damaged_file_is_an_error_and_lets_in_who_was_let_in(ring: KeyRing, tmp_path: Path) -> None:
    text, _ = ring.create("somebody", ["predict"])
    assert ring.caller(text)
    Home(tmp_path).keys.write_text('{"keys": [')
    assert ring.caller(text)
    with pytest.raises(InputError, match=r"mv .*damaged"):
        ring.all()
    with pytest.raises(InputError):
        ring.create("next", ["predict"])
    assert Home(tmp_path).keys.read_text() == '{"keys": ['


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "x", "roles": ["king"]}, "king"),
        ({"name": "x", "roles": []}, "none"),
        ({"name": "a\nb", "roles": ["predict"]}, "a name"),
        ({"name": "x", "roles": ["predict"], "days": 0}, "days above zero"),
        ({"name": "x", "roles": ["predict"], "limits": Limits(0, 1)}, "limits above zero"),
    ],
)
def test_a_key_that_is_none_is_refused(ring: KeyRing, tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ring.create(**arguments)
    assert not Home(tmp_path).keys.exists()


def test_an_unknown_id_cannot_be_revoked(ring: KeyRing) -> None:
    with pytest.raises(InputError, match="keys list"):
        ring.revoke("12345678")


def test_a_check_does_the_same_whatever_is_wrong(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """An early error, a late error and an unknown key all take the same two comparisons of full digests."""
    text, _ = ring.create("somebody", ["predict"])
    lengths: list[tuple[int, int]] = []
    compare = keys.hmac.compare_digest

    def recording_compare(first: str, second: str) -> bool:
        lengths.append((len(first), len(second)))
        return compare(first, second)

    monkeypatch.setattr(keys.hmac, "compare_digest", recording_compare)
    wrong_keys = {
        "early": text[:12] + ("A" if text[12] != "A" else "B") + text[13:],
        "late": text[:-1] + ("A" if text[-1] != "A" else "B"),
        "nobody": "rf_00000000_" + text[12:],
    }
    comparisons = {}
    for name, wrong_key in wrong_keys.items():
        lengths.clear()
        with pytest.raises(Refused):
            ring.caller(wrong_key)
        comparisons[name] = list(lengths)
    assert comparisons["early"] == comparisons["late"] == comparisons["nobody"] == [(64, 64)] * 2


def test_what_is_written_is_whole(ring: KeyRing, tmp_path: Path) -> None:
    ring.create("somebody", ["predict"])
    document = json.loads(Home(tmp_path).keys.read_text())
    assert [key["name"] for key in document["keys"]] == ["somebody"]
    assert [file.name for file in Home(tmp_path).keys.parent.iterdir() if file.name.endswith(".json")] == [
        "keys-default.json"
    ]
