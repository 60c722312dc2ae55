"""Commands that fill the raw tables with a seeded world whose truth is known."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from feature_repo import clock
from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.commands.say_report import say_report


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(simulate)
    app.command("simulate-telemetry")(simulate_telemetry)
    app.command("simulate-sound")(simulate_sound)


def simulate(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    users: Annotated[int, typer.Option(min=1, help="number of listeners")] = 2_000,
    tracks: Annotated[int, typer.Option(min=100, help="number of tracks of the catalogue")] = 5_000,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="number of days")] = 60,
    plays: Annotated[int, typer.Option(min=1, help="expected number of plays")] = 1_000_000,
    start: Annotated[str, typer.Option(help="first day, UTC")] = "2026-01-01",
) -> None:
    """Fill the raw tables with a seeded, simulated world of listening whose true parameters are known.

    Example: refrain simulate --users 200 --plays 20000
    """
    from transforms.raw.simulate.run import simulate as run
    from transforms.raw.simulate.world import Size

    _check_music()
    first = _first_day(start, days)
    with progress("simulate") as report_progress:
        report = run(Home.from_env(), Size(users, tracks, days, plays, first), seed, progress=report_progress)
    say_report(report)


def simulate_telemetry(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    hosts: Annotated[int, typer.Option(min=1, help="number of hosts")] = 8,
    endpoints: Annotated[int, typer.Option(min=1, help="endpoints of the service")] = 5,
    rate: Annotated[float, typer.Option(min=0.1, help="requests a minute and endpoint")] = 12.0,
    accounts: Annotated[int, typer.Option(min=10, help="accounts that log in")] = 200,
    masters: Annotated[int, typer.Option(min=0, help="masters measured a day")] = 60,
    days: Annotated[int, typer.Option(min=2, max=365, help="number of days")] = 21,
    quiet_days: Annotated[int, typer.Option(min=0, help="days without incidents at the beginning")] = 14,
    incidents: Annotated[int, typer.Option(min=0, help="incidents of each kind in the later days")] = 6,
) -> None:
    """Fill the raw tables with a seeded service whose incidents are known: hosts, requests, logins, plays, masters.

    Example: refrain simulate-telemetry --hosts 4 --days 28
    """
    from transforms.raw.simulate.telemetry.run import simulate_telemetry as run
    from transforms.raw.simulate.telemetry.schedule import TelemetrySize

    _check_music()
    if quiet_days >= days:
        raise InputError(
            expected=f"fewer quiet days than days ({days})",
            found=str(quiet_days),
            next_command="refrain simulate-telemetry --help",
        )
    size = TelemetrySize(hosts, endpoints, rate, accounts, masters, days, quiet_days, incidents)
    with progress("simulate telemetry") as report_progress:
        report = run(Home.from_env(), size, seed, progress=report_progress)
    say_report(report)


def simulate_sound(
    seed: Annotated[int, typer.Option(help="the same seed, songs and seconds give the same sound")] = 7,
    songs: Annotated[int, typer.Option(min=1, help="number of songs")] = 480,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="length of each song")] = 12.0,
) -> None:
    """Compose and play songs whose tempo, key, genre, mood and instruments are known, and import them.

    The songs belong to tracks of the simulated world, if there is one. They are ogg, mp3 and flac files in the data
    folder. The command may be stopped and run again: songs that are written and analysed stay.

    Example: refrain simulate-sound --songs 40
    """
    from transforms.raw.simulate.sound.run import simulate_sound as run

    _check_music()
    with progress("simulate sound") as report_progress:
        folder, report = run(Home.from_env(), songs=songs, seconds=seconds, seed=seed, progress=report_progress)
    say_report(report)
    say(f"sound and truth: {folder}")


def _check_music() -> None:
    """Raises an InputError if the project lacks the tables of music, which a simulated world fills."""
    from feature_repo.contract import contract_of

    contract = contract_of(Home.from_env())
    if not contract.project.has_music:
        raise InputError(
            expected="a project with the definitions of music",
            found=f"the project {contract.project.name}, which is without",
            next_command=f'{contract.import_command()}  (or: extends = ["music"] in {contract.project.file})',
        )


def _first_day(text: str, days: int) -> datetime:
    """Parse the first day of a simulated world; returns its midnight. The catalogue begins earlier.

    Raises:
        InputError: the text is not a day, or the day is in the future or too early for valid timestamps.
    """
    from transforms.raw.simulate.world import OLDEST

    earliest = clock.BEGINNING + OLDEST
    try:
        first = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        first = None
    if first is None or not earliest <= first <= datetime.now(UTC):
        raise InputError(
            expected=f"a day such as 2026-01-01, from {earliest:%Y-%m-%d} to today",
            found=repr(text),
            next_command=f"refrain simulate --days {days}",
        )
    return first
