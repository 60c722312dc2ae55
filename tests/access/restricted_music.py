"""The small world as a project with ``[access]``, compiled."""

from pathlib import Path

import pytest

from feature_repo.compile_manifest import compile_manifest
from feature_repo.home import Home
from feature_repo.project import PROJECT
from feature_repo.store import open_store
from tests.projects import write_project

ACCESS = """
[access]
default = "owner"

[access.marks]
"track_catalogue:title" = ["internal"]

[access.roles.owner]
services = ["*"]
seen = ["*"]

[access.roles.analyst]
services = ["listener_v1", "session_v1", "track_display_v1"]
seen = ["personal"]
masked = { sensitive = "null", internal = "letters:1", "user_profile:country" = "pseudonym" }
refused = ["user_history"]
break_glass = 60
may_break_glass = ["support"]

[access.roles.regional]
services = ["listener_v1", "session_v1"]
seen = ["*"]
rows = { "user_profile:country" = ["SE"] }

[access.roles.listener]
services = ["listener_v1", "session_v1"]
seen = ["*"]
rows = { user_id = "own" }

[access.roles.support]
services = ["track_display_v1"]
seen = ["internal"]
"""


def restricted_project(folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch, access: str = ACCESS) -> Home:
    """Writes the project, compiles the manifest of a data folder with it, and returns the data folder."""
    write_project(folder, {"refrain.toml": f'name = "refrain"\nextends = ["music"]\n{access}'})
    monkeypatch.setenv(PROJECT, str(folder))
    restricted = Home(home.root, project_folder=folder)
    compile_manifest(open_store(restricted), restricted)
    return restricted
