"""The declared lineage against what happens: raw columns are changed at random, and the features that change compared.

A feature that changes without a declared column is a missing edge; a declared column that never changes the feature is
one too many. A slice of the changes runs with every suite, all of them with ``make test-soak``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.contract import contract_of
from feature_repo.home import Home
from refrain.lineage.declared import column, declared_lineage, feature
from tests.refrain.lineage.perturbation import Change, Findings, Perturbation

SLICE = 3
"""Rounds of every suite."""


@pytest.fixture(scope="module")
def perturbation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perturbation]:
    home = Home(tmp_path_factory.mktemp("perturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        yield Perturbation(home, declared_lineage(contract_of(home)), seed=1)


def test_what_changes_is_declared(perturbation: Perturbation) -> None:
    findings = Findings()
    for number, changes in zip(range(SLICE), perturbation.rounds(), strict=False):
        perturbation.make(changes, number, findings)
    assert findings.missing == {}
    tried = {pair for pair in perturbation.declared() if pair[0] in findings.tried}
    assert len(findings.fired & tried) > 0.8 * len(tried)  # few rounds: not every change shows at once


def test_a_column_that_is_not_declared_is_noticed(perturbation: Perturbation) -> None:
    played, listened = column("plays", "ms_played"), feature("user_listening", "listening_ms_28d")
    perturbation.above[listened].discard(played)
    findings = Findings()
    perturbation.make([Change("plays", "ms_played", "draw")], 0, findings)
    perturbation.above[listened].add(played)
    assert set(findings.missing) == {listened}


def test_a_column_that_nothing_reads_changes_nothing(perturbation: Perturbation) -> None:
    findings = Findings()
    perturbation.make([Change("plays", "context", "draw"), Change("friendships", "friend_id", "draw")], 0, findings)
    assert findings.fired == set() and findings.missing == {}


@pytest.mark.soak
def test_every_column_changes_what_is_declared_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _perturb(tmp_path, monkeypatch, int(os.environ.get("REFRAIN_LINEAGE_SEED", "1")))


@pytest.mark.soak
def test_so_do_columns_of_texts_with_models(written: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentiment, emotions, topics and vectors need models; the declared columns are those of the texts they score.

    Of few texts more pairs never change anything: a title moves an artist's sentiment by the time it was known alone.
    """
    features = _perturb(tmp_path, monkeypatch, 3, written.root / "models", "texts", most=0.2)
    assert {"track_text:sentiment", "artist_text:topics", "artist_text:vector"} <= features


def _perturb(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    models: Path | None = None,
    with_table: str = "",
    most: float = 0.05,
) -> set[str]:
    """Makes all changes, checks what changed, and returns the names of the features that did."""
    monkeypatch.setenv("REFRAIN_HOME", str(folder))
    home = Home(folder)
    perturbation = Perturbation(home, declared_lineage(contract_of(home)), seed, models)
    findings, rounds = Findings(), 0
    for changes in perturbation.rounds(with_table):
        perturbation.make(changes, rounds, findings)
        rounds += 1
    tried = {pair for pair in perturbation.declared() if pair[0] in findings.tried}
    never = sorted(f"{source.name} → {target.name}" for source, target in tried - findings.fired)
    print(f"{rounds} rounds, {len(tried):,} declared pairs, {len(never)} never changed anything: {never}")
    assert findings.missing == {}
    assert len(never) <= most * len(tried), never
    return {target.name for _, target in findings.fired}
