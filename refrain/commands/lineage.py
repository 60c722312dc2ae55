"""``refrain lineage``: what a feature, a model or an answer is made of, and what is made of a raw column or file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_repo.access.whole import check_whole
from feature_repo.audit_lines import whose, write_act
from feature_repo.command_line import say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

if TYPE_CHECKING:
    from refrain.lineage.graph import Lineage, Node
    from refrain.lineage.logs import ServedAnswer

_LISTED = 20

AsJson = Annotated[bool, typer.Option("--json", help="one JSON object")]
Anew = Annotated[bool, typer.Option("--anew", help="read the definitions again, whether they changed or not")]


def show(
    node: Annotated[str, typer.Argument(metavar="NODE", help="such as plays.ms_played, user_listening:plays_7d")],
    up: Annotated[bool, typer.Option("--up", help="only what it is made of")] = False,
    down: Annotated[bool, typer.Option("--down", help="only what is made of it")] = False,
    depth: Annotated[int | None, typer.Option(min=1, help="greatest number of steps [default: all]")] = None,
    as_json: AsJson = False,
    anew: Anew = False,
) -> None:
    """Show what a node is made of, and what is made of it, nearest first.

    Nodes are raw tables and columns, tiles, views, features, services, models, their versions, training sets, aliases.

    Example: refrain lineage show user_listening:plays_7d --up
    """
    from refrain.lineage.compiled import find, lineage_of

    lineage = lineage_of(Home.from_env(), anew=anew)
    start = find(lineage, node)
    sides = {
        "made of": lineage.upstream(start, depth) if up or not down else {},
        "part of": lineage.downstream(start, depth) if down or not up else {},
    }
    if as_json:
        facts = dict(lineage.facts.get(start, {}))
        say(
            to_json(
                {
                    "node": _as_json(start),
                    "facts": facts,
                    **{side: _listed(lineage, nodes) for side, nodes in sides.items()},
                }
            )
        )
        return
    say(str(start))
    for name, value in lineage.facts.get(start, {}).items():
        say(f"  {name:14}{value}")
    for side, nodes in sides.items():
        if nodes:
            say(f"{side}:")
        for other, steps in nodes.items():
            say(f"  {steps:>3}  {other}")


def list_(
    kind: Annotated[str, typer.Argument(metavar="[KIND]", help="such as feature, service or model")] = "",
) -> None:
    """List the nodes of a kind; without one, the kinds and their numbers.

    Example: refrain lineage list service
    """
    from refrain.lineage.compiled import lineage_of
    from refrain.lineage.graph import KINDS

    lineage = lineage_of(Home.from_env())
    nodes = [node for node in lineage.nodes if node.kind == kind]
    counts = {one: len(lineage.of_kind(one)) for one in KINDS}
    if kind and not nodes:
        kinds = ", ".join(one for one, count in counts.items() if count)
        raise InputError(
            expected=f"a kind of nodes, one of {kinds}", found=repr(kind), next_command="refrain lineage list"
        )
    for node in nodes:
        say(node.name)
    for one, count in {} if kind else counts.items():
        say(f"{count:>7,} {one}")


def answer(
    id_: Annotated[str, typer.Argument(metavar="ID", help="the answer_id or request_id")],
    as_json: AsJson = False,
) -> None:
    """Show which model, training set, feature rows and raw files a logged answer came from, with digests.

    Example: refrain lineage answer 8d7c0a51f3e2
    """
    from refrain.lineage.compiled import lineage_of
    from refrain.lineage.logs import find_answer
    from refrain.lineage.served import trace

    home = Home.from_env()
    under = check_whole(home, "the rows of an answer")
    served = find_answer(home, id_)
    write_act(home, "answer traced", **under, answer=id_, **whose(served.keys))
    traced = trace(home, lineage_of(home), served)
    if as_json:
        say(
            to_json(
                {
                    **_answer_as_json(served),
                    "version": traced.version,
                    "facts": dict(traced.facts),
                    "missing": traced.missing,
                    "rows": traced.rows.to_dicts(),
                    "raw": traced.raw.to_dicts(),
                }
            )
        )
        return
    say(_line(served))
    say(f"  {'model':14}{traced.version or served.model or '-'}")
    for name, value in traced.facts.items():
        say(f"  {name:14} {value}")
    say(f"  {'services':14}{', '.join(served.services) or '-'}")
    say(f"feature rows: {traced.rows.height}")
    for row in traced.rows.iter_rows(named=True):
        say(f"  {_moment(row['event_timestamp'])}  {row['view']}  {row['key']}  {row['path']}  {row['digest'][:12]}")
    say(f"raw files: {traced.raw.height}")
    for row in traced.raw.iter_rows(named=True):
        count = "all" if row["rows"] is None else f"{row['rows']:,}"
        say(f"  {count:>9} rows  {row['path']}  {row['digest'][:12]}")
    for text in traced.missing:
        say(f"missing: {text}")


def file(
    path: Annotated[str, typer.Argument(metavar="FILE", help="a raw file, such as plays/date=2026-03-01")],
    as_json: AsJson = False,
) -> None:
    """Show which logged answers came from a raw file: those whose feature rows count events of it.

    Example: refrain lineage file plays/date=2026-03-01
    """
    from refrain.lineage.compiled import lineage_of
    from refrain.lineage.served import answers_from

    home = Home.from_env()
    under = check_whole(home, "logged answers")
    write_act(home, "answers listed", **under, file=path)
    answers = answers_from(home, lineage_of(home), path)
    if as_json:
        say(to_json([_answer_as_json(one) for one in answers]))
        return
    for one in answers[:_LISTED]:
        say(_line(one))
    say(f"{len(answers):,} logged answers came from it")


def answers(
    most: Annotated[int, typer.Option(min=1, help="how many")] = _LISTED,
    as_json: AsJson = False,
) -> None:
    """List the newest logged answers, with the ids that `refrain lineage answer` takes.

    Example: refrain lineage answers --most 5
    """
    from refrain.lineage.logs import newest

    home = Home.from_env()
    under = check_whole(home, "logged answers")
    write_act(home, "answers listed", **under, rows=most)
    newest_answers = newest(home, most)
    if as_json:
        say(to_json([_answer_as_json(one) for one in newest_answers]))
        return
    for one in newest_answers:
        say(_line(one))
    if not newest_answers:
        say("no answers are logged; next: REFRAIN_LOG_IMPRESSIONS=1 refrain serve")


def export(
    target: Annotated[str, typer.Argument(metavar="FILE|URL", help="a file of JSON lines, or the URL of a collector")],
) -> None:
    """Write the lineage as OpenLineage events with column lineage, to a file or to a collector over HTTP.

    Example: refrain lineage export lineage.jsonl
    """
    from refrain.lineage.compiled import lineage_of
    from refrain.lineage.openlineage import events, send

    home = Home.from_env()
    count = send(events(home, lineage_of(home)), target)
    say(f"{count} events → {target}")


def page(
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="the page to write")],
    node: Annotated[str, typer.Option(help="only what this node is made of and part of [default: all views]")] = "",
) -> None:
    """Write the graph as one page without scripts from elsewhere: tables, views, services, models, versions.

    Example: refrain lineage page lineage.html
    """
    from refrain.lineage.compiled import find, lineage_of
    from refrain.lineage.page import draw

    lineage = lineage_of(Home.from_env())
    out.write_text(draw(lineage, find(lineage, node) if node else None))
    say(str(out))


def _as_json(node: "Node") -> dict[str, str]:
    return {"kind": node.kind, "name": node.name}


def _listed(lineage: "Lineage", nodes: "dict[Node, int]") -> list[dict[str, Any]]:
    return [{**_as_json(node), "steps": steps, **_facts(lineage, node)} for node, steps in nodes.items()]


def _facts(lineage: "Lineage", node: "Node") -> dict[str, Any]:
    facts = lineage.facts.get(node)
    return {"facts": dict(facts)} if facts else {}


def _answer_as_json(served: "ServedAnswer") -> dict[str, Any]:
    keys = {name: list(values) for name, values in served.keys.items()}
    about = {"id": served.id, "at": served.at, "kind": served.kind, "model": served.model}
    return {**about, "services": list(served.services), "keys": keys}


def _line(served: "ServedAnswer") -> str:
    who = ", ".join(f"{name}={values[0]}{' …' if len(values) > 1 else ''}" for name, values in served.keys.items())
    return f"{_moment(served.at)}  {served.id}  {served.kind}  {served.model or '-'}  {who}"


def _moment(microseconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds")


list_.__name__ = "list"

COMMANDS = CommandGroup(
    "lineage",
    "What features, models and answers are made of, and what is made of raw data.",
    (show, list_, answer, answers, file, export, page),
    "Data",
)
