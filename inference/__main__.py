"""``python -m inference``: recommend to one listener, forecast, or serve everybody over HTTP."""

from typing import Annotated

import typer

from feature_repo.command_line import command_line, say
from feature_repo.home import Home

app = command_line("Answers from promoted models and online features.")


@app.command()
def recommend(
    user: Annotated[str, typer.Argument(help="user_id, such as u000042 or ml:196")],
    count: Annotated[int, typer.Option(min=1, max=500, help="how many tracks")] = 10,
    model: Annotated[str, typer.Option(help="NAME for the champion, NAME:VERSION for another")] = "recommendation",
) -> None:
    """What a listener has heard, and what they might want to hear next, with reasons."""
    from inference.recommend.engine import RecommendationEngine

    engine = RecommendationEngine.load(model, Home.from_env())
    answer = engine.recommend(user, count=count)
    if answer.note:
        say(answer.note)
    heard = engine.history(user, count)
    if heard:
        say(f"{user} played last:")
        for item in heard:
            say(f"    {item.title}  ·  {item.artist_name or 'unknown artist'}")
    say(f"{answer.model} recommends:")
    for place, item in enumerate(answer.items, start=1):
        say(f"{place:3} {item.title}  ·  {item.artist_name or 'unknown artist'}  ({item.track_id})")
        say(f"      {item.reason}")


@app.command()
def forecast(
    entity: Annotated[str, typer.Argument(help="track, artist, genre, platform or user")],
    key: Annotated[str, typer.Argument(metavar="ID", help="such as t000042, a00017, jazz, default, u000042")],
    target: Annotated[
        str, typer.Option(help="streams, chart, activity or load; the first that fits the entity if left out")
    ] = "",
    horizon: Annotated[int | None, typer.Option(min=1, help="steps; all that were forecast if left out")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="draw the intervals")] = False,
) -> None:
    """What is forecast of one key, with intervals, and the model that said so."""
    from inference.forecast.forecaster import target_of
    from inference.forecast.plot import lines

    found = target_of(entity, target or None).load(home=Home.from_env()).forecast(entity, key, horizon=horizon)
    say(f"{found.target} of {found.entity} {found.id}, by {found.model}, as of {found.origin:%Y-%m-%d %H:%M} UTC")
    for line in lines(found, plot=plot):
        say(line)
    if found.note:
        say(found.note)


@app.command()
def freshness() -> None:
    """How old the features online are, view by view, the oldest first."""
    import time

    from inference.monitoring.freshness import FreshnessReader, table

    for line in table(FreshnessReader(Home.from_env()).read(), time.time()):
        say(line)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535)] = 8_000,
    model: Annotated[str, typer.Option(help="NAME for the champion, NAME:VERSION for another")] = "recommendation",
) -> None:
    """Serve over HTTP: POST /v1/recommendations, /v1/forecasts, /v1/events, /health, /metrics; /docs tells more."""
    import uvicorn

    from inference.api.app import create_app

    application = create_app(model, Home.from_env())
    say(f"http://{host}:{port}/docs")
    uvicorn.run(application, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    app()
