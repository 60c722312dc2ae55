"""The example of docs/on_demand.md: its checks pass, and it has the same values in a training set as online."""

import math
import re
import sys
from pathlib import Path

import pytest

from feature_repo.contract import contract_of
from feature_repo.home import REPOSITORY, Home
from feature_repo.on_demand_compute import column_of
from refrain.checking import on_demand

PAGE = (REPOSITORY / "docs" / "on_demand.md").read_text()
DEFINITIONS, ASKING, OWN_TEST = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "market_features.py").write_text(DEFINITIONS)
    (tmp_path / "refrain.toml").write_text('name = "market"\ndefinitions = ["market_features"]\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "market_features", raising=False)
    return Home(tmp_path / "data", project_folder=tmp_path)


def test_the_function_is_what_the_page_says(market: Home) -> None:
    contract = contract_of(market)
    function = contract.on_demand["basket_fit"]
    assert on_demand.compare(contract, function, seed=1) is None
    exec(compile(OWN_TEST, "on_demand.md", "exec"), {})
    assert contract.request_fields["basket_cents"] == "Float64"


@pytest.mark.parametrize(
    ("dtype", "values", "missing"),
    [
        ("Int64", [7], math.isnan),
        ("Float64", [7.5], math.isnan),
        ("Bool", [True], math.isnan),
        ("UnixTimestamp", [1_700_000_000], math.isnan),
        ("String", ["a"], lambda value: value is None),
        ("Array(String)", [["a"]], lambda value: value is None),
        ("Array(Float64)", [[1.0, 2.0]], lambda row: bool(all(map(math.isnan, row)))),
    ],
)
def test_arrays_are_as_the_table_says(dtype: str, values: list, missing: object) -> None:
    column = column_of([*values, None], dtype)
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and dtype in line)
    kind = "objects" if column.dtype == object else str(column.dtype)
    assert kind in row, (kind, row)
    assert missing(column[1])  # type: ignore[operator]
