"""The examples of "Missing, or 0" in docs/windows.md hold, and so does what it says of unknown keys."""

import re
from pathlib import Path

from feature_repo.contract import Contract
from feature_repo.home import REPOSITORY
from feature_repo.project import Project
from refrain.checking.run import run

SECTION = (REPOSITORY / "docs" / "windows.md").read_text().partition("## Missing, or 0")[2].partition("\n## ")[0]
DEFINITIONS = """
from refrain import Count, EventSource, Mean, Sum, WindowedTable

orders = EventSource("orders", columns={"customer_id": "String", "cents": "Int64"}, key=("customer_id",))
customer_orders = WindowedTable(
    name="customer_orders",
    about="Orders of one customer",
    source=orders,
    keys=("customer_id",),
    windows=("7d",),
    features={"orders": Count(), "cents": Sum("cents"), "cents_mean": Mean("cents")},
    every="event",
)
"""


def test_the_examples_hold(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.S)
    own_code = code.replace("from shop_features import customer_orders\n", "")
    (tmp_path / "missing_or_zero.py").write_text(DEFINITIONS + own_code)
    (tmp_path / "refrain.toml").write_text('name = "shop"\ndefinitions = ["missing_or_zero"]\n')
    names = list(Contract(Project.load(tmp_path)).examples)
    assert len(names) == 3
    for name in names:
        results = run(tmp_path, name, bundled=False, seed=0, size=10, begin=lambda *_: None, show=lambda _: None)
        assert [result.status for result in results] == ["ok"], [result.failure for result in results]
