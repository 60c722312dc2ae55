"""Command that verifies a version as serving does."""

from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(verify)


def verify(
    name: Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="the champion if no version is named")],
) -> None:
    """Verify a version as serving does: its signature and promotion where keys are pinned, and every file's digest.

    Example: refrain model verify orders_returned:2
    """
    from feature_repo.bundle import open_bundle
    from feature_repo.signing.bundles import read_statement
    from feature_repo.signing.public_keys import short_name
    from feature_repo.signing.trust import Trust

    home = Home.from_env()
    bundle = open_bundle(name, home)
    count = len(bundle.manifest["files"])
    say(f"{bundle.name_version}: its manifest and {count} files are as they were registered")
    statement, is_required = read_statement(bundle.folder), Trust.load(home).is_required
    if statement is None:
        say(f"not signed; next: refrain signing sign {bundle.name_version}")
    else:
        signature = f"by {short_name(statement.public_key)} at {statement.signed_at:%Y-%m-%d %H:%M:%S} UTC"
        verified = "verified" if is_required else "not verified: no key is pinned; next: refrain signing trust KEY"
        say(f"signed {signature}, {verified}")
