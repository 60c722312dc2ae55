"""Finds inconsistencies in a data folder and their remedies: ``refrain doctor``.

``folder`` checks files, registry and manifest, ``permissions`` who can read them, and ``values`` compares a sample of
online values with the feature tables as of now. Nothing is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from feature_repo.doctor.finding import Finding
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home

SAMPLE = 500
"""Default number of keys of each view that are compared."""


@dataclass
class Examination:
    """The result of an examination.

    Attributes:
        now: moment of the comparison.
        views: number of compared views.
        values: number of compared values.
        findings: inconsistencies and notes.
        steps: what is still to be done, in this order, where there is nothing inconsistent yet.
    """

    now: datetime
    views: int = 0
    values: int = 0
    findings: list[Finding] = field(default_factory=list)
    steps: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """Findings that have to be fixed."""
        return [finding for finding in self.findings if finding.is_fault]


def examine(home: Home, now: datetime, *, sample: int = SAMPLE, views: Sequence[str] | None = None) -> Examination:
    """Examines a data folder.

    Args:
        home: the data folder.
        now: moment as of which online and offline values are compared.
        sample: number of keys of each view that are compared.
        views: names of the views whose values are compared; all if None.

    Raises:
        InputError: a view name is unknown.
        OnlineUnavailable: the online store does not answer.
    """
    from feature_repo.doctor import folder, permissions, steps, values
    from feature_repo.registered_views import views_of
    from feature_repo.store import open_store

    examination = Examination(now, steps=list(steps.steps(home)))
    examination.findings += permissions.findings(home)
    try:
        store = open_store(home)
    except RefrainError as error:
        if home.manifest.exists() or error.next_command != steps.APPLY:
            examination.findings.append(Finding("registry", error.found, error.next_command))
        return examination
    examination.steps = [step for step in examination.steps if step.next_command != steps.APPLY]
    is_built = not any(step.next_command == steps.BUILD or step.where == "events" for step in examination.steps)

    def is_due(finding: Finding) -> bool:
        """Whether a finding is one: before the first build, that a table is not built is none."""
        return is_built or finding.next_command != steps.BUILD

    examination.findings += filter(is_due, folder.findings(home, store))
    unreadable = {finding.where for finding in examination.findings}
    views_by_name = {view.name: view for view in views_of(store)}
    unknown_names = sorted(set(views or ()) - set(views_by_name))
    if unknown_names:
        raise InputError(
            expected=f"views, some of {sorted(views_by_name)}",
            found=f"{unknown_names}",
            next_command="refrain feast feature-views list",
        )
    readable = [
        view for name, view in views_by_name.items() if name not in unreadable and name in (views or views_by_name)
    ]
    is_empty = values.is_empty(home, store)
    for result in values.compare_views(home, store, readable, now, sample):
        examination.views += 1
        examination.values += result.values
        missing = [finding for finding in result.findings if is_empty and finding.next_command == steps.MATERIALIZE]
        examination.findings += [finding for finding in filter(is_due, result.findings) if finding not in missing]
        if missing and steps.NOT_ONLINE not in examination.steps:
            examination.steps.append(steps.NOT_ONLINE)
    examination.findings += values.orphans(home, store)
    return examination


def lines(examination: Examination) -> Iterator[str]:
    """Formats an examination as lines for a terminal."""
    for finding in examination.findings:
        kind = "fault" if finding.is_fault else "note"
        yield f"{kind:6} {finding.where}: {finding.found}. Next: {finding.next_command}"
    faults, moment = len(examination.faults), f"{examination.now:%Y-%m-%d %H:%M:%S} UTC"
    outcome = f"{faults} faults" if faults else "nothing to mend"
    yield f"{examination.values:,} values of {examination.views} views compared as of {moment}: {outcome}"
    for step in examination.steps:
        yield f"next   {step.next_command}  ({step.where}: {step.found})"
