"""``refrain person``: where the data of one person are, their export, and their erasure."""

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

if TYPE_CHECKING:
    from training.pipeline.forgetting import VersionState

_MOST_LINES = 40

Id = Annotated[str, typer.Argument(metavar="ID", help="the id, such as u000042")]
Key = Annotated[str, typer.Option("--key", help="its join key, such as customer_id")]


def scan(
    id_: Id,
    key: Key = "user_id",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Search all files and the online store for an id: decoded, as text, in codings, as digests.

    Parquet, JSON, SQLite with its free pages, Redis' files, archives within archives, and the bytes of everything else.
    An id that is a number, or short, is searched as the value of its key only. The exit code is 1 if the id is there.

    Example: refrain person scan u000042
    """
    from refrain.person.erasure.online import outside_client
    from refrain.person.erasure.run import canonical
    from refrain.person.scan import scan as run

    home = Home.from_env()
    (id_,) = canonical(home, key, [id_])
    with progress("scan") as report:
        result = run(home, key, id_, server=outside_client(home), progress=report)
    if as_json:
        say(to_json(asdict(result)))
    else:
        for trace in result.traces[:_MOST_LINES]:
            form = trace.form if trace.is_certain else f"{trace.form}, perhaps of another id"
            say(f"{trace.count:>7,} {form}: {trace.path}{f', {trace.place}' if trace.place else ''}")
        if len(result.traces) > _MOST_LINES:
            say(f"        and {len(result.traces) - _MOST_LINES:,} places more; all of them: --json")
        for path, why in result.unread.items():
            say(f"not decoded, its bytes were searched: {path}: {why}")
        if not result.is_distinctive:
            say(f"{id_} could be any number or word: searched as a value of {key} only")
        say(
            f"{result.files:,} files, {result.size / 1e6:,.0f} MB with what was decoded: {len(result.certain):,} places"
        )
    if result.certain:
        raise typer.Exit(1)


def export(
    id_: Id,
    key: Key = "user_id",
    out: Annotated[Path | None, typer.Option(help="the zip to write [default: ID.zip]")] = None,
) -> None:
    """Write all that is kept about a person to a zip: reported rows, features, lines of logs.

    `refrain import person` reads it; in an empty data folder, a build then gives the same features of the person.

    Example: refrain person export u000042 --out u000042.zip
    """
    from refrain.person.export import export as run

    path, home = out or Path(f"{re.sub(r'[^0-9A-Za-z_.-]', '_', id_)}.zip"), Home.from_env()
    under = check_whole(home, "the export of a person")
    write_act(home, "person exported", **under, **whose({key: [id_]}))
    for part, count in run(home, key, id_, path).items():
        say(f"{part:40}{count:>10,}")
    say(str(path))


def forget(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="the ids, such as u000042")],
    key: Key = "user_id",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    models: Annotated[
        str, typer.Option(help="when models forget: now, or with the next-run of the lifecycle")
    ] = "next-run",
) -> None:
    """Erase people: raw rows, records, tables, what is online; build what sums over people without them.

    Later events of these people are refused. Afterwards the tables are what they would be had they never been there;
    models know what they learned until they are trained anew: at once with --models now, else by the next lifecycle or
    retrain. May be killed and repeated.

    Example: refrain person forget u000042 --yes --models now
    """
    from refrain.person.erasure.models import NOW, check_when, train_without
    from refrain.person.erasure.run import erase

    home = Home.from_env()
    check_when(models)
    if not yes and not typer.confirm(f"Erase {', '.join(ids)} from {home.root}? This cannot be undone"):
        raise typer.Exit(1)
    with progress("forget") as report:
        erasure = erase(home, key, ids, models=models, progress=report)
    certificate = erasure.certificate
    for kind, count in certificate.counts.items():
        say(f"{kind:14}{count:>10,} removed")
    say(f"{'made anew':14}{', '.join(certificate.anew) or 'nothing'}")
    say(f"{'certificate':14}{home.erasures}, of {certificate.done_at}")
    if certificate.possible:
        say(f"{'perhaps':14}{certificate.possible:>10,} places where an id may be a part of another")
    if models == NOW:
        with progress("models") as report:
            _show(train_without(home, progress=report))
    elif certificate.models:
        places = sum(len(scan.certain) for scan in erasure.scans.values())
        holds = f"; {places:,} places in them hold an id" if places else ""
        say(f"{'models':14}{', '.join(certificate.models)} may have learned from them{holds}")
        say(f"{'next':14}refrain model lifecycle all --deploy")


def status(
    id_: Id,
    key: Key = "user_id",
) -> None:
    """Say whether a person is forgotten or restricted, whether that is unfinished, and which models still know them.

    Example: refrain person status u000042
    """
    from feature_repo.extras import install_command
    from feature_repo.forgotten import Forgotten
    from refrain.person.erasure.journal import certificates, unfinished
    from refrain.person.erasure.run import canonical

    home = Home.from_env()
    (id_,) = canonical(home, key, [id_])
    forgotten = Forgotten.of(home)
    journal = unfinished(home)
    if journal and journal.key == key and id_ in journal.ids:
        raise InputError(
            expected="an erasure that is done",
            found=f"one of {id_} that was begun and not finished",
            next_command=f"refrain person forget {shlex.quote(id_)} --key {key} --yes",
        )
    if not forgotten.among(key, [id_]):
        say(f"{id_} is not forgotten: events of this person are taken")
        _say_restriction(home, key, id_)
        return
    digest = forgotten.digest(key, id_)
    own = [certificate for certificate in certificates(home) if digest in certificate.people]
    if not own:
        say(f"{id_} is forgotten, and no certificate is here: the erasure was elsewhere, as after a restore")
    for certificate in own:
        say(f"forgotten at {certificate.done_at}, asked at {certificate.requested_at}")
        if not certificate.is_genuine(home):
            say("the certificate was changed: its signature does not fit")
    try:
        from training.pipeline.forgetting import states
    except ModuleNotFoundError:
        say(f"what models know is said where training is installed: {install_command('training')}")
        return
    _show(states(home, digest))


def _show(versions: "list[VersionState]") -> None:
    """Say what each version knows of the people."""
    for each in versions:
        say(f"{each.version:32}{each.state:12}{each.note}")


def _say_restriction(home: Home, key: str, id_: str) -> None:
    from feature_repo.restricted import Restricted
    from refrain.person.restriction import online_rows

    people, again = Restricted.of(home), f"refrain person restrict {shlex.quote(id_)} --key {key}"
    if id_ in people.lifted.get(key, frozenset()):
        say(f"the restriction of {id_} is being lifted, and not done; next: {again} --lift")
    elif id_ not in people.ids_of(key):
        say(f"{id_} is not restricted: the data are used")
    elif count := online_rows(home, key, id_):
        say(f"{id_} is restricted, and {count:,} rows are online yet; next: {again}")
    else:
        say(f"{id_} is restricted: the data are stored, and not used")


def restrict(
    id_: Id,
    key: Key = "user_id",
    end: Annotated[bool, typer.Option("--lift", help="end the restriction")] = False,
) -> None:
    """Stop using a person's data: not for training, and nothing of them is online. What is stored stays.

    --lift ends that, and all is as it would be without it. May be killed and repeated.

    Example: refrain person restrict u000042
    """
    from refrain.person.restriction import lift
    from refrain.person.restriction import restrict as run

    home = Home.from_env()
    if end:
        say(f"{lift(home, key, id_):,} rows are online again; the data of {id_} are used as before")
        return
    say(f"{run(home, key, id_):,} online rows erased; the data of {id_} are stored, and not used")
    if any(home.bundles("*").parent.glob("*/*/manifest.json")):
        say("models that were trained before may have learned from them; next: refrain model lifecycle all --deploy")


def consent(
    id_: Id,
    purpose: Annotated[str, typer.Option(help="what the consent is to, such as personalisation")] = "",
    grant: Annotated[bool, typer.Option("--grant", help="the person consents, as of now")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="the person withdraws their consent, as of now")] = False,
) -> None:
    """Show what a person has consented to, or store that they grant or withdraw consent.

    Example: refrain person consent u000042 --purpose personalisation --withdraw
    """
    from refrain.person.consent import say as store_event
    from refrain.person.consent import states

    home = Home.from_env()
    if (grant or withdraw) != bool(purpose) or (grant and withdraw):
        raise InputError(
            expected="a purpose, and either --grant or --withdraw; or none of these, to show what holds",
            found=f"--purpose {purpose!r}{' --grant' * grant}{' --withdraw' * withdraw}",
            next_command=f"refrain person consent {shlex.quote(id_)} --purpose personalisation --withdraw",
        )
    if purpose:
        store_event(home, id_, purpose, granted=grant)
        say(f"{id_} {'consents to' if grant else 'withdraws consent to'} {purpose}")
        say("training counts it from now on, serving when the stream is read; next, if it is not: refrain stream")
        return
    under = check_whole(home, "what a person has consented to")
    write_act(home, "consent read", **under, **whose({"user_id": [id_]}))
    lines = states(home, id_)
    for state in lines:
        words = "said nothing" if state.granted is None else f"{'yes' if state.granted else 'no'}, of {state.since}"
        say(f"{state.purpose:20}{'allowed' if state.is_allowed else 'not allowed':14}{state.rule:14}{words}")
    if not lines:
        say(f"{id_} said nothing, and nothing needs consent: [purposes] in refrain.toml says what does")


COMMANDS = CommandGroup(
    "person",
    "A person's data: where it is, its export, its erasure; consent, and restriction of use.",
    (scan, export, forget, restrict, consent, status),
    "Data",
)
