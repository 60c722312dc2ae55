"""``refrain access``: what a role sees, break-glass, and the reviews of it."""

from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

Id = Annotated[str, typer.Argument(metavar="ID", help="id of the break-glass")]


def show(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="a feature service")],
    role: Annotated[str, typer.Option(help="a role of [access]; none for callers without one")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Show what a role sees of a feature service: columns as they are, masked, refused; and conditions on rows.

    Example: refrain access show listener_v1 --role analyst
    """
    from feature_repo.access.compiled import load_access
    from feature_repo.access.sight import sight_of
    from feature_repo.access.viewer import Viewer
    from feature_repo.manifest import load_service

    home = Home.from_env()
    compiled, resolved = load_access(home), load_service(home, service)
    if compiled is None:
        say("the project has no [access]: everybody sees everything")
        return
    if role and role not in compiled.settings.roles:
        raise InputError(
            expected=f"a role of [access], one of {sorted(compiled.settings.roles)}",
            found=repr(role),
            next_command=f"refrain access show {service}",
        )
    sight = sight_of(compiled, resolved, Viewer("nobody", frozenset({role} if role else ()), act_as=role))
    conditions = [f"{one.name} is {', '.join(sorted(one.values)) or 'the own id'}" for one in sight.conditions]
    columns = {name: sight.hidden.get(name, "seen") for name, _ in resolved.features}
    if as_json:
        say(to_json({"role": sight.role, "columns": columns, "rows": conditions}))
        return
    for name, treatment in columns.items():
        say(f"{treatment:16}{name:44}{', '.join(compiled.marks_of(name))}")
    for condition in conditions:
        say(f"rows: only where {condition}")


def break_glass(
    reason: Annotated[str, typer.Option(help="why, in a sentence that a reviewer understands")],
    role: Annotated[str, typer.Option(help="the role that is needed")],
    minutes: Annotated[int, typer.Option(min=1, help="for how long; it ends by itself")] = 30,
    key: Annotated[str, typer.Option("--for", help="id of an API key that gets it [default: this user]")] = "",
) -> None:
    """Hold a role for some minutes, for a reason. Begin, reads and end are written down, and reviewed afterwards.

    Example: refrain access break-glass --role analyst --minutes 30 --reason "ticket 4711: wrong charts of a listener"
    """
    from feature_repo.access.break_glass import BreakGlass
    from feature_repo.access.grant_acts import fields_of, write_ends
    from feature_repo.access.viewer import own_role, user_name
    from feature_repo.audit_lines import write_act
    from feature_repo.project import Project

    home = Home.from_env()
    settings, grants = Project.load(home.project_folder).access, BreakGlass(home)
    if settings is None:
        raise InputError(
            expected="a project with [access]",
            found="one in which everybody sees everything",
            next_command="refrain init",
        )
    write_ends(home, grants)
    if key:
        from inference.security.keys import KeyRing

        caller = KeyRing(home).caller_of(key)
        holder, roles = caller.id, caller.roles
    else:
        holder = f"os:{user_name()}"
        roles = frozenset({own_role(settings)})
    grant = grants.start(settings, holder, roles, role, reason, minutes)
    try:
        write_act(home, "break-glass started", **fields_of(grant))
    except Exception:
        grants.end(grant.id)  # what cannot be written down is not granted
        raise
    say(f"{grant.id}: {holder} holds {role} for {minutes} minutes; it will be reviewed: refrain access reviews")


def end(id_: Id) -> None:
    """End a break-glass before its time.

    Example: refrain access end 3f9a1c20
    """
    from feature_repo.access.break_glass import BreakGlass
    from feature_repo.access.grant_acts import write_ends

    home = Home.from_env()
    grants = BreakGlass(home)
    grant = grants.end(id_)
    write_ends(home, grants)
    say(f"{grant.id} is over; next: refrain access reviews")


def reviews(
    all_: Annotated[bool, typer.Option("--all", help="also those that were reviewed, and that last yet")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """List break-glasses that are over and not reviewed, with the reads under each. Exit code 1 if there are any.

    Example: refrain access reviews
    """
    from feature_repo.access.break_glass import BreakGlass, at
    from feature_repo.access.grant_acts import write_ends
    from inference.security.audit import acts

    home = Home.from_env()
    grants = BreakGlass(home)
    write_ends(home, grants)
    reads: dict[str, int] = {}
    for act in acts(home):
        if "grant" in act and not str(act.get("act", "")).startswith("break-glass"):
            reads[act["grant"]] = reads.get(act["grant"], 0) + 1
    open_count = 0
    for grant in grants.all():
        lasts = grants.is_active(grant)
        is_open = not lasts and not grant.reviewer
        open_count += is_open
        if not (is_open or all_):
            continue
        state = "lasts" if lasts else "to review" if is_open else f"{grant.verdict}, by {grant.reviewer}"
        if as_json:
            say(
                to_json(
                    {
                        "id": grant.id,
                        "holder": grant.caller,
                        "role": grant.role,
                        "reason": grant.reason,
                        "started": at(grant.started),
                        "minutes": grant.minutes,
                        "state": state,
                        "reads": reads.get(grant.id, 0),
                        "note": grant.note,
                    }
                )
            )
            continue
        say(f"{grant.id}  {at(grant.started)}  {grant.minutes:>4} min  {grant.caller} as {grant.role}: {state}")
        say(f"          {reads.get(grant.id, 0):,} acts under it; reason: {grant.reason}")
    if not as_json:
        say(f"{open_count} to review")
    if open_count:
        raise typer.Exit(1)


def review(
    id_: Id,
    verdict: Annotated[str, typer.Option(help="justified, or not justified")],
    note: Annotated[str, typer.Option(help="what was looked at, and what follows")],
) -> None:
    """Store the review of a break-glass, by another person than the holder.

    Example: refrain access review 3f9a1c20 --verdict justified --note "ticket 4711 needed the history"
    """
    from feature_repo.access.break_glass import BreakGlass
    from feature_repo.access.grant_acts import fields_of
    from feature_repo.access.viewer import user_name
    from feature_repo.audit_lines import write_act

    home = Home.from_env()
    grant = BreakGlass(home).review(id_, f"os:{user_name()}", verdict, note)
    write_act(home, "break-glass reviewed", **fields_of(grant), verdict=verdict, note=grant.note)
    say(f"{grant.id}: {grant.verdict}, by {grant.reviewer}")


COMMANDS = CommandGroup(
    "access",
    "Who sees which columns and rows; break-glass and its reviews.",
    (show, break_glass, end, reviews, review),
    "Data",
)
