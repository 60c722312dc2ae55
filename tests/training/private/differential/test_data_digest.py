"""Digests of data: the same data are known again in their folder, and nobody without its key can test a guess."""

import hashlib
import stat
from pathlib import Path

from feature_repo.home import Home
from training.private.differential.data_digest import KEY, data_digest


def test_a_guess_is_not_confirmed_without_the_key(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    digest = data_digest(one, [b"ro", b"ws"])
    assert digest == data_digest(one, [b"rows"])
    assert digest != data_digest(one, [b"row"])
    assert digest not in (data_digest(other, [b"rows"]), hashlib.sha256(b"rows").hexdigest())
    assert stat.S_IMODE((one.privacy / KEY).stat().st_mode) == 0o600
    assert data_digest(Home(one.root, "acme"), [b"rows"]) != digest
