"""The commands of answers: recommend, analyze texts, or serve over HTTP."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_repo import clock
from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import command_line, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import Project

app = command_line("Predictions from promoted models and online features.")


def _has_music() -> bool:
    """Whether the models that a note would name can be trained here."""
    return Project.load(Home.from_env().project_folder).has_music


@app.command()
def recommend(
    user: Annotated[str, typer.Argument(help="user_id, such as u000042 or ml:196")],
    count: Annotated[int, typer.Option(min=1, max=500, help="how many tracks")] = 10,
    model: Annotated[str, typer.Option(help="NAME for the champion, NAME:VERSION for another")] = "recommendation",
    strategy: Annotated[
        str,
        typer.Option(
            help="collaborative, content, hybrid, real_time, cold_start; again or forgotten for heard tracks; "
            "what fits if left out"
        ),
    ] = "",
    pick: Annotated[list[str] | None, typer.Option(help="track_id that a new listener likes; may be repeated")] = None,
    genre: Annotated[list[str] | None, typer.Option(help="genre that a new listener likes; may be repeated")] = None,
    country: Annotated[str | None, typer.Option(help="country of the listener, such as SE")] = None,
    explicit: Annotated[bool, typer.Option(help="whether to include explicit tracks")] = True,
    diversify: Annotated[
        Literal["mmr", "calibrated"] | None,
        typer.Option(help="mmr (dissimilar tracks) or calibrated (the listener's genres)"),
    ] = None,
    diversity: Annotated[float, typer.Option(min=0, max=1, help="weight of diversity beside the score")] = 0.3,
    long_tail: Annotated[float, typer.Option(min=0, max=1, help="bonus of less popular tracks, such as 0.15")] = 0.0,
    explore: Annotated[float, typer.Option(min=0, max=1, help="share of slots with tracks to explore")] = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="say without what the first track would not have come first")
    ] = False,
) -> None:
    """Show what a listener played last, and recommend tracks with reasons.

    Example: refrain recommend u000042 --count 5
    """
    from inference.recommend.models import OF_STRATEGY

    if strategy not in OF_STRATEGY:
        raise InputError(
            expected=f"a strategy, one of {[name for name in OF_STRATEGY if name]}",
            found=repr(strategy),
            next_command="refrain recommend --help",
        )
    home = Home.from_env()
    under = check_whole(home, "recommendations and what a listener played")
    engine = OF_STRATEGY[strategy].load(model, home)
    write_act(home, "recommendation", **under, **whose({"user_id": [user]}))
    answer = engine.recommend(
        user,
        count=count,
        pick_tracks=pick or (),
        pick_genres=genre or (),
        country=country,
        explicit=explicit,
        diversify=diversify,
        diversity=diversity,
        long_tail=long_tail,
        explore=explore,
        explain=explain,
    )
    if answer.note:
        say(answer.note)
    heard = engine.history(user, count)
    if heard:
        say(f"{user} played last:")
        for item in heard:
            say(f"    {item.title}  ·  {item.artist_name or 'unknown artist'}")
    say(f"{answer.model} ({answer.strategy}) recommends:")
    for place, item in enumerate(answer.items, start=1):
        say(f"{place:3} {item.title}  ·  {item.artist_name or 'unknown artist'}  ({item.track_id})")
        say(f"      {item.reason}")
    if explain:
        say(answer.counterfactual.text if answer.counterfactual else "nothing was found without which another is first")


@app.command()
def text(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="one or more; or none, with --file")] = None,
    file: Annotated[
        Path | None, typer.Option(help="table or JSON of texts, or a file with one a line; '-' for standard input")
    ] = None,
    column: Annotated[
        str, typer.Option("--text", metavar="NAME", help="column or field with the texts of --file; found if left out")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object per text")] = False,
) -> None:
    """Analyse texts: language, sentiment, emotion, tags, topic, measures.

    The promoted models are used; without any, only language and measures are shown. Personal data are masked.

    Example: refrain text "not a weak song on it"
    """
    from inference.text.analyzer import TextAnalyzer
    from inference.text.console_output import as_lines, line_of_json, read

    inputs = [*(texts or ()), *(read(file, column) if file else ())]
    if not inputs:
        raise InputError(
            expected="a text, or --file",
            found="nothing",
            next_command='refrain text "not a weak song on it"',
        )
    analyzer = TextAnalyzer.load(Home.from_env())
    for answer in analyzer.analyze(inputs):
        for line in [line_of_json(answer)] if as_json else as_lines(answer):
            say(line)
    if analyzer.note and not as_json and _has_music():
        say(analyzer.note)


@app.command()
def freshness() -> None:
    """Show the age of the features online, view by view, the oldest first.

    Example: refrain freshness
    """
    import time

    from inference.monitoring.freshness import FreshnessReader, table

    for line in table(FreshnessReader(Home.from_env()).read(), clock.seconds(), time.time()):
        say(line)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="port to listen on; 0 for any free one")] = 8_000,
    model: Annotated[
        str, typer.Option(help="recommender: NAME for the champion, NAME:VERSION for another")
    ] = "recommendation",
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes; one that dies is replaced")] = 1,
    access: Annotated[
        str, typer.Option(help="keys (required), open (not required), auto (required once a key exists)")
    ] = "auto",
    p99: Annotated[float, typer.Option(min=1, help="goal in milliseconds, kept by answering with less work")] = 100.0,
    host_name: Annotated[
        list[str] | None,
        typer.Option(help="name under which it may be asked besides its own; * for every name"),
    ] = None,
    proxies: Annotated[
        str, typer.Option(help="addresses of proxies whose X-Forwarded-For counts, such as 127.0.0.1,10.0.0.0/8")
    ] = "",
    log: Annotated[
        Literal["json", "text"] | None, typer.Option(help="log every request, too; warnings alone if left out")
    ] = None,
) -> None:
    """Serve features, predictions and events over HTTP, and all that the promoted models answer.

    The page /docs documents every route, / is a console. A model that is promoted later is taken over within two
    seconds. To let nobody in without a key, create one first: refrain keys create NAME --role predict

    Example: refrain serve --port 8080 --workers 2
    """
    from inference.serve import serve as run

    run(
        Home.from_env(),
        host=host,
        port=port,
        model=model,
        workers=workers,
        access=access,
        p99=p99,
        host_names=host_name or (),
        proxies=proxies,
        log=log or "",
    )


for _name in ("keys", "theft", "experiments", "monitor"):
    app.add_typer(import_module(f"inference.commands.{_name}").app, name=_name)

if __name__ == "__main__":
    app()
