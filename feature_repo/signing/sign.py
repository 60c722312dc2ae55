"""Signs statements with the key of this machine."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from feature_repo.errors import InputError
from feature_repo.signing.private_key import load_private_key
from feature_repo.signing.public_keys import public_key_of
from feature_repo.signing.statement import Kind, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping


def sign(kind: Kind, tenant: str, name: str, version: int = 0, files: "Mapping[str, str] | None" = None) -> Statement:
    """Signs that something is of a tenant, a name and a version, now, with these files.

    Args:
        kind: what is signed.
        tenant: name of the tenant.
        name: name of the model; ``manifest`` of a manifest.
        version: version of the model; 0 if it has none.
        files: name → SHA-256 of every file, as hexadecimal digits.

    Raises:
        InputError: the key cannot be used, or a name has no form in a statement.
    """
    key = load_private_key()
    statement = Statement(kind, tenant, name, version, datetime.now(UTC), public_key_of(key), files or {})
    try:
        return statement.signed_with(key.sign(statement.content))
    except ValueError as error:
        raise InputError(
            expected="names of plain letters, digits and . _ -, and files of one folder",
            found=str(error),
            next_command="rename it, then: refrain signing sign",
        ) from error
