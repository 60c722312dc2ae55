"""``refrain contract``: data contracts of raw tables and feature views, written, shown and checked."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home
from refrain.commands.command import CommandGroup

Tables = Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="raw tables and feature views")]


def write(
    tables: Tables = None,
    out: Annotated[Path | None, typer.Option(help="folder [default: contracts of the project]")] = None,
    again: Annotated[bool, typer.Option("--again", help="replace contracts that are there")] = False,
) -> None:
    """Write a contract of the Open Data Contract Standard 3.1 for every raw table and feature view, as declared.

    The files are yours to edit: they bind imports, and `refrain contract check` checks the data folder by them.

    Example: refrain contract write plays user_listening
    """
    from refrain.data_contract.tables import contract_tables
    from refrain.data_contract.write import write as run
    from transforms.data_contracts.binding import folder_of

    home = Home.from_env()
    folder = out or folder_of(home)
    chosen = contract_tables(home, tables or ())
    count = sum(run(home, table, folder, again=again) for table in chosen)
    kept = len(chosen) - count
    say(f"{count} contracts written to {folder}" + (f"; {kept} that were there are kept (--again)" if kept else ""))


def check(
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="list checks that passed, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
    report: Annotated[Path | None, typer.Option(help="page to write besides, such as contracts.html")] = None,
) -> None:
    """Check the data folder by its contracts: schema, nulls, ranges, keys, metrics, freshness, volume, drift.

    The exit code is 1 if an active contract is violated, and if a contract cannot be read.

    Example: refrain contract check plays --all
    """
    from feature_repo.whole_files import write_whole
    from refrain.data_contract import report as reports
    from refrain.data_contract.check import check as run

    with progress("check contracts") as report_progress:
        results = run(Home.from_env(), tables or (), progress=report_progress)
    if report is not None:
        write_whole(report, reports.page(results))
    if as_json:
        say(reports.to_json(results))
    else:
        for line in reports.lines(results, every=every):
            say(line)
        if report is not None:
            say(str(report))
    if reports.violations(results):
        raise typer.Exit(1)


def show(
    table: Annotated[str, typer.Argument(help="a raw table or feature view")],
) -> None:
    """Show the contract of a table: the project's, or the one that `refrain contract write` would write.

    Example: refrain contract show plays
    """
    from refrain.data_contract.tables import contract_tables
    from refrain.data_contract.write import text
    from transforms.data_contracts.binding import check_columns, path_of
    from transforms.data_contracts.parse import read_contract

    home = Home.from_env()
    for one in contract_tables(home, [table]):
        path = path_of(home, one.kind, one.name)
        if not path.is_file():
            say(text(home, one).rstrip("\n"))
            continue
        check_columns(read_contract(path), one.columns)
        say(path.read_text().rstrip("\n"))


COMMANDS = CommandGroup(
    "contract", "Data contracts: write, check, show (Open Data Contract Standard 3.1).", (write, check, show), "Data"
)
