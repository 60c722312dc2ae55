"""Command that shows the figures of fairness of a model."""

from dataclasses import asdict
from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(fairness)


def fairness(
    name: Annotated[str, typer.Argument(help="NAME for the champion, else the challenger; or NAME:VERSION")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all figures")] = False,
    groups: Annotated[bool, typer.Option("--groups", help="show the figures of every group, not only gaps")] = False,
    versions: Annotated[bool, typer.Option("--versions", help="show the gaps of all versions, oldest first")] = False,
) -> None:
    """Show how a version's figures differ between groups, and whether it keeps the limits of the project.

    Of a group that is too small no figure is shown. Limits and groups are declared in refrain.toml, by model.

    Example: refrain model fairness recommendation --groups
    """
    from training.fairness.report import Report, figures_by_version, lines, lines_of_versions

    home = Home.from_env()
    report = Report.of(home, name)
    if as_json and versions:
        by_version = figures_by_version(home, report.name)
        one_of_each = [{"version": one, "figures": [asdict(each) for each in by_version[one]]} for one in by_version]
        say(to_json({"name": report.name, "versions": one_of_each}))
        return
    if as_json:
        say(to_json({**asdict(report), "checks": [asdict(check) for check in report.checks]}))
        return
    for line in lines_of_versions(home, report.name) if versions else lines(report, groups=groups):
        say(line)
