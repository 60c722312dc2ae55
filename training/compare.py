"""Two versions of a model, beside each other on what both were asked about."""

from collections.abc import Iterator

from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.registry import challenger_of, champion_of, decision_of, evidence_of
from training.validation.evidence import OURS, Evidence


def compare(home: Home, name: str, first: int | None = None, second: int | None = None) -> Iterator[str]:
    """Lines that tell how much better one version is than another, and what was decided on it.

    Args:
        home: the data folder.
        name: of the model.
        first: version; the challenger if None.
        second: version; the champion if None.

    Raises:
        BundleError: there is no such version, or it kept nothing of its test.
    """
    one = first or challenger_of(home, name)
    other = second or champion_of(home, name)
    if one is None:
        raise BundleError(
            expected=f"a challenger of {name!r}", found="none", next_command=f"python -m training run {name}"
        )
    mine = _evidence(home, name, one)
    yield f"{name} {one}: {mine.metric} {mine.figure()}"
    for who in mine.baselines:
        yield f"  {mine.gain(who).signed} better than {who}"
    if other is not None and other != one:
        theirs = _evidence(home, name, other)
        yield f"{name} {other}: {theirs.metric} {theirs.figure()}"
        gain = mine.gain_over(theirs)
        if gain is None:
            yield "  they were asked about different things"
        else:
            yield f"  {one} is {gain.signed} better on the {gain.units:,} that both were asked about"
    for division in mine.segments:
        for segment, figure in mine.by_segment(division).items():
            yield f"  {division} {segment:16} {figure} of {figure.units:,}"
    decision = decision_of(home, name, one)
    for check in decision.checks if decision else ():
        yield f"  {check.verdict:7} {check.name}: {check.told}"


def _evidence(home: Home, name: str, version: int) -> Evidence:
    found = evidence_of(home, name, version)
    if found is None or OURS not in found.values:
        raise BundleError(
            expected=f"what version {version} of {name} was asked in its test",
            found="nothing of it is kept",
            next_command=f"python -m training run {name} --again",
        )
    return found
