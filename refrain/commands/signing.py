"""``refrain signing``: keys that sign model bundles, promotions and manifests, and keys whose signatures count."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

Note = Annotated[str, typer.Option(help="what is said of the key, such as whose it is")]


def key(
    out: Annotated[
        Path | None, typer.Option(help="file to write [default: REFRAIN_SIGNING_KEY, else in the user's configuration]")
    ] = None,
) -> None:
    """Make a key that signs, in a file that its owner alone can read, outside of the data folder.

    From now on what is registered, promoted and applied with it is signed.

    Example: refrain signing key
    """
    from feature_repo.signing.private_key import key_file, write_private_key
    from feature_repo.signing.public_keys import public_key_of

    path = out or key_file()
    public_key = public_key_of(write_private_key(path))
    say(f"private key: {path}  (mode 600; keep a copy where the data folder is not)")
    say(f"public key:  {public_key}")
    if path != key_file():
        say(f"to sign with it: export REFRAIN_SIGNING_KEY='{path}'")
    say(f"next, on every machine that serves: refrain signing trust {public_key}")


def trust(
    public_key: Annotated[str, typer.Argument(metavar="KEY", help="public key, ed25519:…")],
    note: Note = "",
) -> None:
    """Pin a key: from the first pinned key on, serving takes only what is signed by a pinned one.

    Example: refrain signing trust ed25519:… --note "the training machine"
    """
    from feature_repo.signing.trust import pin

    home = Home.from_env()
    say(f"{pin(public_key, note)}: signatures of {public_key.strip().lower()} count")
    _say_refused(home)


def revoke(
    public_key: Annotated[str, typer.Argument(metavar="KEY", help="public key, ed25519:…")],
    note: Note = "",
) -> None:
    """Revoke a key: no signature of it counts any more, also none that was made before.

    A signature says itself when it was made, and a thief of the key can say any time. What is as it should be is
    signed again with another key.

    Example: refrain signing revoke ed25519:… --note "the laptop is lost"
    """
    from feature_repo.signing.trust import revoke as run

    home = Home.from_env()
    say(f"{run(public_key, note)}: signatures of {public_key.strip().lower()} do not count")
    _say_refused(home)


def status(as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Show the key that signs, the keys whose signatures count, and what of the data folder is signed.

    The exit code is 1 if serving would refuse something.

    Example: refrain signing status
    """
    from dataclasses import asdict

    from feature_repo.signing.private_key import has_private_key, load_private_key
    from feature_repo.signing.public_keys import public_key_of, short_name
    from feature_repo.signing.trust import Trust
    from refrain.signed_things import signed_things

    home = Home.from_env()
    own = public_key_of(load_private_key()) if has_private_key() else ""
    trusted = Trust.load(home)
    things = signed_things(home)
    if as_json:
        keys = {"trusted": trusted.trusted, "revoked": trusted.revoked}
        pins = {word: {name: asdict(pin) for name, pin in pins.items()} for word, pins in keys.items()}
        say(to_json({"signs": own, **pins, "things": [asdict(thing) for thing in things]}))
    else:
        say(f"signs: {own or 'nothing; next: refrain signing key'}")
        for public_key, pin in trusted.trusted.items():
            gone = f"  REVOKED {trusted.revoked[public_key].at}" if public_key in trusted.revoked else ""
            say(f"trusted {short_name(public_key)} {public_key}  {pin.origin} {pin.at} {pin.note}".rstrip() + gone)
        for public_key, pin in trusted.revoked.items():
            if public_key not in trusted.trusted:
                say(f"revoked {short_name(public_key)} {public_key}  {pin.origin} {pin.at} {pin.note}".rstrip())
        if not trusted.is_required:
            say("no key is pinned: nothing is verified; next: refrain signing trust KEY")
        for thing in things:
            say(f"{thing.name:40}{thing.line()}")
    if any(thing.refused for thing in things):
        raise typer.Exit(1)


def sign(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME[:VERSION]", help="models, or versions")] = None,
    manifest: Annotated[bool, typer.Option("--manifest", help="the compiled manifest")] = False,
    everything: Annotated[bool, typer.Option("--all", help="the manifest and all champions")] = False,
) -> None:
    """Sign what is there: versions of models, promotions of champions, the manifest.

    For what was made before there was a key, or by a key that is revoked. Whoever signs says that it is as it should
    be: compare the digests that are shown with those of the machine that trained it.

    Example: refrain signing sign --all
    """
    from refrain.signed_things import sign_things

    for line in sign_things(Home.from_env(), names or [], manifest=manifest or everything, everything=everything):
        say(line)


def _say_refused(home: Home) -> None:
    from refrain.signed_things import signed_things

    refused = [thing for thing in signed_things(home) if thing.refused]
    for thing in refused:
        say(f"{thing.name} will be refused: {thing.refused}")
    if refused:
        say("next, where the private key is: refrain signing sign --all")


COMMANDS = CommandGroup(
    "signing",
    "Signatures of models and manifests: keys that sign, keys that count.",
    (key, trust, revoke, status, sign),
    "Models",
)
