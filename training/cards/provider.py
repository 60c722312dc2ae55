"""What the provider of a model says in its technical documentation: a file of the project, by point of the annex.

``annex_iv/NAME.toml`` in the project's folder, with lines such as ``"1(e)" = "One server with 4 cores."``
"""

import tomllib

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.cards.annex_iv import POINTS

FOLDER = "annex_iv"


def words_of(home: Home, model: str) -> dict[str, str]:
    """Reads what the provider says of a model: number of a point → text; empty if there is no file.

    Args:
        home: the data folder; without a project the file lies in it.
        model: name of the model.

    Raises:
        InputError: the file is no TOML, names a point that the annex does not have, or has something else than texts.
    """
    path = (home.project_folder or home.root) / FOLDER / f"{model}.toml"
    numbers = [point.number for point in POINTS]
    try:
        words = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(expected=f"TOML in {path}", found=str(error), next_command=f"correct {path}") from error
    for number, text in words.items():
        if number not in numbers or not isinstance(text, str) or not text.strip():
            raise InputError(
                expected=f"texts of the points {', '.join(numbers)} in {path}",
                found=f"{number!r} as {type(text).__name__}" if number in numbers else repr(number),
                next_command=f"correct {path}",
            )
    return {number: text.strip() for number, text in words.items()}
