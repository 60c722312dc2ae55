"""Signs and verifies the file that names the champion, so that no old, validly signed version can be put in its place.

The file appears whole, so its signature is in it: ``{"champion": 3, "signature": "…"}``, in one fixed form.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.errors import SignatureError
from feature_repo.home import Home
from feature_repo.signing.private_key import has_private_key
from feature_repo.signing.sign import sign
from feature_repo.signing.statement import Statement
from feature_repo.signing.trust import Trust
from feature_repo.signing.verify import verify
from feature_repo.whole_files import write_whole

SIGNED = "signature"
"""Key of the file beside that of the champion."""

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_FORM = re.compile(
    rb'\{(?:"champion": ([1-9]\d{0,8}), )?"signature": '
    rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (ed25519:[0-9a-f]{64}) ([0-9a-f]{128})"\}\n'
)


def write_champion(path: Path, home: Home, name: str, version: int | None) -> None:
    """Writes which version of a model serves, signed if a key is set.

    Args:
        path: the file.
        home: the data folder.
        name: name of the model.
        version: the version; None if none serves.

    Raises:
        InputError: the key cannot be used.
    """
    content: dict[str, Any] = {} if version is None else {"champion": version}
    if has_private_key():
        statement = sign("champion", home.tenant, name, version or 0)
        time = statement.signed_at.strftime(_TIME)
        content[SIGNED] = f"{time} {statement.public_key} {statement.signature.hex()}"
    write_whole(path, json.dumps(content) + "\n")


def verify_champion(content: bytes, home: Home, name: str) -> None:
    """Verifies the content of the file before it is parsed, where keys are pinned.

    Raises:
        SignatureError: it is not signed, by no pinned key, for another model, or is older than one seen before.
    """
    trust = Trust.load(home)
    if not trust.is_required:
        return
    refuse = _refusal(name)
    match = _FORM.fullmatch(content)
    if match is None:
        raise refuse("a signed promotion, as keys are pinned here", "no signature")
    try:
        statement = _statement_of(match, home, name)
    except ValueError as error:
        raise refuse("a signature in its fixed form", str(error)) from None
    verify(
        statement.to_bytes(), trust, refuse, kind="champion", tenant=home.tenant, name=name, newest_of=str(home.root)
    )


def read_champion_statement(path: Path, home: Home, name: str) -> Statement | None:
    """Reads the signature of a promotion, and verifies nothing; None if there is none."""
    try:
        match = _FORM.fullmatch(path.read_bytes())
        return None if match is None else _statement_of(match, home, name)
    except (OSError, ValueError):
        return None


def _statement_of(match: "re.Match[bytes]", home: Home, name: str) -> Statement:
    """Returns what the file says as a statement about this model of this tenant."""
    version, time, key, signature = (part.decode() if part else "" for part in match.groups())
    signed_at = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    return Statement(
        "champion", home.tenant, name, int(version or 0), signed_at, key, signature=bytes.fromhex(signature)
    )


def _refusal(name: str) -> Callable[[str, str], Exception]:
    return lambda expected, found: SignatureError(
        expected=f"{expected}, of {name}",
        found=found,
        next_command=f"refrain signing sign {name}  (where it was promoted, if the champion is as it should be)",
    )
