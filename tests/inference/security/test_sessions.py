"""Sessions of browsers: they stand for a key without being it, end in time and at once, and lie in private files."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.home import Home
from inference.security import keys, sessions
from inference.security.caller import Caller, Limits, Refused
from inference.security.keys import KeyRing
from inference.security.sessions import COOKIE, SECONDS, Sessions, session_token


class Clock:
    """A clock that tests set."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    monkeypatch.setattr(keys, "CHECK_SECONDS", 0.0)
    return KeyRing(Home(tmp_path), clock)


@pytest.fixture
def begun(tmp_path: Path, ring: KeyRing, clock: Clock) -> Sessions:
    return Sessions(Home(tmp_path), ring, clock)


def test_a_session_stands_for_its_key_and_is_not_the_key(tmp_path: Path, ring: KeyRing, begun: Sessions) -> None:
    text, key = ring.create("web", ["predict"], limits=Limits(3, 4, 5))
    token, other = (begun.create(ring.caller(text)) for _ in range(2))
    assert begun.caller(token) == ring.caller(text)
    assert token != other
    assert key.id not in token
    assert len(token) >= 43
    folder = Home(tmp_path).sessions
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        content = file.read_text()
        assert token not in content and other not in content and text[12:] not in content
        assert token not in file.name


def test_it_ends_in_time_when_it_is_revoked_and_with_its_key(ring: KeyRing, begun: Sessions, clock: Clock) -> None:
    text, key = ring.create("web", ["predict"])
    first, second, third = (begun.create(ring.caller(text)) for _ in range(3))
    begun.revoke(first)
    with pytest.raises(Refused, match="no session"):
        begun.caller(first)
    clock.now += SECONDS - 1
    assert begun.caller(second).id == key.id
    clock.now += 1
    with pytest.raises(Refused, match="expired session"):
        begun.caller(second)
    clock.now -= SECONDS
    ring.revoke(key.id)
    with pytest.raises(Refused, match="revoked key"):
        begun.caller(third)


def test_it_does_not_outlive_a_token_of_an_identity_provider(begun: Sessions, clock: Clock) -> None:
    caller = Caller("oidc:alice", "alice", "default", frozenset({"predict"}), expires=clock.now + 60)
    token = begun.create(caller)
    assert begun.caller(token) == caller
    clock.now += 60
    with pytest.raises(Refused, match="expired session"):
        begun.caller(token)


def test_other_tenants_and_forged_tokens_are_refused(tmp_path: Path, ring: KeyRing, begun: Sessions) -> None:
    token = begun.create(Caller("oidc:eve", "eve", "other", frozenset({"predict"})))
    with pytest.raises(Refused, match="tenant"):
        begun.caller(token)
    (file,) = Home(tmp_path).sessions.iterdir()
    for forged in ("", "x", "../../keys-default", token[:-1], file.stem):
        with pytest.raises(Refused, match="no session"):
            begun.caller(forged)
    file.write_text("{")
    with pytest.raises(Refused, match="no session"):
        begun.caller(token)


def test_their_number_is_bounded(
    tmp_path: Path, begun: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    caller = Caller("oidc:a", "a", "default", frozenset({"predict"}))
    tokens, files = [], set[Path]()
    for age in (50, 40, 30, 20):
        tokens.append(begun.create(replace(caller, name=str(age))))
        (newest,) = set(Home(tmp_path).sessions.iterdir()) - files
        files.add(newest)
        os.utime(newest, (clock.now - age, clock.now - age))
    with pytest.raises(Refused):
        begun.caller(tokens[0])
    assert [begun.caller(token).name for token in tokens[1:]] == ["40", "30", "20"]
    clock.now += SECONDS  # the next one removes those that ended
    begun.create(caller)
    assert len(list(Home(tmp_path).sessions.iterdir())) == 1


def test_only_the_console_s_own_cookie_counts() -> None:
    assert session_token({b"cookie": f"a=b; {COOKIE}=token; c=d".encode()}) == "token"
    assert session_token({}) == session_token({b"cookie": b"other=x"}) == session_token({b"cookie": b"\x80;=;"}) == ""
