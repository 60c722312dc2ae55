"""Rotation: all keys of a data folder are wrapped anew, by a new tenant key and a new key-encryption key.

No file of data is touched. A run may be killed at any point and repeated. With a key file, the new key lies beside it
until all tenants are wrapped by both; then it takes the place of the old one, which is kept under another name; then
the old wraps go. Other places are named by ``to``: the setting is the reader's to change, and both keys work until the
rotation is repeated with the new setting.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from feature_repo.encryption import recovery
from feature_repo.encryption.key_file import KeyFile
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.provider import KeyEncryptionKey, open_key
from feature_repo.encryption.settings import Settings
from feature_repo.encryption.tenant_key import draw
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Attributes:
        tenants: the tenants whose keys were wrapped anew.
        keys: number of data keys that were wrapped anew.
        old_file: where the key file of before is kept; None if there was none.
        setting: the setting to change, after which the rotation is repeated; empty if it is done.
    """

    tenants: list[str]
    keys: int
    old_file: Path | None = None
    setting: str = ""


def rotate(home: Home, to: str = "") -> Rotation:
    """Wraps the keys of all tenants of a data folder anew.

    Args:
        home: the data folder.
        to: where the new key-encryption key is; empty for a key file that is replaced, for a key of a service that
            keeps its place, and to end a rotation after the setting was changed.

    Raises:
        InputError: there is nothing to rotate, or it is not said to which key.
        EncryptionError: a key-encryption key is missing, wrong, or does not answer.

    >>> rotate(Home.from_env()).keys                                               # doctest: +SKIP
    12
    """
    rings = list(_rings(home))
    if not rings:
        raise InputError(
            expected="a data folder with keys", found=f"none in {home.root}", next_command="refrain encryption on"
        )
    current = rings[0].settings.key
    scheme, _, place = current.partition(":")
    if not to and _is_begun(rings) and not _next_file(place).exists():
        return _finish(rings, current)
    if to and to != current:
        return _to_another_place(rings, to, current)
    if scheme == "file":
        return _in_place(rings, current, Path(place))
    if scheme in ("env", "command"):
        raise InputError(
            expected="the place of the new key-encryption key",
            found=f"nothing, while the current one is in {scheme}:",
            next_command="refrain encryption rotate --to env:REFRAIN_NEW_KEY",
        )
    key = open_key(current)
    return Rotation(_tenants(rings), sum(_wrap(ring, [key], "", current) for ring in rings))


def new_key_file(path: Path) -> None:
    """Writes a new key for its owner alone, whole or not at all.

    Raises:
        InputError: there is a file already, or the folder cannot be written.
    """
    if path.exists():
        raise InputError(
            expected=f"no file at {path}, so that no key is lost",
            found="one",
            next_command=f"refrain encryption on --key file:{path}",
        )
    try:
        write_whole(path, new_text() + "\n", is_secret=True)
    except OSError as error:
        raise InputError(
            expected=f"a place where a key file can be written, such as {path}",
            found=str(error.strerror or error),
            next_command="refrain encryption on --key file:~/.config/refrain-encryption.key --make-key",
        ) from error


def _rings(home: Home) -> Iterator[EncryptionKeys]:
    """The keys of each tenant of a data folder, those of the home's tenant first."""
    tenants = [path.stem.removeprefix("encryption-") for path in home.encryption_keys.parent.glob("encryption-*.json")]
    for tenant in sorted(tenants, key=lambda name: (name != home.tenant, name)):
        ring = EncryptionKeys.for_reading(replace(home, tenant=tenant))
        if ring is not None:
            yield ring


def _tenants(rings: list[EncryptionKeys]) -> list[str]:
    return [ring.home.tenant for ring in rings]


def _is_begun(rings: list[EncryptionKeys]) -> bool:
    return any((file := ring.file()) and file.next_wrap for ring in rings)


def _next_file(place: str) -> Path:
    return Path(f"{place}.next")


def _in_place(rings: list[EncryptionKeys], current: str, path: Path) -> Rotation:
    """Replaces a key file: new key beside it, all wrapped by both, new key in its place, old wraps gone."""
    following = _next_file(str(path))
    if not following.exists():
        new_key_file(following)
    old, new = open_key(current), open_key(f"file:{following}")
    count = sum(_wrap(ring, [old, new], new.id, current) for ring in rings)
    kept = path.with_name(f"{path.name}.before-{new.id}")
    if not kept.exists():
        os.link(path, kept)  # other data folders may use it
    following.replace(path)
    _finish(rings, current)
    return Rotation(_tenants(rings), count, kept)


def _to_another_place(rings: list[EncryptionKeys], to: str, current: str) -> Rotation:
    old, new = open_key(current), open_key(to)
    count = sum(_wrap(ring, [old, new], new.id, to) for ring in rings)
    settings = Settings.of(rings[0].home, to)
    if settings is not None and settings.key == to:  # nothing but the file of keys names the place
        return replace(_finish(rings, to), keys=count)
    return Rotation(_tenants(rings), count, setting=to)


def _finish(rings: list[EncryptionKeys], current: str) -> Rotation:
    """Removes the wraps of the old key-encryption key, once the new one is in its place."""
    key = open_key(current)
    for ring in rings:
        file = ring.file()
        if file is None or not file.next_wrap:
            continue
        if key.id != file.next_wrap:
            raise InputError(
                expected=f"the key-encryption key {file.next_wrap}, to which the rotation goes",
                found=f"{key.id}, the one of before, at {current}",
                next_command=f"export REFRAIN_ENCRYPTION_KEY={file.key}  (or key = in refrain.toml), then repeat",
            )
        ring.change(lambda each: replace(each, wraps={key.id: each.wraps[key.id]}, next_wrap="", key=current))
    return Rotation(_tenants(rings), 0)


def _wrap(ring: EncryptionKeys, keys: list[KeyEncryptionKey], next_wrap: str, place: str) -> int:
    """Draws a new tenant key, wrapped by each key-encryption key, and wraps all data keys by it; once."""
    file = ring.file()
    if file is None or (next_wrap and file.next_wrap == next_wrap):
        return 0
    old_secret, secret, name = ring.tenant_secret(), draw(), secrets.token_hex(8)

    def with_new(current: KeyFile) -> KeyFile:
        current.authenticate(old_secret)
        changed = replace(current, tenant_key=name, next_wrap=next_wrap, key=place)
        context = changed.tenant_context()
        return replace(
            changed,
            wraps={key.id: key.wrap(secret, context) for key in keys},
            recovery=recovery.sealed_anew(changed, secret),
            keys=tuple(
                changed.wrap(each, current.unwrap(each, old_secret), secret) if each.wrapped else each
                for each in current.keys
            ),
        )

    return len(ring.replace(secret, with_new).scopes)
