"""A key-encryption key in an environment variable."""

import os

from feature_repo.encryption.local_key import LocalKey
from feature_repo.encryption.provider import Provider, unusable


def open_variable(place: str) -> LocalKey:
    """Reads the key of a variable.

    Raises:
        EncryptionError: the variable is not set, or holds no key.
    """
    text = os.environ.get(place)
    if not text:
        raise unusable(
            f"the key-encryption key in the environment variable {place}", "no such variable", f"export {place}=..."
        )
    return LocalKey.read(text, f"the variable {place}")


PROVIDER = Provider("env", "env:NAME", open_variable)
