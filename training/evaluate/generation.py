"""Metrics of generated texts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BleuMetrics:
    """BLEU of a corpus (Papineni et al. 2002), by sacreBLEU (Post 2018).

    Attributes:
        bleu: score from 0 to 100.
        signature: sacreBLEU's signature of the computation.
        rows: number of texts.
    """

    bleu: float
    signature: str
    rows: int


def bleu(generated: Sequence[str], truth: Sequence[str]) -> BleuMetrics:
    """Compares generated texts with one reference each."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(list(generated), [list(truth)])
    return BleuMetrics(float(score.score), str(metric.get_signature()), len(generated))
