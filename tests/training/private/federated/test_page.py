"""The example of docs/federated.md runs as it is printed."""

import re

import pytest

from feature_repo.home import REPOSITORY

PAGE = (REPOSITORY / "docs" / "federated.md").read_text()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    exec(compile(example, "docs/federated.md", "exec"), {})
    weights = [float(number) for number in re.findall(r"-?\d+\.\d*", capsys.readouterr().out)]
    assert len(weights) == 3
    assert weights[0] > 1.0 > abs(weights[1])
