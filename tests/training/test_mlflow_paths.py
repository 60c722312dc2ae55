"""A copied or moved data folder has its own MLflow runs and artifacts."""

import shutil
from pathlib import Path

from feature_repo.home import Home
from feature_repo.urls import file_url
from training.mlflow_client import client
from training.mlflow_paths import correct_paths


def log_run(home: Home, text: str) -> Path:
    """Logs one run as the registry does, and returns the folder of its artifacts."""
    mlflow = client(home)
    experiment = mlflow.get_experiment_by_name("trees")
    experiment_id = (
        experiment.experiment_id
        if experiment
        else mlflow.create_experiment("trees", artifact_location=file_url(home.mlflow / "artifacts" / "trees"))
    )
    run = mlflow.create_run(experiment_id)
    mlflow.log_text(run.info.run_id, text, "said.txt")
    mlflow.set_tag(run.info.run_id, "mlflow.note.content", f"[said]({run.info.artifact_uri}/said.txt)")
    return Path(mlflow.get_run(run.info.run_id).info.artifact_uri)


def test_a_copy_writes_into_itself_and_reads_its_own(tmp_path: Path) -> None:
    live, copy = Home(tmp_path / "live" / "data"), Home(tmp_path / "copy's" / "data")
    first = log_run(live, "first")
    mlflow = client(live)
    mlflow.create_experiment("elsewhere", artifact_location="s3://bucket/mlflow/artifacts/elsewhere")
    before = sorted(live.mlflow.rglob("said.txt"))
    shutil.copytree(live.root, copy.root)
    second = log_run(copy, "second")
    assert second.is_relative_to(copy.root)
    assert (second / "said.txt").read_text() == "second"
    assert sorted(live.mlflow.rglob("said.txt")) == before
    copy_client = client(copy)
    run = copy_client.get_run(first.parent.name)
    assert Path(run.info.artifact_uri).is_relative_to(copy.root)
    assert str(copy.root) in run.data.tags["mlflow.note.content"]
    assert copy_client.get_experiment_by_name("elsewhere").artifact_location == "s3://bucket/mlflow/artifacts/elsewhere"
    assert correct_paths(copy) == 0
    assert Path(client(live).get_run(first.parent.name).info.artifact_uri) == first


def test_a_moved_folder_goes_on(tmp_path: Path) -> None:
    before, after = Home(tmp_path / "before"), Home(tmp_path / "after")
    first = log_run(before, "first")
    before.root.rename(after.root)
    downloaded = client(after).download_artifacts(first.parent.name, "said.txt", str(tmp_path))
    assert Path(downloaded).read_text() == "first"
    assert log_run(after, "second").is_relative_to(after.root)
    assert not before.root.exists()


def test_signs_of_addresses_in_the_path(tmp_path: Path) -> None:
    before, after = Home(tmp_path / "50% [a]?#;" / "data"), Home(tmp_path / "b" / "data")
    for number, home in enumerate((before, after, before)):
        if number:
            home.root.parent.mkdir(exist_ok=True)
            (after if home is before else before).root.rename(home.root)
        text = str(number)
        log_run(home, text)
        runs = client(home).search_runs([client(home).get_experiment_by_name("trees").experiment_id])
        assert len(runs) == number + 1
        for run in runs:
            downloaded = Path(client(home).download_artifacts(run.info.run_id, "said.txt", str(tmp_path)))
            assert downloaded.read_text() in ("0", "1", "2")
        assert len(list(home.mlflow.rglob("said.txt"))) == number + 1
        assert (home.mlflow / "mlflow.db").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["50% [a]?#;", "b", "said.txt"]


def test_an_empty_folder_has_nothing_to_correct(tmp_path: Path) -> None:
    assert correct_paths(Home(tmp_path)) == 0
