"""Commands that train on the listeners of several data folders."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, progress, say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json

ABOUT = """Train one model on the listeners of several data folders, whose plays stay where they are.

Each folder is a silo: it counts its own listeners, masks the counts, and sends only sums that nobody can read alone. A
coordinator adds them up and sees the sum of all. Models of it equal, bit for bit, those of one folder with everybody.

To try it out here: refrain model federate recommendation --silos 5 --local

With others: every party makes a key (refrain signing key) and all pin the same silos.toml; one runs 'recommendation',
the others run 'join' with its address.
"""


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    commands = command_line(ABOUT)
    commands.command()(recommendation)
    commands.command()(join)
    app.add_typer(commands, name="federate", help=ABOUT)


def recommendation(
    silos: Annotated[
        str, typer.Option(help="silos.toml with the keys of all parties; with --local, a number of silos")
    ],
    local: Annotated[
        bool, typer.Option("--local", help="divide this folder's people into silos, as processes")
    ] = False,
    name: Annotated[
        str, typer.Option(help="name of the run; a run that was killed goes on under its name")
    ] = "recommendation",
    before: Annotated[str, typer.Option(help="count plays before this time only, such as 2026-07-01")] = "",
    threshold: Annotated[int, typer.Option(min=0, help="fewest silos of a sum; 0 for two thirds and one")] = 0,
    least_listeners: Annotated[int, typer.Option(min=1, help="fewest listeners, of all silos, of a track")] = 5,
    deadline: Annotated[float, typer.Option(min=1, help="seconds of each phase of a round")] = 300.0,
    items: Annotated[
        Path | None, typer.Option(help="file of public track ids, one a line; none: a hashed union")
    ] = None,
    segment: Annotated[list[str] | None, typer.Option(help="segment whose popularity is counted, such as SE")] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="port to listen on; 0 for a free one")] = 0,
    certificate: Annotated[Path | None, typer.Option(help="certificate in PEM, for HTTPS")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="private key of the certificate, in PEM")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="a proxy ends TLS: plain HTTP is served")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Coordinate a run: wait for the silos, add up their masked counts, and give all of them the sums.

    The sum of every round is kept, so that the same command goes on after it was killed. With --local a version is
    registered here; otherwise each silo registers one in its own folder, and this machine needs no plays.

    Example: refrain model federate recommendation --silos 5 --local
    """
    from training.private.federated.run_recommender import Settings, coordinate_local, coordinate_served

    settings = Settings(
        name=name,
        before=_micros(before),
        threshold=threshold,
        least_listeners=least_listeners,
        deadline_s=deadline,
        items=None if items is None else _ids(items),
        segments=tuple(segment or ()),
        host=host,
        port=port,
        certificate=certificate,
        certificate_key=certificate_key,
        is_behind_proxy=behind_proxy,
    )
    home = Home.from_env()
    with progress(f"federate {name}") as report:
        if local:
            summary = coordinate_local(home, settings, _number(silos), report)
        else:
            summary = coordinate_served(home, settings, Path(silos), report, lambda url: say(f"coordinator: {url}"))
    _show(summary.record(), summary.lines(), as_json)


def join(
    url: Annotated[str, typer.Argument(help="address of the coordinator, such as https://sums.example.org")],
    silo: Annotated[str, typer.Option(help="name of this silo in silos.toml")],
    silos: Annotated[Path, typer.Option(help="silos.toml: the keys of all parties, as this silo pins them")],
    least_silos: Annotated[int, typer.Option(min=3, help="fewest silos of a sum that this silo takes part in")] = 3,
    least_listeners: Annotated[int, typer.Option(min=1, help="fewest listeners of a track in the terms")] = 1,
    statistic: Annotated[list[str] | None, typer.Option(help="statistic that may be counted; all if left out")] = None,
    register: Annotated[bool, typer.Option("--register/--no-register", help="register a version of the result")] = True,
    authorities: Annotated[Path | None, typer.Option(help="certificates that the coordinator's is signed by")] = None,
    patience: Annotated[float, typer.Option(min=1, help="seconds to wait for each message")] = 600.0,
    part: Annotated[str, typer.Option(hidden=True, help="part of the listeners, such as 2/5, for a trial")] = "1/1",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Take part in a run with the listeners of this data folder, and register the model of all.

    Read the terms in docs/federated.md before: sums of few silos, or of tracks with few listeners, say more of people
    than others. This command refuses terms below its limits before it counts anything.

    Example: refrain model federate join https://sums.example.org --silo label_a --silos silos.toml
    """
    from training.private.federated.run_recommender import join_run
    from training.private.federated.silo import Limits

    limits = Limits(least_silos, frozenset(statistic) if statistic else None, least_listeners)
    with progress(f"silo {silo}") as report:
        summary = join_run(
            Home.from_env(), url, silo, silos, limits, _part(part), register, authorities, patience, report
        )
    _show(summary.record(), summary.lines(), as_json)


def _show(record: dict[str, object], lines: list[str], as_json: bool) -> None:
    if as_json:
        say(to_json(record))
        return
    for line in lines:
        say(line)


def _micros(text: str) -> int | None:
    """µs since 1970 UTC of a time; None of an empty text."""
    from feature_repo.errors import InputError

    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(
            expected="--before TIME, such as 2026-07-01 or 2026-07-01T12:00:00+00:00",
            found=repr(text[:100]),
            next_command="refrain model federate recommendation --help",
        ) from error
    if moment is None:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000


def _ids(file: Path) -> list[str]:
    from feature_repo.errors import InputError

    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(
            expected=f"--items FILE with the id of a track on each line, in {file}",
            found=getattr(error, "strerror", None) or "no UTF-8",
            next_command="refrain model federate recommendation --help",
        ) from error


def _number(text: str) -> int:
    from feature_repo.errors import InputError

    if not text.isdigit() or not 3 <= int(text) <= 64:
        raise InputError(
            expected="--silos with --local: a number of silos, 3 to 64",
            found=repr(text[:100]),
            next_command="refrain model federate recommendation --silos 5 --local",
        )
    return int(text)


def _part(text: str) -> tuple[int, int]:
    from feature_repo.errors import InputError

    number, slash, parts = text.partition("/")
    if not slash or not number.isdigit() or not parts.isdigit() or not 1 <= int(number) <= int(parts):
        raise InputError(expected="--part such as 2/5", found=repr(text[:100]), next_command="leave --part out")
    return int(number) - 1, int(parts)
