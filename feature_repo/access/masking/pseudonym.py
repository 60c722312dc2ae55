"""A keyed hash: equal values have equal pseudonyms, which say nothing of the value without the key.

HMAC-SHA256 of the name of the feature and the value, cut to 64 bits, as ``p_`` and 16 hexadecimal digits. The key is
the data folder's (``feature_repo.access.pseudonyms``): a guess of a value cannot be checked without it.
"""

import hashlib
import hmac

from feature_repo.access.masks import MaskKind, OneValue


def _prepare(argument: str, key: bytes, feature: str) -> OneValue:
    if argument:
        raise ValueError(argument)
    name = feature.rpartition("__")[2]

    def of(value: object) -> str:
        digest = hmac.new(key, f"{name}\0{value}".encode(errors="surrogatepass"), hashlib.sha256)
        return f"p_{digest.hexdigest()[:16]}"

    return of


PSEUDONYM = MaskKind("pseudonym", "a keyed hash that is the same each time, for texts", frozenset({"String"}), _prepare)
