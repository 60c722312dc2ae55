"""``refrain encryption``: encryption at rest, turned on and off; its keys, their rotation, the way back."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

if TYPE_CHECKING:
    from feature_repo.encryption.key_ring import EncryptionKeys

_MOST_NAMES = 8
_KEY_HELP = "where the key-encryption key is: file:PATH, env:NAME, command:COMMAND, vault:URL/KEY"


def on(
    key: Annotated[str, typer.Option(help=_KEY_HELP)] = "",
    make_key: Annotated[bool, typer.Option("--make-key", help="make the key file, with mode 600")] = False,
) -> None:
    """Turn encryption on: from now on, new files of this tenant are encrypted. Files of before stay as they are.

    The key must lie outside the data folder. Without --key, the setting says where it is: REFRAIN_ENCRYPTION_KEY, or
    key in [encryption] of refrain.toml. Next: refrain encryption recovery-key, then refrain encryption encrypt.

    Example: refrain encryption on --key file:/etc/refrain/encryption.key --make-key
    """
    from feature_repo.encryption.key_ring import EncryptionKeys
    from feature_repo.encryption.places import forget_checks
    from feature_repo.encryption.rotation import new_key_file
    from feature_repo.encryption.settings import Settings, absolute_key, check_outside

    home = Home.from_env().ensure()
    place = absolute_key(key, Path.cwd()) if key else ""
    if place:
        check_outside(place, home)
    settings = Settings.of(home, place)
    if settings is None or (place and settings.key != place):
        raise InputError(
            expected="one place of the key-encryption key, in --key or in the setting",
            found=f"{settings.key} in the setting, and {place}" if settings else "none",
            next_command="refrain encryption on --key file:~/.config/refrain-encryption.key --make-key",
        )
    scheme, _, path = settings.key.partition(":")
    if make_key:
        if scheme != "file":
            raise InputError(
                expected="--make-key with file:PATH", found=settings.key, next_command="refrain encryption on --help"
            )
        new_key_file(Path(path))
        say(f"key         {path}, for its owner alone; a copy of it belongs where the backups of the data are not")
    keys, plain = EncryptionKeys(home, settings), _plain_tables(home, settings.tables)
    file = keys.change(lambda each: replace(each, is_on=True, key=settings.key, plain_tables=plain))
    forget_checks()
    say(f"encryption  on for the tenant {home.tenant}, with the key-encryption key {', '.join(file.wraps)}")
    if plain:
        say(f"tables      {len(plain)} without personal columns stay plain")
    if not file.recovery:
        say("next        refrain encryption recovery-key")
    say("next        refrain encryption encrypt")


def status(as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Show whether encryption is on, where its key is, whether it can be used now, and which files are encrypted.

    Example: refrain encryption status
    """
    from feature_repo.encryption.key_ring import EncryptionKeys
    from feature_repo.errors import EncryptionError
    from transforms.encrypted_files import count_files

    home = Home.from_env()
    keys = EncryptionKeys.for_reading(home)
    file = keys.file() if keys else None
    problem: EncryptionError | None = None
    if keys is not None and file is not None:
        try:
            EncryptionKeys(home, keys.settings).tenant_secret()  # not by what this process has unwrapped
        except EncryptionError as error:
            problem = error
    counts = count_files(home)
    state = {
        "on": bool(keys) and (file is None or file.is_on),
        "key": keys.settings.key if keys else "",
        "problem": str(problem or ""),
        "recovery_key": bool(file and file.recovery),
        "rotation_begun": bool(file and file.next_wrap),
        "keys": dict(file.scopes) if file else {},
        "destroyed": sum(1 for each in file.keys if not each.wrapped) if file else 0,
        "files": {table: vars(count) for table, count in counts.items()},
    }
    if as_json:
        say(to_json(state))
    else:
        encrypted = sum(count.encrypted for count in counts.values())
        plain = {table: count.plain for table, count in counts.items() if count.plain}
        say(f"encryption    {'on' if state['on'] else 'off'}")
        say(f"key           {state['key'] or 'none'}{'' if problem or not file else ', can be used'}")
        say(f"recovery key  {'made' if state['recovery_key'] else 'none; next: refrain encryption recovery-key'}")
        say(f"data keys     {sum(state['keys'].values()):,}, and {state['destroyed']:,} destroyed")  # type: ignore[attr-defined]
        say(f"files         {encrypted:,} encrypted, {sum(plain.values()):,} plain")
        if state["on"] and plain:
            more = " and more" if len(plain) > _MOST_NAMES else ""
            say(f"plain in      {', '.join(list(plain)[:_MOST_NAMES])}{more}")
        if state["rotation_begun"]:
            say("rotation      begun and not done; next: refrain encryption rotate")
    if problem:
        raise problem


