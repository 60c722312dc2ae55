"""Options that the commands of a person's own file share."""

from pathlib import Path
from typing import Annotated

import typer

TIME = Annotated[str, typer.Option(help="column of the file with the times; found if left out")]
TIME_FORMAT = Annotated[
    str, typer.Option(help="unit (s, ms, us, ns) or format of the times, such as %d.%m.%Y; recognized if left out")
]
SEED = Annotated[int, typer.Option(min=0, help="seed of whatever is random; the same seed gives the same answers")]
ANSWERS = Annotated[Path | None, typer.Option(help="file for all answers, .csv or .parquet")]
PAGE = Annotated[
    Path | None, typer.Option(help="page to write, .html or .md; FILE.TASK.html in this folder if left out")
]
