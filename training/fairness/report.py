"""The figures of fairness of a version, for a terminal or as JSON, and those of all versions over time."""

from collections.abc import Iterator
from dataclasses import dataclass

from feature_repo.bundle import name_and_version
from feature_repo.errors import BundleError
from feature_repo.home import Home
from training import registry
from training.chosen_version import chosen_version
from training.fairness.figure import Figure
from training.fairness.gate import check_limits
from training.fairness.settings import settings_of
from training.validation.check import Check
from training.version_files import evidence_of


@dataclass(frozen=True)
class Report:
    """The figures of one version.

    Attributes:
        name: name of the model.
        version: its version.
        metric: name of the model's own metric.
        threshold: chance from which a unit is selected.
        figures: all figures.
        checks: the limits that the project declares now.
    """

    name: str
    version: int
    metric: str
    threshold: float
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, home: Home, name: str) -> "Report":
        """Reads the figures of ``NAME`` (champion, else challenger) or ``NAME:VERSION``.

        Raises:
            BundleError: there is no such version, or it has no test evidence.
            InputError: what the project declares is malformed.
        """
        model, number = name_and_version(name)
        version = chosen_version(home, model, number)
        evidence = None if version is None else evidence_of(home, model, version)
        if version is None or evidence is None:
            raise BundleError(
                expected=f"a version of {model!r} with test evidence",
                found="none" if version is None else f"version {version} without",
                next_command=f"refrain model run {model}",
            )
        settings = settings_of(home, model)
        figures = registry.figures_of(home, model, version)
        checks = check_limits(figures, settings)
        return cls(model, version, evidence.metric, settings.threshold, tuple(figures), tuple(checks))


def lines(report: Report, *, groups: bool = False) -> Iterator[str]:
    """Yields lines for a terminal: checks of limits, gaps by division, and figures by group.

    Args:
        report: the figures.
        groups: whether to show the groups, too.
    """
    yield f"{report.name} {report.version}, by group; {report.metric}, 95 % intervals"
    for check in report.checks:
        yield f"{check.verdict:10}{check.name}: {check.summary}"
    if not report.figures:
        yield "no group is known: declare some in refrain.toml, under fairness, and run the model again"
    for division in dict.fromkeys(figure.division for figure in report.figures):
        of_division = [figure for figure in report.figures if figure.division == division]
        shown = [figure for figure in of_division if groups or figure.is_gap or not division]
        if shown:
            yield f"{division or 'all'}:"
        for figure in shown:
            group = "" if figure.is_gap or not division else f" of {figure.group}"
            left_out = f"  (too small to tell: {', '.join(figure.left_out)})" if figure.left_out else ""
            yield f"  {figure.metric + group:48} {figure.text}{left_out}"


def figures_by_version(home: Home, name: str) -> dict[int, list[Figure]]:
    """Returns the figures of every version whose bundle is here, oldest first."""
    folders = [path for path in home.bundles(name).iterdir() if path.name.isdigit()]
    return {version: registry.figures_of(home, name, version) for version in sorted(int(f.name) for f in folders)}


def lines_of_versions(home: Home, name: str) -> Iterator[str]:
    """Yields the gaps of every version whose bundle is here, oldest first: fairness over time."""
    by_version = figures_by_version(home, name)
    gaps = {
        (figure.metric, figure.division): None
        for figures in by_version.values()
        for figure in figures
        if figure.is_gap and not figure.is_crossed
    }
    for metric, division in gaps:
        yield f"{metric} by {division}:"
        for version, figures in by_version.items():
            for figure in figures:
                if (figure.metric, figure.division) == (metric, division):
                    yield f"  version {version:<6} {figure.text}"
