"""Digests by which a release is known again when its data are the same, and that tell nothing to who has the ledger.

A plain digest of all rows would tell a reader who can guess all of them whether a guess is right: an exact statement
about people, outside every ε. So it is keyed, by a key of the data folder that lies beside the ledger.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from training.private.differential.ledger_lines import LedgerFile

KEY = "digest.key"
_BYTES = 32


def data_digest(home: Home, parts: Iterable[bytes]) -> str:
    """HMAC-SHA256 of parts, one after the other, under the key of the data folder's tenant; makes it if there is none.

    Raises:
        OSError: the key cannot be read or made.

    >>> data_digest(Home.from_env(), [b"rows"]) == data_digest(Home.from_env(), [b"rows"])      # doctest: +SKIP
    True
    """
    digest = hmac.new(_key(home), digestmod=hashlib.sha256)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _key(home: Home) -> bytes:
    path = home.privacy / KEY
    with LedgerFile.of(home).locked():
        if not path.is_file():
            write_whole(path, secrets.token_bytes(_BYTES), is_secret=True)
        return path.read_bytes()
