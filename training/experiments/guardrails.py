"""Guardrails: whether a metric surely got no worse than by its margin, at any time.

A guardrail is looked at every day, so it is judged by a confidence sequence of the difference to its limit: the
control's mean, less the margin. It is kept once the sequence lies on the good side of the limit, broken once it lies on
the other, and open until then. With probability 1 − α neither is ever wrong.
"""

from typing import Literal

import numpy as np

from feature_repo.experiments import Guardrail
from training.experiments import sequential

Verdict = Literal["kept", "broken", "open"]


def judge(
    guardrail: Guardrail, control: np.ndarray, treated: np.ndarray, *, alpha: float = 0.05, judged: int = 1
) -> Verdict:
    """Judges one guardrail of one arm.

    Args:
        guardrail: the declared guardrail.
        control: (n,) values of the control so far.
        treated: (m,) values of the arm so far.
        alpha: chance of a wrong verdict.
        judged: guardrails times arms that are judged. To be broken, one of them is enough, so each gets its share of
            alpha (Bonferroni); all must be kept, which asks for no correction.
    """
    sign = 1.0 if guardrail.worse == "down" else -1.0
    # the limit as a multiple of the control's values, whose sampling error counts, too
    limit = 1 - sign * guardrail.margin * float(np.sign(control.mean()))
    room = sequential.compare(sign * limit * control, sign * treated, alpha=alpha)
    if room.low > 0:
        return "kept"
    strict = sequential.compare(sign * limit * control, sign * treated, alpha=alpha / judged)
    return "broken" if strict.high < 0 else "open"