def rotate(
    to: Annotated[str, typer.Option(help=f"another place of the key: {_KEY_HELP}")] = "",
    data: Annotated[str, typer.Option(help="a table, such as raw/plays: only its new files get a new key")] = "",
) -> None:
    """Wrap all keys of the data folder anew, by a new key-encryption key. No data are touched, and nothing is lost.

    A key file is replaced; the old one is kept beside it, for other data folders that use it. With --to, both keys work
    until the setting is changed and the command is repeated. May be killed and repeated. With --data, a table gets a
    new data key for its new files; its old files stay readable.

    Example: refrain encryption rotate
    """
    from feature_repo.encryption.rotation import rotate as run

    home = Home.from_env()
    if data:
        key = _keys(home).new_key(f"table/{_known_table(home, data)}")
        say(f"{data}: new files are encrypted with the key {key.id}; files of before stay readable")
        return
    result = run(home, to)
    say(f"{result.keys:,} data keys of {', '.join(result.tenants)} are wrapped anew")
    if result.old_file:
        say(f"the key of before: {result.old_file}; remove it when no other data folder uses it")
    if result.setting:
        say(f"next: set the key to {result.setting} (REFRAIN_ENCRYPTION_KEY, or [encryption] in refrain.toml),")
        say("then: refrain encryption rotate")


def recovery_key() -> None:
    """Make a recovery key, and print it once: the way back when the key-encryption key is lost.

    Write it down and keep it apart from key and data. It is stored nowhere; a new one replaces it.

    Example: refrain encryption recovery-key
    """
    from feature_repo.encryption import recovery

    keys = _keys(Home.from_env())
    say(recovery.make(keys))
    say("shown once: keep it apart from the key and from the data; it opens all data of this tenant")
    say("the way back: refrain encryption recover --key file:/etc/refrain/new.key --make-key")


def recover(
    key: Annotated[str, typer.Option(help=f"the new key-encryption key: {_KEY_HELP}")],
    make_key: Annotated[bool, typer.Option("--make-key", help="make the key file, with mode 600")] = False,
    recovery_key: Annotated[
        str, typer.Option("--recovery-key", envvar="REFRAIN_RECOVERY_KEY", help="its text; asked for if not given")
    ] = "",
) -> None:
    """Give the data folder a new key-encryption key by its recovery key, when the old one is lost.

    The recovery key is asked for, or read from REFRAIN_RECOVERY_KEY. Data are not touched.

    Example: refrain encryption recover --key file:/etc/refrain/new.key --make-key
    """
    from feature_repo.encryption import recovery
    from feature_repo.encryption.key_ring import EncryptionKeys
    from feature_repo.encryption.rotation import new_key_file
    from feature_repo.encryption.settings import Settings, absolute_key, check_outside

    home, place = Home.from_env(), absolute_key(key, Path.cwd())
    check_outside(place, home)
    text = recovery_key or typer.prompt("recovery key", hide_input=True)
    if make_key and place.startswith("file:") and not Path(place[5:]).exists():
        new_key_file(Path(place[5:]))
    count = recovery.recover(EncryptionKeys(home, Settings(place)), text, place)
    say(f"{count:,} data keys of {home.tenant} open with {place}")
    say(f"next: set the key to {place}, where a setting names the old one, then: refrain encryption status")


