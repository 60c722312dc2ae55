"""Writes a proposal as the files of a project. Existing files are kept."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from refrain.scaffold.proposal import Proposal


def contents(proposal: Proposal) -> dict[str, str]:
    """Returns the name and the text of every file of a project."""
    files = {"refrain.toml": _project(proposal), f"{proposal.project}_features.py": _definitions(proposal)}
    if proposal.label:
        files[f"{proposal.project}_models.py"] = _model(proposal)
    return {**files, ".gitignore": "data/\n__pycache__/\n"}


def write(folder: Path, files: dict[str, str]) -> list[tuple[str, bool]]:
    """Writes files that do not exist yet.

    Returns:
        Name of each file, and whether it is new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files.items():
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            written.append((name, False))
        else:
            written.append((name, True))
    return written


def next_commands(proposal: Proposal, folder: Path) -> list[str]:
    """Returns the commands that lead from the project to its first answer."""
    model = [f"refrain model run {proposal.model}", f"refrain model promote {proposal.model}"] if proposal.label else []
    return [
        f"cd {folder}",
        f"refrain import table {proposal.file} --as {proposal.events}",
        "refrain build",
        "refrain apply",
        *model,
        "refrain materialize",
        "refrain serve",
    ]


def _project(proposal: Proposal) -> str:
    renamed = {column.name: column.source for column in proposal.columns if column.name != column.source}
    mapping = "{ " + ", ".join(f'{name} = "{source}"' for name, source in renamed.items()) + " }" if renamed else "{}"
    time_format = f'time_format = "{proposal.time_format}"\n' if proposal.time_format else ""
    models = f'models = ["{proposal.project}_models"]' if proposal.label else "models = []"
    return f'''\
name = "{proposal.project}"
definitions = ["{proposal.project}_features"]   # modules or packages in this folder, or installed ones
{models}
extends = []                        # ["music"] adds the bundled definitions
data = "data"                       # everything that is stored; delete it to start afresh

[imports.{proposal.events}]         # how `refrain import table … --as {proposal.events}` reads a table
time = "{proposal.time}"
{time_format}map = {mapping}
'''


def _definitions(proposal: Proposal) -> str:
    features = proposal.features()
    aggregates = sorted({text.partition("(")[0] for text in features.values()})
    imports = ", ".join(sorted((*aggregates, "EventSource", "WindowedTable", "service"), key=str.lower))
    columns = "\n".join(f'        "{column.name}": "{column.dtype}",' for column in proposal.columns)
    resolution = {column.name: column.resolution for column in proposal.columns if column.resolution is not None}
    options = f"    resolution={json.dumps(resolution)},  # sums are exact in these steps\n" if resolution else ""
    left_out = "".join(f"# {name} is left out: {why}.\n" for name, why in proposal.left_out.items())
    tables = "\n\n".join(_table(proposal, key, features) for key in proposal.keys)
    taken = "\n".join(_taken(proposal, key) for key in proposal.keys)
    predicts = f'\n    predicts="{proposal.label}",' if proposal.label else ""
    return f'''\
"""Events, features and services of {proposal.project}. Refrain finds them by their type, whatever they are called."""

from refrain import {imports}

{proposal.events} = EventSource(
    "{proposal.events}",
    columns={{
{columns}
    }},
    key={_tuple(proposal.identity)},  # with the time, they identify an event; the same event again is a correction
{options})
{left_out}
{tables}

{proposal.service} = service(
    "{proposal.service}",
    "What is known at the moment of one of the {proposal.events}",
{taken}{predicts}
)
"""The features that a model takes. Another list of features is another service: {proposal.events}_v2."""
'''


def _taken(proposal: Proposal, key: str) -> str:
    """Lists the features of a table that a service takes, one line each: their text is joined by Python."""
    windows, view = proposal.keys[key], proposal.table(key)
    ending = f"{{{','.join(windows)}}}" if len(windows) > 1 else windows[0]
    columns = [f"{name}_{ending}" for name in proposal.features() if name != "idle_seconds"]
    lines = [f'    "{view}:', *(f'    " {column}' for column in columns)]
    return '"\n'.join(lines) + f'",\n    "{view}_now",'


def _table(proposal: Proposal, key: str, features: dict[str, str]) -> str:
    table = proposal.table(key)
    lines = "\n".join(f'        "{name}": {text},' for name, text in features.items())
    return f'''\
{table} = WindowedTable(
    name="{table}",
    about="The {proposal.events} of one {key.removesuffix("_id")}",
    source={proposal.events},
    keys=("{key}",),
    windows={_tuple(proposal.keys[key])},  # a feature has one column for each: {proposal.events}_7d
    features={{
{lines}
    }},
    every="event",  # a row after each event; "1d" for one a day
)'''


def _tuple(texts: Sequence[str]) -> str:
    """Writes a tuple of texts with double quotes."""
    return f"({', '.join(map(json.dumps, texts))}{',' if len(texts) == 1 else ''})"


def _model(proposal: Proposal) -> str:
    label = proposal.column(proposal.label)
    is_binary = label.dtype == "Bool" or (label.dtype == "Int64" and label.values <= 2)
    value = f'pl.col("{label.name}").cast({"pl.Int8" if is_binary else "pl.Float64"})'
    keys = ", ".join(f'"{key}"' for key in proposal.keys)
    return textwrap.dedent(f'''\
        """The model of {proposal.project}: {label.name} of one of the {proposal.events}, before it is known."""

        from datetime import timedelta

        import polars as pl

        from refrain import Home, TabularModel, scan_events


        def rows(home: Home) -> pl.DataFrame:
            """Returns one row for each event whose label is known: its keys, its time, its label.

            The features of a row use only what happened before its time.
            """
            events = scan_events(home, "{proposal.events}").filter(pl.col("{label.name}").is_not_null())
            return events.select({keys}, "event_timestamp", label={value}).collect()


        MODEL = TabularModel(
            name="{proposal.model}",
            family="{proposal.project}",
            about="{label.name} of one of the {proposal.events}",
            services=("{proposal.service}",),
            raw=("{proposal.events}",),
            rows=rows,
            kind="{"binary" if is_binary else "number"}",
            cluster="{next(iter(proposal.keys))}",
            horizon=timedelta(0),  # how long after its time the label of a row becomes known
        )
        ''')
