"""Contexts on disk: whose they are, how many, for how long."""

import os
import time

import pytest

from feature_repo.home import Home
from inference.encrypted.contexts import MAX_CONTEXTS, MAX_OF_OWNER, SECONDS, Contexts
from inference.forecast.forecaster import UnknownKey


def test_a_context_is_its_owners_for_an_hour(home: Home) -> None:
    now = time.time()
    contexts = Contexts(home, lambda: now)
    contexts.put("ann", "d1", b"one")
    assert Contexts(home).get("ann", "d1") == b"one"  # of another process
    for owner, digest in (("bob", "d1"), ("ann", "d2")):
        with pytest.raises(UnknownKey, match="sent within the hour"):
            contexts.get(owner, digest)
    (file,) = home.encryption_contexts.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    now += SECONDS + 1
    with pytest.raises(UnknownKey):
        contexts.get("ann", "d1")
    contexts.put("bob", "d1", b"two")
    assert not file.exists()


def test_the_oldest_ones_go(home: Home) -> None:
    contexts, now = Contexts(home), time.time()

    def put(owner: str, digest: str, age: float) -> None:
        contexts.put(owner, digest, b"")
        os.utime(contexts._file(owner, digest), (now - age, now - age))

    for number in range(MAX_OF_OWNER + 1):
        put("ann", f"d{number}", 100 - number)
    with pytest.raises(UnknownKey):
        contexts.get("ann", "d0")
    contexts.get("ann", "d1")
    contexts.put("ann", "d1", b"again")  # sent again, it takes no other's place
    assert contexts.get("ann", "d2") == b""
    for number in range(MAX_CONTEXTS):
        put(f"owner {number}", "d", 50 - number / 10)
    assert len(list(home.encryption_contexts.iterdir())) == MAX_CONTEXTS
    with pytest.raises(UnknownKey):
        contexts.get("ann", "d2")
    contexts.get(f"owner {MAX_CONTEXTS - 1}", "d")
