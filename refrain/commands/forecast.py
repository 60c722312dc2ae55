"""``refrain forecast``: the forecast of a key of the project, or of the series of a person's own file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import say
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.commands.command import Command
from refrain.own_file.options import ANSWERS, PAGE, SEED, TIME, TIME_FORMAT

HORIZON = 28
"""Number of steps of a file that are forecast if the option is left out."""


def forecast(
    what: Annotated[
        str, typer.Argument(metavar="FILE|ENTITY", help="a file with series; or track, artist, genre, platform or user")
    ],
    key: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="of an entity, such as t000042, a00017, jazz, default, u000042")
    ] = None,
    target: Annotated[
        str, typer.Option(help="of an entity: streams, chart, activity or load; the first that fits it if left out")
    ] = "",
    horizon: Annotated[
        int | None, typer.Option(min=1, max=10_000, help=f"number of steps; all of an entity, {HORIZON} of a file")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="of an entity: draw the intervals on the terminal")] = False,
    time: TIME = "",
    time_format: TIME_FORMAT = "",
    value: Annotated[str, typer.Option(help="column of a file with the values; found if left out")] = "",
    series: Annotated[
        list[str] | None,
        typer.Option(help="column of a file with names of series; may be repeated; found if left out"),
    ] = None,
    hierarchy: Annotated[
        list[str] | None,
        typer.Option(help="column of a file with groups of the series, whose forecasts add up; may be repeated"),
    ] = None,
    step: Annotated[str, typer.Option(help="length of a step, such as 15min, 1h, 1d, 1w, 1mo; found if left out")] = "",
    combine: Annotated[
        Literal["sum", "mean", "last"] | None, typer.Option(help="what several values of one step become")
    ] = None,
    gaps: Annotated[Literal["repeat", "zero"], typer.Option(help="what a step without a value stands for")] = "repeat",
    seed: SEED = 0,
    out: ANSWERS = None,
    page: PAGE = None,
) -> None:
    """Forecast the series of a file, or show the forecast of one key of the project.

    A file: CSV, Parquet, JSON lines, Arrow or Excel, with a row for each series and time. The best of several
    forecasters is chosen on the past, measured once on the newest part beside the seasonal naive, and then answers with
    intervals. Nothing is stored but the page and the answers; no data folder is needed.

    An entity: as `refrain model forecast` has written it back; refrain forecast track t000042 --horizon 7 --plot

    Example: refrain forecast sales.csv --horizon 28 --series store --out forecast.csv
    """
    if key is not None:
        _look_up(what, key, target, horizon, plot)
        return
    path = Path(what)
    if not path.exists() and not path.suffix:
        raise InputError(
            expected="a file, or an entity and its id",
            found=f"{what!r} alone, and no file of this name",
            next_command=f"refrain forecast {what} ID  (or: refrain forecast FILE --horizon {HORIZON})",
        )
    from refrain.own_file.forecasting import forecast_file
    from refrain.own_file.series import Request
    from refrain.own_file.work import work

    request = Request(time, time_format, value, tuple(series or ()), tuple(hierarchy or ()), step, combine or "", gaps)
    work(
        "forecast",
        path,
        lambda file, report: forecast_file(file, request, horizon=horizon or HORIZON, seed=seed, progress=report),
        out=out,
        page=page,
    )


def _look_up(entity: str, key: str, target: str, horizon: int | None, plot: bool) -> None:
    """Shows the forecast of one key, as it is online."""
    from inference.forecast.forecaster import target_of
    from inference.forecast.plot import lines

    home = Home.from_env()
    if entity == "user":
        under = check_whole(home, "the forecast of a person")
        write_act(home, "forecast", **under, **whose({"user_id": [key]}))
    result = target_of(entity, target or None).load(home=home).forecast(entity, key, horizon=horizon)
    say(f"{result.target} of {result.entity} {result.id}, by {result.model}, as of {result.origin:%Y-%m-%d %H:%M} UTC")
    for line in lines(result, plot=plot):
        say(line)
    if result.note:
        say(result.note)


COMMAND = Command(forecast, "Answers")
