"""Exposure and attention of those whose work is shown.

A. Singh and T. Joachims, Fairness of Exposure in Rankings, 2018: the exposure of a slot falls with 1 / log₂(1 + slot).
A. Biega, K. Gummadi and G. Weikum, Equity of Attention, 2018: attention should be in proportion to merit; the merit of
a group is its share of what listeners really played afterwards. Their parts are columns by group of ``Lists``, so that
only the comparison is declared here.
"""

from training.fairness.rates import Gap

GAPS = (
    Gap(
        "exposure_ratio",
        "smallest of the groups' exposure by what was played of them afterwards, divided by the largest",
        ("attention",),
        "ratio",
        of_lists=True,
    ),
    Gap(
        "exposure_to_catalogue_ratio",
        "smallest of the groups' exposure by their number of tracks, divided by the largest",
        ("exposure_to_catalogue",),
        "ratio",
        of_lists=True,
    ),
)
