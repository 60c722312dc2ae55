"""Projects: where they are found, what their file says, and what is wrong in it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.contract import contract_of
from feature_repo.errors import HomeError, InputError, StoreError
from feature_repo.home import DEFAULT_ROOT, Home
from feature_repo.project import PROJECT, Project
from feature_repo.store import config_file
from tests.processes import run_python
from tests.projects import outside_projects, write_project

EVENTS = """
    from feature_repo.windows import EventSource

    {name} = EventSource("{name}", columns={{"key": "String"}}, key=("key",))
    """


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with outside_projects(monkeypatch):
        yield


def project_of(folder: Path, text: str = 'name = "shop"\n') -> Path:
    return write_project(folder, {"refrain.toml": text})


def test_without_a_file_music_is_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.from_env()
    assert home == Home(DEFAULT_ROOT)
    assert home.project == "refrain_default"
    assert "plays" in contract_of(home).events


def test_a_project_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_of(tmp_path / "shop")
    below = tmp_path / "shop" / "notebooks" / "drafts"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    home = Home.from_env()
    assert home == Home(tmp_path / "shop" / "data", "default", tmp_path / "shop")
    assert home.project == "shop_default"


def test_the_nearest_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_of(tmp_path, 'name = "outer"\n')
    project_of(tmp_path / "inner", 'name = "inner"\n')
    monkeypatch.chdir(tmp_path / "inner")
    assert Home.from_env().project == "inner_default"


@pytest.mark.parametrize("named", ["shop", "shop/refrain.toml", "./shop/", "elsewhere/../shop"])
def test_the_variable_names_the_folder_or_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    project_of(tmp_path / "shop")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PROJECT, named)
    home = Home.from_env()
    assert home.project == "shop_default"
    assert home.root.resolve() == tmp_path / "shop" / "data"
    monkeypatch.chdir(tmp_path / "elsewhere")  # the variable has become absolute, also for child processes
    assert Home.from_env() == home
    assert Path(os.environ[PROJECT]).is_absolute()


@pytest.mark.parametrize(
    ("data", "expected"), [("data", "shop/data"), ("../kept", "kept"), ("/srv/kept", "/srv/kept"), ("a/b", "shop/a/b")]
)
def test_the_data_folder_starts_at_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, expected: str
) -> None:
    project_of(tmp_path / "shop", f'name = "shop"\ndata = "{data}"\n')
    monkeypatch.setenv(PROJECT, str(tmp_path / "shop"))
    assert os.path.normpath(Home.from_env().root) == os.path.normpath(tmp_path / expected)


def test_the_environment_overrides_the_data_folder_and_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_of(tmp_path / "shop", 'name = "shop"\nprofile = "redis"\n')
    monkeypatch.setenv(PROJECT, str(tmp_path / "shop"))
    assert Home.from_env().profile == "redis"
    with pytest.raises(StoreError, match="REFRAIN_REDIS for the profile 'redis'"):
        config_file(Home.from_env())
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("REFRAIN_PROFILE", "nowhere")
    home = Home.from_env()
    assert (home.root, home.project_folder) == (tmp_path / "other", tmp_path / "shop")
    with pytest.raises(StoreError, match="nowhere"):
        config_file(home)


def test_the_name_of_the_project_and_the_tenant_is_in_every_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_of(tmp_path / "shop")
    monkeypatch.setenv(PROJECT, str(tmp_path / "shop"))
    monkeypatch.setenv("REFRAIN_TENANT", "label_b")
    assert Home.from_env().project == "shop_label_b"
    monkeypatch.setenv("REFRAIN_TENANT", "Label B")
    with pytest.raises(HomeError, match="REFRAIN_TENANT"):
        Home.from_env()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = shop", "TOML"),
        ("", "a name"),
        ('name = "Shop"', "lower-case"),
        ("name = 7", "name as a text"),
        ('name = "shop"\ndefinition = ["x"]', "'definition'"),
        ('name = "shop"\ndefinitions = "x"', "definitions as a list of texts"),
        ('name = "shop"\ndefinitions = [7]', "definitions as a list of texts"),
        ('name = "shop"\nextends = ["films"]', "'films'"),
        ('name = "shop"\ndata = "."', "a data folder of its own"),
        ('name = "shop"\ndata = ".."', "a data folder of its own"),
        ('name = "shop"\ndata = ""', "a data folder of its own"),
    ],
)
def test_an_invalid_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    project_of(tmp_path / "shop", text)
    monkeypatch.setenv(PROJECT, str(tmp_path / "shop"))
    with pytest.raises(InputError, match=expected) as caught:
        Home.from_env()
    assert str(tmp_path / "shop" / "refrain.toml") in str(caught.value)
    assert caught.value.next_command == f"correct {tmp_path / 'shop' / 'refrain.toml'}"


def test_a_file_that_is_not_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refrain.toml").write_bytes(b"name = \xff")
    monkeypatch.setenv(PROJECT, str(tmp_path))
    with pytest.raises(InputError, match="TOML"):
        Home.from_env()


@pytest.mark.parametrize("place", ["nothing", "file.txt", "empty"])
def test_a_folder_without_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(PROJECT, str(tmp_path / place))
    with pytest.raises(InputError, match="a folder with the file refrain.toml.*refrain init NAME"):
        Home.from_env()


def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_of(tmp_path)
    assert Project.load(tmp_path).name == "shop"
    file = project_of(tmp_path, 'name = "kiosk"\n') / "refrain.toml"
    os.utime(file, ns=(1, 1))
    assert Project.load(tmp_path).name == "kiosk"


def test_two_projects_in_one_process(tmp_path: Path) -> None:
    homes = []
    for name in ("first", "second"):
        files = {
            "refrain.toml": f'name = "{name}"\ndefinitions = ["{name}_definitions"]\n',
            f"{name}_definitions/events.py": EVENTS.format(name=name),
        }
        folder = write_project(tmp_path / name, files)
        homes.append(Home(tmp_path / "data" / name, project_folder=folder))
    assert [list(contract_of(home).events) for home in homes] == [["first"], ["second"]]
    assert [home.project for home in homes] == ["first_default", "second_default"]
    assert contract_of(homes[0]) is contract_of(Home(tmp_path / "moved", project_folder=homes[0].project_folder))


def test_two_projects_with_packages_of_one_name_are_refused_in_one_process(tmp_path: Path) -> None:
    files = {"refrain.toml": 'name = "shop"\ndefinitions = ["our_events"]\n', "our_events.py": EVENTS.format(name="x")}
    first, second = (write_project(tmp_path / name, files) for name in ("first", "second"))
    assert list(contract_of(Home(tmp_path, project_folder=first)).events) == ["x"]
    with pytest.raises(InputError, match=f"our_events is also {first}") as caught:
        contract_of(Home(tmp_path, project_folder=second)).events  # noqa: B018
    assert str(second / "refrain.toml") in caught.value.next_command


def test_a_project_behind_a_link_is_the_same(tmp_path: Path) -> None:
    files = {"refrain.toml": 'name = "shop"\ndefinitions = ["linked_events"]\n'}
    folder = write_project(tmp_path / "real", {**files, "linked_events.py": EVENTS.format(name="x")})
    (tmp_path / "link").symlink_to(folder)
    for place in (tmp_path / "link", folder):
        assert list(contract_of(Home(tmp_path, project_folder=place)).events) == ["x"]


def test_modules_of_a_project_replace_nothing(tmp_path: Path) -> None:
    project_of(tmp_path)
    Project.load(tmp_path)
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    Project.load(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_cleaning_spares_a_project_that_lies_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feature_repo.clean import clean

    project_of(tmp_path / "anomaly")  # a folder of this name is one of Refrain's
    monkeypatch.setenv(PROJECT, str(tmp_path / "anomaly"))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path))
    (tmp_path / "registry.db").touch()
    with pytest.raises(HomeError, match="a data folder without the project's own files"):
        clean(Home.from_env())
    assert (tmp_path / "anomaly" / "refrain.toml").is_file()


def test_a_command_finds_the_project_of_its_working_folder(tmp_path: Path) -> None:
    files = {
        "refrain.toml": 'name = "shop"\ndefinitions = ["shop_events"]\n',
        "shop_events.py": EVENTS.format(name="orders"),
        "below/keep": "",
        "repo.py": "raise ValueError('not the module that Feast scans')",
    }
    folder = write_project(tmp_path, files)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFRAIN_")}
    process = run_python("-m", "transforms", "send", "-", "--kind", "plays", environment=environment, folder=folder)
    assert "one of ['orders']" in process.stderr, process.stderr
    process = run_python("-m", "feature_repo", "apply", environment=environment, folder=folder / "below")
    assert f"Expected  a windowed table or a view among the definitions of {folder}/refrain.toml" in process.stderr
