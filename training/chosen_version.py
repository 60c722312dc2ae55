"""The version that a command is about: the one that is named, else the champion, else the challenger."""

from feature_repo.bundle import MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from training import registry
from training.version_files import champion_of


def chosen_version(home: Home, model: str, named: str) -> int | None:
    """Returns the version to work on; None of a model without one.

    Args:
        home: the data folder.
        model: name of the model.
        named: the version as ``name_and_version`` returns it; empty for the champion, else the challenger.

    Raises:
        BundleError: there is no version that is named so.

    >>> chosen_version(Home.from_env(), "churn_model", "2")          # doctest: +SKIP
    2
    """
    if not named:
        return champion_of(home, model) or registry.challenger_of(home, model)
    if named.isdecimal() and (home.bundles(model) / str(int(named)) / MANIFEST).is_file():
        return int(named)
    raise BundleError(
        expected=f"a registered version of {model}",
        found=f"no version {named}",
        next_command="refrain model list",
    )
