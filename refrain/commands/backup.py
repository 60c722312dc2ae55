"""``refrain backup``: backups from which one person can be taken out afterwards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

if TYPE_CHECKING:
    from refrain.backup.restore import Result

File = Annotated[Path, typer.Argument(metavar="FILE", help="the archive, such as /backups/monday.backup")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object")]


def create(file: File, as_json: Json = False) -> None:
    """Write all that cannot be made again to an archive: raw tables, quarantine, logs, decisions.

    What names people is sealed with a key for each of them, which is not in the archive; encryption has to be on. After
    `refrain person forget ID` earlier archives cannot be read for that person. Features, models and what is
    online are left out: build, model run and materialize make them.

    Example: refrain backup create /backups/monday.backup
    """
    from refrain.backup.create import create as run

    with progress("backup") as report:
        counts = run(Home.from_env(), file, progress=report)
    if as_json:
        numbers = {"files": counts.files, "rows": counts.rows, "people": len(counts.people), "bytes": counts.size}
        say(to_json(numbers | {"left_out_rows": counts.left_out}))
        return
    say(f"{counts.files:,} files, {counts.rows:,} rows and lines, {len(counts.people):,} people")
    if counts.left_out:
        say(f"{counts.left_out:,} rows and lines left out, of people who were forgotten")
    say(f"{counts.size / 1e6:,.1f} MB in {file}")


def verify(file: File, as_json: Json = False) -> None:
    """Check that an archive is as it was written and that its keys are there; say how much of it can be read.

    Example: refrain backup verify /backups/monday.backup
    """
    from refrain.backup.restore import verify as run

    with progress("verify") as report:
        result = run(Home.from_env(), file, progress=report)
    _show(result, as_json)


def restore(file: File, as_json: Json = False) -> None:
    """Write the files of an archive into an empty data folder, without people whose keys were destroyed.

    The folder has to hold security/ with the file of wrapped keys (encryption-TENANT.json), and nothing else. May be
    killed and repeated. Then: refrain build, refrain apply, refrain materialize, refrain model run.

    Example: refrain backup restore /backups/monday.backup
    """
    from refrain.backup.restore import restore as run

    with progress("restore") as report:
        result = run(Home.from_env(check_layout=False), file, progress=report)
    _show(result, as_json)
    if not as_json:
        say("next: refrain build && refrain apply && refrain materialize")


def _show(result: "Result", as_json: bool) -> None:
    if as_json:
        numbers = {"files": result.files, "rows": result.rows, "people": len(result.people)}
        left_out = {"left_out_rows": result.left_out_rows, "left_out_people": len(result.left_out_people)}
        say(to_json({"made_at": result.about.made_at, "tenant": result.about.tenant, **numbers, **left_out}))
        return
    say(f"backup of {result.about.tenant} of {result.about.made_at}")
    say(f"{result.files:,} files, {result.rows:,} rows and lines, {len(result.people):,} people")
    if result.left_out_rows:
        say(f"{result.left_out_rows:,} rows and lines left out, of {len(result.left_out_people):,} forgotten people")


COMMANDS = CommandGroup(
    "backup", "Backups from which one person can be taken out afterwards.", (create, verify, restore), "Data"
)
