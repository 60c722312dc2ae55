"""What a project declares of fairness in ``refrain.toml``, by model.

::

    [fairness.churn_model]
    groups = ["users.plan", "users.gender"]    # raw table . column, as of the time of each unit
    crossed = [["plan", "gender"]]             # intersections that limits bind on, too
    threshold = 0.3                            # chance from which a person counts as selected
    demographic_parity_difference = 0.1        # a limit: the most of a difference, the least of a ratio

    [fairness.recommendation]
    providers = "artists.csv"                  # artist_id and columns of groups, perhaps event_timestamp
    exposure_ratio = 0.8
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import FILE, Project
from training.fairness.rates import gaps
from transforms.raw.declared import raw_tables

OF_LISTENERS = ("users.plan", "users.country", "users.birth_year", "users.gender")
"""Groups where a project declares none."""
UNBOUNDED = ("popularity_lift", "genre_miscalibration", "gini")
"""Figures of all units that a limit may bound from above."""
LEAST = ("coverage",)
"""Figures of all units that a limit may bound from below."""


@dataclass(frozen=True)
class FairnessSettings:
    """What is declared for one model.

    Attributes:
        groups: table and column of each division of people, such as ``users.plan``.
        crossed: names of divisions whose intersections limits bind on.
        threshold: chance from which a unit is selected.
        providers: file with groups of those whose work is shown; None if there is none.
        limits: name of a gap or a figure → limit.
    """

    groups: tuple[str, ...] = OF_LISTENERS
    crossed: tuple[tuple[str, ...], ...] = ()
    threshold: float = 0.5
    providers: Path | None = None
    limits: Mapping[str, float] = field(default_factory=dict)


def settings_of(home: Home, model: str) -> FairnessSettings:
    """Reads what the project of a data folder declares for a model.

    Raises:
        InputError: an entry is malformed, or names what is not there.
    """
    project = Project.load(home.project_folder)
    declared = project.fairness.get(model)
    if declared is None:
        return FairnessSettings()
    known = [*sorted(gaps()), *UNBOUNDED, *LEAST]
    values: dict[str, Any] = {"limits": {}}
    for name, value in declared.items():
        if name == "groups":
            values[name] = tuple(_column(home, model, each) for each in _texts(home, model, name, value))
        elif name == "crossed":
            pairs = value if isinstance(value, list) else [value]
            values[name] = tuple(tuple(_texts(home, model, name, pair)) for pair in pairs)
        elif name == "providers":
            values[name] = _file(home, model, project, value)
        elif name == "threshold":
            values[name] = _number(home, model, name, value)
        elif name in known:
            values["limits"][name] = _number(home, model, name, value)
        else:
            options = ["groups", "crossed", "threshold", "providers", *known]
            raise _invalid(home, model, f"the options {', '.join(options)}", repr(name))
    return FairnessSettings(**values)


def check_names(home: Home, models: Collection[str]) -> None:
    """Checks that each section of fairness is of a model, since the limits of another one would bind nothing.

    Args:
        home: the data folder, whose project declares them.
        models: names of all models.

    Raises:
        InputError: a section is of no model.
    """
    for name in Project.load(home.project_folder).fairness:
        if name not in models:
            raise _invalid(home, name, f"a model, one of {', '.join(sorted(models))},", f"no model {name!r}")


def _texts(home: Home, model: str, name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise _invalid(home, model, f"{name} as a list of texts", repr(value))
    return value


def _number(home: Home, model: str, name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    is_share = name == "threshold" or name in LEAST or (name in gaps() and gaps()[name].is_better_high)
    if not is_number or (is_share and value > 1):
        raise _invalid(home, model, f"{name} as a number {'from 0 to 1' if is_share else 'of 0 or more'}", repr(value))
    return float(value)


def _column(home: Home, model: str, name: str) -> str:
    table, _, column = name.partition(".")
    tables = raw_tables(home)
    if table not in tables or column not in tables[table].columns:
        columns = list(tables[table].columns) if table in tables else []
        raise _invalid(
            home,
            model,
            f"groups of columns of raw tables, such as {table}.COLUMN" if columns else "groups as TABLE.COLUMN",
            f"{name!r}; {f'{table} has {columns}' if columns else f'the raw tables are {sorted(tables)}'}",
        )
    return name


def _file(home: Home, model: str, project: Project, value: Any) -> Path:
    path = None if not isinstance(value, str) or project.folder is None else project.folder / value
    if path is None or not path.is_file():
        raise _invalid(home, model, "providers as a file in the project's folder", repr(value))
    return path


def _invalid(home: Home, model: str, expected: str, found: str) -> InputError:
    file = FILE if home.project_folder is None else home.project_folder / FILE
    return InputError(
        expected=f"{expected} in [fairness.{model}]", found=found, next_command=f"correct {file}: docs/fairness.md"
    )
