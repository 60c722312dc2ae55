"""The figures of the page that follow from formulas are those of the code."""

import re

from feature_repo.home import REPOSITORY
from feature_repo.private_counts import PrivateCounts
from training.private.differential import zcdp
from training.private.differential.counts import Plan

PAGE = (REPOSITORY / "docs" / "differential_privacy.md").read_text()


def test_what_a_budget_buys_is_as_the_page_says() -> None:
    rows = re.findall(r"^\| ([\d.]+) \| (\d+), (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.M)
    assert len(rows) == 6
    for epsilon, items, value, *figures in rows:
        plan = Plan.of(PrivateCounts("page", "Plays", "plays", "key", int(items), int(value), float(epsilon), 1e-6))
        assert [round(plan.events_sigma), round(plan.people_sigma), plan.threshold] == [int(text) for text in figures]


def test_months_add_up_as_the_page_says() -> None:
    rho = zcdp.rho(1.0, 5e-7)
    quarter, year, three_years = (zcdp.epsilon(months * rho, 5e-7) for months in (3, 12, 36))
    text = f"{quarter:.1f} after three months, {year:.3g} after a year, {three_years:.3g} after three years"
    assert text in " ".join(PAGE.split())
