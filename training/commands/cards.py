"""Commands for the documents of a model, and for its reviews."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json

Version = Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="the champion if no version is named")]


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(card)
    app.command()(review)


def card(
    name: Version,
    form: Annotated[
        Literal["html", "md", "json", "annex-iv"],
        typer.Option("--format", help="the page; a card of the Hugging Face hub; all facts; EU AI Act, Annex IV"),
    ] = "md",
    out: Annotated[Path | None, typer.Option(help="file to write [default: the terminal]")] = None,
) -> None:
    """Write the card of a version from its records, with its owner, reviews and promotions until now.

    annex-iv has the headings of Annex IV of Regulation (EU) 2024/1689, and marks what only the provider can say.

    Example: refrain model card orders_returned:2 --format annex-iv --out annex_iv.md
    """
    from feature_repo.whole_files import write_whole
    from training.cards.write import write
    from training.reviews import version_of

    home = Home.from_env()
    model, version = version_of(home, name)
    text = write(home, model, version, form)
    if out is None:
        say(text.rstrip("\n"))
        return
    write_whole(out, text)
    say(str(out))


def review(
    name: Version,
    by: Annotated[str, typer.Option(help="who reviewed it")],
    note: Annotated[str, typer.Option(help="what the reviewer says")] = "",
    owner: Annotated[str, typer.Option(help="who answers for the model, unless refrain.toml says")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Record that somebody reviewed a version, now; its card and its technical documentation say so.

    Example: refrain model review orders_returned:2 --by "Ann Lee" --note "figures by country checked"
    """
    from dataclasses import asdict

    from training.reviews import review as run
    from training.reviews import stewardship_of, version_of

    home = Home.from_env()
    record = run(home, name, by=by, note=note, owner=owner)
    model, _ = version_of(home, name)
    stewardship = stewardship_of(home, model, record.version)
    if as_json:
        say(to_json(asdict(record) | {"model": model, "owner": stewardship.owner}))
        return
    say(f"{model}:{record.version} was reviewed by {record.by} at {record.at[:19]}Z")
    say(f"owner: {stewardship.owner or 'nobody; next: --owner NAME, or [owners] in refrain.toml'}")
