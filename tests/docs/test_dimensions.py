"""The example of a dimension in docs/windows.md passes ``refrain test``, which finds a broken join."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.home import REPOSITORY
from refrain.cli import app
from tests.projects import imports_undone, write_project
from transforms.stream.state.dimensions import Dimension

SECTION = (REPOSITORY / "docs" / "windows.md").read_text().partition("## Columns of a dimension")[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (example,) = re.findall(r"```python\n(.*?)```", SECTION.partition("\n## ")[0], re.S)
    toml = 'name = "podcasts"\ndefinitions = ["podcast_features"]\n'
    with imports_undone():
        folder = write_project(tmp_path, {"refrain.toml": toml, "podcast_features.py": example})
        monkeypatch.setenv("REFRAIN_PROJECT", str(folder))
        monkeypatch.chdir(folder)
        yield folder


def test_the_example_runs(project: Path) -> None:
    result = CliRunner().invoke(app, ["test"])
    assert result.exit_code == 0, result.output
    for name in ("listener_plays", "show_plays"):
        for check in ("batch = definition", "no future seen", "stream = definition"):
            assert re.search(rf"^ok +{name} +{check} ", result.output, re.M), result.output
    assert re.search(r"^ok +listener_plays, ann at \S+ \(\w+\) +example .*3 events, 4 columns", result.output, re.M)
    assert re.search(r"^8 checks in .* 8 passed, 0 failed, 0 skipped$", result.output, re.M), result.output


def test_a_row_that_the_stream_forgets_is_found(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_of = Dimension.as_of
    monkeypatch.setattr(Dimension, "as_of", lambda self, keys, times: [None for _ in as_of(self, keys, times)])
    result = CliRunner().invoke(app, ["test", "listener_plays", "--events", "30"])
    assert result.exit_code == 1
    assert re.search(r"^ok +listener_plays +batch = definition ", result.output, re.M)
    failure = result.output.partition("stream = definition")[2]
    assert re.search(r"events +1, the fewest .*\n.*'episode_id': 'episode-", failure), failure
    assert re.search(r"episodes +1, the fewest .*\n.*'episode_id': 'episode-", failure), failure
