"""``refrain bom``: the bill of materials of this installation, or of a lock file."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import say
from refrain.commands.command import Command


def bom(
    out: Annotated[Path | None, typer.Option(help="file to write [default: the terminal]")] = None,
    lock: Annotated[Path | None, typer.Option(help="lock file whose packages are listed, with hashes")] = None,
) -> None:
    """Write a bill of materials, CycloneDX 1.6: packages with versions, licences and, of a lock, digests of files.

    Without --lock it lists what is installed here. Licences are as the installed packages declare them.

    Example: refrain bom --lock requirements.lock --out bom.json
    """
    from feature_repo.bill_of_materials.document import document
    from feature_repo.bill_of_materials.packages import installed, locked, with_hashes
    from feature_repo.home import IS_WORKING_COPY, REPOSITORY
    from feature_repo.version import version
    from feature_repo.whole_files import write_whole

    own_lock = REPOSITORY / "requirements.lock"
    if lock is not None:
        packages = locked(lock)
    elif IS_WORKING_COPY and own_lock.is_file():
        packages = with_hashes(installed(), locked(own_lock))
    else:
        packages = installed()
    text = document(packages, "refrain", version())
    if out is None:
        say(text.rstrip("\n"))
        return
    write_whole(out, text)
    unknown = sum(not package.licence for package in packages)
    say(f"{out}: {len(packages)} packages{f', {unknown} of an unknown licence' if unknown else ''}")


COMMAND = Command(bom, "Project")
