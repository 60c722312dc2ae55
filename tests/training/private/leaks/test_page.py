"""The example of docs/privacy_leaks.md prints what it says."""

import re

import pytest

from feature_repo.home import REPOSITORY


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs" / "privacy_leaks.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "docs/privacy_leaks.md", "exec"), {})
    assert capsys.readouterr().out == "True\nTrue\n"
