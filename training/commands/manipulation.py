"""Command that lists accounts whose plays look made up, for a person to review."""

from dataclasses import asdict
from typing import Annotated

import typer

from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(manipulation)


def manipulation(
    most: Annotated[int, typer.Option(min=1, help="largest number of accounts to show")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all accounts")] = False,
) -> None:
    """List accounts whose plays look made up, and why: recommendations do not learn from them.

    As the next training would see them: by all plays so far, without those of people who have not consented. A person
    decides what they are; nothing is deleted.

    Example: refrain model manipulation --most 20
    """
    from training.datasets import Interactions
    from training.models.recommendation.settings import Settings
    from training.shilling.detection import Detection
    from training.shilling.reasons import NOTE, reviews

    home = Home.from_env()
    under = check_whole(home, "accounts whose plays look made up")
    plays = Interactions.load(home)
    detection = Settings().detection or Detection()
    accounts = reviews(plays, detection.assess(plays), detection)
    people = len(plays.user_ids)
    if accounts:
        named = whose({"user_id": [account.user_id for account in accounts]})
        write_act(home, "manipulation reviewed", **under, **named)
    if as_json:
        say(to_json({"listeners": people, "accounts": [asdict(each) for each in accounts]}))
        return
    if not detection.judges(people):
        judged = f"between {detection.fewest} and {detection.most:,} listeners are judged"
        say(f"{people:,} listeners; {judged}, so nobody is.")
        return
    say(f"{len(accounts):,} of {people:,} listeners. {NOTE}")
    for account in accounts[:most]:
        say(f"{account.user_id}")
        for reason in account.reasons:
            say(f"    {reason}")
    if len(accounts) > most:
        say(f"… and {len(accounts) - most:,} more; next: refrain model manipulation --most {len(accounts)}")
