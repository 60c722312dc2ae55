"""``python -m inference``: recommend to one listener, or serve everybody over HTTP."""

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
    """Serve over HTTP: POST /v1/recommendations, /health, /metrics; /docs shows all of it."""
    import uvicorn

    from inference.api.app import create_app

    application = create_app(model, Home.from_env())
    say(f"http://{host}:{port}/docs")
    uvicorn.run(application, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    app()
