"""``refrain comply``: checks the rules of a project about data of people."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_repo import clock
from feature_repo.command_line import say, show_error
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from refrain.commands.command import Command

INVALID = 2
"""Exit code where the policy, a declaration or a file is not valid, so that nothing can be said."""


def comply(
    rule: Annotated[list[str] | None, typer.Option("--rule", help="check this rule alone; may be repeated")] = None,
    policy: Annotated[Path | None, typer.Option(help="the policy [default: compliance.toml of the project]")] = None,
    form: Annotated[Literal["text", "json", "junit"], typer.Option("--format", help="form of the report")] = "text",
    out: Annotated[
        Path | None, typer.Option(help="write the report to this file, and the text to the terminal")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="list the rules, and check nothing")] = False,
    marks: Annotated[
        bool, typer.Option("--marks", help="list what is personal or sensitive, and check nothing")
    ] = False,
) -> None:
    """Check rules about data of people: marks, purposes, retention, documents of models, erasures.

    The exit code is 0 if every rule that binds is kept, 1 if one is broken, 2 if the policy, a declaration or a file
    is not valid.

    Example: refrain comply --format junit --out comply.xml
    """
    try:
        is_kept = _list_rules() if rules else _list_marks() if marks else _check(rule or [], policy, form, out)
    except RefrainError as error:
        show_error(error.expected, error.found, error.next_command)
        raise typer.Exit(INVALID) from error
    if not is_kept:
        raise typer.Exit(1)


def _check(only: list[str], policy: Path | None, form: str, out: Path | None) -> bool:
    from feature_repo.errors import InputError
    from feature_repo.whole_files import write_whole
    from refrain.compliance import report as reports
    from refrain.compliance.check import check

    if policy is not None and not policy.is_file():
        raise InputError(expected="a policy", found=f"no file {policy}", next_command="refrain comply --policy FILE")
    report = check(Home.from_env(), clock.now(), only=only, policy_file=policy)
    text = "\n".join(reports.as_text(report))
    formatted = {
        "text": lambda: text,
        "json": lambda: reports.as_json(report),
        "junit": lambda: reports.as_junit(report),
    }
    if out is not None:
        write_whole(out, formatted[form]() + "\n")
        say(text)
    else:
        say(formatted[form]())
    return report.is_kept


def _list_rules() -> bool:
    from refrain.compliance.check import rules_of

    for name, rule in rules_of(Home.from_env()).items():
        say(f"{name:24}{rule.level:7}{rule.about}")
    return True


def _list_marks() -> bool:
    from refrain.compliance.facts import Facts

    facts = Facts(Home.from_env(), clock.now())
    say(f"ids of people: {', '.join(sorted(facts.marks.keys))}")
    for mark in ("personal", "sensitive"):
        columns = facts.marks.columns[mark]
        say(f"{mark}: {', '.join(sorted(f'{table}.{column}' for table, column in columns))}")
        for node, origin in facts.marks.inherited(facts.lineage, mark).items():
            if node.kind != "view":
                say(f"  {node} of {origin.name}")
    return True


COMMAND = Command(comply, "Project")
