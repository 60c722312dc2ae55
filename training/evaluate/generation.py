"""Metrics of texts that a model wrote."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BleuMetrics:
    """BLEU of a corpus (Papineni et al. 2002), by sacreBLEU (Post 2018).

    Attributes:
        bleu: 0 to 100.
        signature: what exactly was computed.
        rows: texts.
    """

    bleu: float
    signature: str
    rows: int


def bleu(written: Sequence[str], truth: Sequence[str]) -> BleuMetrics:
    """Compare texts with one reference each."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    found = metric.corpus_score(list(written), [list(truth)])
    return BleuMetrics(float(found.score), str(metric.get_signature()), len(written))
