"""``refrain keys``: creates, lists and revokes API keys."""

from typing import Annotated

import typer

from feature_repo.command_line import command_line, say
from feature_repo.home import Home
from inference.security.audit import AuditLog
from inference.security.caller import ROLES, Limits
from inference.security.keys import KeyRing

app = command_line("API keys: create, list and revoke them. What was done with them: refrain audit show.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="name of the owner, such as 'web player'")],
    role: Annotated[list[str], typer.Option(help=f"{', '.join(ROLES)}, or one of [access]; may be given again")],
    days: Annotated[float | None, typer.Option(help="days after which it expires; never if left out")] = None,
    per_second: Annotated[float, typer.Option(help="requests a second in the long run")] = 100.0,
    burst: Annotated[int, typer.Option(help="requests at once")] = 200,
    per_day: Annotated[int | None, typer.Option(help="requests a day (UTC); any number if left out")] = None,
    questions_per_day: Annotated[
        int | None, typer.Option(help="distinct questions to one model a day (UTC); any number if left out")
    ] = None,
    events_per_day: Annotated[
        int | None, typer.Option(help="events that it sends a day (UTC); any number if left out")
    ] = None,
    digits: Annotated[int | None, typer.Option(help="digits of predictions; all if left out")] = None,
) -> None:
    """Create a key. It is shown once; only its digest is stored.

    With the first key, access is restricted: from then on a server requires a key for every request.

    Example: refrain keys create "web player" --role predict --days 90
    """
    home = Home.from_env().ensure()
    limits = Limits(per_second, burst, per_day, questions_per_day, digits, events_per_day)
    text, key = KeyRing(home).create(name, role, days=days, limits=limits)
    _audit(home, "key created", key.id, key.name)
    say(text)
    typer.secho(f"id {key.id}, tenant {key.tenant}: {', '.join(key.roles)}. It is not shown again.", err=True)


@app.command("list")
def show() -> None:
    """List all keys ever created, oldest first.

    Example: refrain keys list
    """
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    say(f"{'id':10}{'name':24}{'state':10}{'made':12}{'ends':12}{'a second':>10}{'a day':>12}  roles")
    for key in KeyRing(Home.from_env()).all():
        ends = f"{key.expires:%Y-%m-%d}" if key.expires else "never"
        a_day = "any" if key.limits.per_day is None else f"{key.limits.per_day:,}"
        say(
            f"{key.id:10}{key.name[:23]:24}{key.state(now):10}{key.created:%Y-%m-%d}  {ends:12}"
            f"{key.limits.per_second:10g}{a_day:>12}  {', '.join(key.roles)}"
        )


@app.command()
def revoke(id: Annotated[str, typer.Argument(help="as 'keys list' shows it")]) -> None:
    """Revoke a key for good; servers refuse it within a second.

    Example: refrain keys revoke 3f9a1c
    """
    home = Home.from_env()
    key = KeyRing(home).revoke(id)
    _audit(home, "key revoked", key.id, key.name)
    say(f"{key.id} ({key.name}) is revoked")


def _audit(home: Home, act: str, key: str, name: str) -> None:
    audit = AuditLog(home)
    audit.put(act, key=key, name=name)
    audit.flush()
