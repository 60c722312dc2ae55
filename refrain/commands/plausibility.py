"""``refrain plausibility``: accounts with events that no account, or hardly any, can cause."""

from dataclasses import asdict
from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import Command


def plausibility(
    kind: Annotated[str, typer.Argument(help="kind of events")] = "plays",
    most: Annotated[int, typer.Option(min=1, help="largest number of lines to show")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all of them")] = False,
) -> None:
    """List accounts with events that no account, or hardly any, can cause, and why, for a person to review.

    All stored events are judged by [plausibility.KIND] of refrain.toml, or by its defaults. Nothing is changed.

    Example: refrain plausibility plays --most 20
    """
    from feature_repo.access.whole import check_whole
    from feature_repo.audit_lines import whose, write_act
    from feature_repo.contract import contract_of
    from transforms.raw.plausibility_review import review

    home = Home.from_env()
    under = check_whole(home, "accounts with implausible events")
    lines = review(home, kind)
    if lines:
        key = contract_of(home).events[kind].key[0]
        named = whose({key: list(dict.fromkeys(line.account for line in lines))})
        write_act(home, "plausibility reviewed", **under, **named)
    if as_json:
        moments = [{"first": line.first.isoformat(), "last": line.last.isoformat()} for line in lines]
        accounts = [asdict(line) | moment for line, moment in zip(lines, moments, strict=True)]
        say(to_json({"kind": kind, "accounts": accounts}))
        return
    for line in lines[:most]:
        say(f"{line.account:24}{line.events:>9,}  {line.first:%Y-%m-%d} … {line.last:%Y-%m-%d}  {line.reason}")
    if len(lines) > most:
        say(f"… and {len(lines) - most:,} more; next: refrain plausibility {kind} --most {len(lines)}")
    if not lines:
        say(f"no account of {kind} has such events")


COMMAND = Command(plausibility, "Data")
