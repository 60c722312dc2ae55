"""Compares two versions of a model on the test units that they share."""

from collections.abc import Iterator

from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.registry import challenger_of
from training.validation.comparison import in_words
from training.validation.evidence import MODEL_KEY, Evidence
from training.version_files import champion_of, decision_of, evidence_of


def compare(home: Home, name: str, first: int | None = None, second: int | None = None) -> Iterator[str]:
    """Yields lines that show how much better one version is than another, and its decision.

    Args:
        home: the data folder.
        name: name of the model.
        first: version; the challenger if None.
        second: version to compare with; the champion if None.

    Raises:
        BundleError: there is no such version, or it has no test evidence.
    """
    version = first or challenger_of(home, name)
    other_version = second or champion_of(home, name)
    if version is None:
        raise BundleError(expected=f"a challenger of {name!r}", found="none", next_command=f"refrain model run {name}")
    evidence = _evidence(home, name, version)
    yield f"{name} {version}: {evidence.metric} {evidence.figure()}"
    for baseline in evidence.baselines:
        yield f"  {in_words(evidence.gain(baseline), baseline)}"
    if other_version is not None and other_version != version:
        other_evidence = _evidence(home, name, other_version)
        yield f"{name} {other_version}: {other_evidence.metric} {other_evidence.figure()}"
        gain = evidence.gain_over(other_evidence)
        if gain is None:
            yield "  their tests share no units"
        else:
            words = in_words(gain, f"version {other_version}")
            yield f"  {version}: {words}, on the {gain.units:,} units that both tests share"
    for division in evidence.segments:
        for segment, figure in evidence.by_segment(division).items():
            yield f"  {division} {segment:16} {figure} of {figure.units:,}"
    decision = decision_of(home, name, version)
    for check in decision.checks if decision else ():
        yield f"  {check.verdict:9} {check.name}: {check.summary}"


def _evidence(home: Home, name: str, version: int) -> Evidence:
    evidence = evidence_of(home, name, version)
    if evidence is None or MODEL_KEY not in evidence.values:
        raise BundleError(
            expected=f"test evidence of version {version} of {name}",
            found="none",
            next_command=f"refrain model run {name} --again",
        )
    return evidence
