"""What does not agree in a data folder, and how it is mended: ``python -m feature_repo doctor``.

``folder`` looks at files, registry and manifest, ``values`` at a sample of what is online beside what the tables say
as of now. Nothing is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from feature_repo.doctor.finding import Finding
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home

SAMPLE = 500
"""Keys of each view that are compared."""


@dataclass
class Examination:
    """What was looked at.

    Attributes:
        now: the moment of the comparison.
        views: how many views have been compared.
        values: how many values have been compared.
        findings: what does not agree.
    """

    now: datetime
    views: int = 0
    values: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """What has to be mended."""
        return [finding for finding in self.findings if finding.is_fault]


def examine(home: Home, now: datetime, *, sample: int = SAMPLE, views: Sequence[str] | None = None) -> Examination:
    """Look at a data folder.

    Args:
        home: the folder.
        now: the moment as of which online and offline values are compared.
        sample: keys of each view that are compared.
        views: names of the views whose values are compared; all if None.

    Raises:
        InputError: there is no such view.
        OnlineUnavailable: the online store does not answer.
    """
    from feature_repo.doctor import folder, values
    from feature_repo.store import open_store

    examination = Examination(now)
    try:
        store = open_store(home)
    except RefrainError as error:
        examination.findings.append(Finding("registry", error.found, error.next_command))
        return examination
    examination.findings += folder.findings(home, store)
    unreadable = {finding.where for finding in examination.findings}
    known = {view.name: view for view in store.list_batch_feature_views()}
    unknown = sorted(set(views or ()) - set(known))
    if unknown:
        raise InputError(
            expected=f"views, some of {sorted(known)}",
            found=f"{unknown}",
            next_command="python -m feature_repo feast feature-views list",
        )
    readable = [view for name, view in known.items() if name not in unreadable and name in (views or known)]
    for result in values.compared(home, store, readable, now, sample):
        examination.views += 1
        examination.values += result.values
        examination.findings += result.findings
    examination.findings += values.orphans(home, store)
    return examination


def lines(examination: Examination) -> Iterator[str]:
    """The examination, for a terminal."""
    for finding in examination.findings:
        kind = "fault" if finding.is_fault else "note"
        yield f"{kind:6} {finding.where}: {finding.found}. Next: {finding.next_command}"
    faults, moment = len(examination.faults), f"{examination.now:%Y-%m-%d %H:%M:%S} UTC"
    outcome = f"{faults} faults" if faults else "nothing to mend"
    yield f"{examination.values:,} values of {examination.views} views compared as of {moment}: {outcome}"