def encrypt() -> None:
    """Encrypt the plain files of before encryption: tables, logs, models. Writers wait; may be killed and repeated.

    Nothing is computed anew. Afterwards, a plain file in an encrypted table is refused: somebody put it there. A server
    that runs since before encryption was turned on has to be started again first.

    Example: refrain encryption encrypt
    """
    from feature_repo.encryption.file_kind import seal_all
    from transforms.encrypted_files import encrypt_files

    home = Home.from_env()
    keys = _keys(home)
    plain = _plain_tables(home, keys.settings.tables)
    keys.change(lambda each: replace(each, plain_tables=plain))
    with progress("seal") as report:
        sealed = seal_all(home, report)
    with progress("encrypt") as report:
        count = encrypt_files(home, keys, report)
    say(f"{count:,} files of tables encrypted; sealed: {_counts(sealed)}")


def inventory(
    file: Annotated[Path, typer.Argument(help="file of inventories, outside of the data folder")],
) -> None:
    """Check that no older version of an encrypted file was put back since the last inventory, and take one of now.

    Who can write in the data folder can put back what a file was before. Keep the file of inventories where they
    cannot write, and run this after each build.

    Example: refrain encryption inventory /mnt/elsewhere/refrain.inventories
    """
    from transforms.inventory import take

    home = Home.from_env()
    result = take(home, _keys(home), file)
    say(f"{result.files:,} encrypted files: {result.changed:,} others than before, {result.gone:,} gone, none put back")


def off(yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Turn encryption off, and make all encrypted files plain. May be killed and repeated.

    The keys stay, for backups and for what else was encrypted with them.

    Example: refrain encryption off --yes
    """
    from feature_repo.encryption.file_kind import open_all
    from feature_repo.encryption.key_ring import EncryptionKeys
    from transforms.encrypted_files import decrypt_files

    home = Home.from_env()
    keys = EncryptionKeys.for_reading(home)
    if keys is None or keys.file() is None:
        say("encryption was never on")
        return
    if not yes and not typer.confirm(f"Make all data in {home.root} readable without a key?"):
        raise typer.Exit(1)
    with progress("decrypt") as report:
        count = decrypt_files(home, keys, report)
        opened = open_all(home)
    say(f"encryption is off for the tenant {home.tenant}; made plain: {count:,} files of tables, {_counts(opened)}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items())


def _keys(home: Home) -> "EncryptionKeys":
    from feature_repo.encryption.key_ring import EncryptionKeys

    keys = EncryptionKeys.of(home)
    if keys is None:
        raise InputError(
            expected="a data folder whose encryption is on", found=str(home.root), next_command="refrain encryption on"
        )
    return keys


def _known_table(home: Home, name: str) -> str:
    from transforms.encrypted_files import count_files

    names = list(count_files(home))
    close = get_close_matches(name, names, cutoff=0.3) or names[:3]
    if name not in names:
        raise InputError(
            expected=f"a table with files, such as {', '.join(close)}",
            found=repr(name),
            next_command="refrain encryption status --json",
        )
    return name


def _plain_tables(home: Home, tables: str) -> tuple[str, ...]:
    """The tables that stay plain by the setting: none, or those without personal columns."""
    from feature_repo.encryption.settings import PERSONAL

    if tables != PERSONAL:
        return ()
    from refrain.compliance.encrypted_tables import plain_tables

    return plain_tables(home)


COMMANDS = CommandGroup(
    "encryption",
    "Encryption at rest: on and off, its keys, their rotation, the way back.",
    (on, status, rotate, recovery_key, recover, encrypt, inventory, off),
    "Data",
)
