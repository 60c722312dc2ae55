"""``refrain audit``: what happened, who read a person's data, what one caller did."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import shorten
from typing import Annotated, Any

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.csv_text import write_rows
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

MAX_SHOWN = 160
"""Maximum characters of a field on a terminal."""
_FIRST = ("at", "act", "key")
_COLUMNS = (*_FIRST, "name", "role", "reason", "method", "path", "address", "request_id", "unwritten", "rows", "keys")
"""Columns of a table for a spreadsheet."""

Since = Annotated[str, typer.Option(help="oldest moment: ISO 8601, or 7d, 12h, 30m")]
Kind = Annotated[str, typer.Option("--act", help="kind of the acts, such as features")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


def show(
    since: Since = "",
    act: Kind = "",
    role: Annotated[str, typer.Option(help="role under which it was done")] = "",
    last: Annotated[int, typer.Option(min=1, help="number of the newest ones")] = 50,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="as CSV for a spreadsheet, with whole fields")] = False,
) -> None:
    """Show the newest acts: reads of people's data, refusals, administration, keys made and revoked, break-glass.

    Example: refrain audit show --act "training set" --since 7d
    """
    from refrain.audit_log.reader import Selection, parse_since, select

    selection = Selection(parse_since(since, datetime.now(UTC)), act, role=role)
    entries = select(Home.from_env(), selection)[-last:]
    if as_csv:
        write_rows(sys.stdout, [_COLUMNS, *([entry.get(name) for name in _COLUMNS] for entry in entries)])
        return
    _say(entries, as_json=as_json)


def who_read(
    person: Annotated[str, typer.Argument(metavar="ID", help="the id, such as u000042")],
    key: Annotated[str, typer.Option("--key", help="its join key, such as customer_id")] = "user_id",
    since: Since = "",
    as_json: AsJson = False,
) -> None:
    """Show who read a person's data: lookups, answers, training sets, exports.

    Acts about more people than a line names are listed as such, unless the spine of a saved training set tells.

    Example: refrain audit who-read u000042 --since 90d
    """
    from refrain.audit_log.reader import Selection, parse_since, reads_of

    reads = list(reads_of(Home.from_env(), person, key, Selection(parse_since(since, datetime.now(UTC)))))
    _say(reads, as_json=as_json)
    if not as_json:
        perhaps = sum(not entry["certain"] for entry in reads)
        say(f"{len(reads) - perhaps:,} reads of {person}, and {perhaps:,} of people who are not all named")


def by(
    caller: Annotated[str, typer.Argument(metavar="CALLER", help="id of a key, oidc:SUBJECT, or os:USER")],
    since: Since = "",
    act: Kind = "",
    as_json: AsJson = False,
) -> None:
    """Show what a caller did.

    Example: refrain audit by 3f9a1c20 --since 2026-03-01
    """
    from refrain.audit_log.reader import Selection, parse_since, select

    _say(select(Home.from_env(), Selection(parse_since(since, datetime.now(UTC)), act, caller)), as_json=as_json)


def _say(entries: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    for entry in entries:
        if as_json:
            say(to_json(entry))
            continue
        fields = [
            f"{name} {shorten(value if isinstance(value, str) else to_json(value), MAX_SHOWN)}"
            for name, value in entry.items()
            if name not in _FIRST and value not in ("", None, True)
        ]
        say(f"{entry['at'][:19]}  {entry['act']:15}  {entry.get('key') or '-':12}  {'  '.join(fields)}")


COMMANDS = CommandGroup(
    "audit",
    "The audit log: what happened, who read a person's data, what one caller did.",
    (show, who_read, by),
    "Data",
)
