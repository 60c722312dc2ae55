"""Whether a process has what its routes need: the online store, and every promoted model."""

from feature_repo.bundle import promoted_models
from feature_repo.errors import RefrainError, StoreError
from feature_repo.extras import missing_extra
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import READ_TIMEOUT, get, open_server
from inference.api.models import Champions, versions
from inference.api.predictions import PredictionService

_KEY = b"refrain:readiness"
"""A key that nobody writes: whether it can be read is all that counts."""


class ReadinessCheck:
    """Checks what the routes of a process need: the online store, and every promoted model.

    Args:
        home: the data folder.
        champions: the serving objects; those with a promoted model are loaded.
        predictions: loads the promoted models of rows.
    """

    def __init__(self, home: Home, champions: Champions, predictions: PredictionService) -> None:
        self._home, self._champions, self._predictions = home, champions, predictions
        self._server = open_server(home, load_address(home), READ_TIMEOUT)

    def run(self) -> dict[str, str]:
        """Return model → version of the models that serve, all of which are loaded now.

        A model whose extra is not installed here is left out: its routes say so, and the others answer.

        Raises:
            StoreError: the online store does not answer, or a promoted model cannot be loaded; names all of these.
        """
        loaded: dict[str, str] = {}
        failures: dict[str, RefrainError] = {}
        try:
            get(self._server, [_KEY])
        except RefrainError as error:
            failures["online store"] = error
        for name in promoted_models(self._home, "tabular"):
            try:
                self._predictions.model(name)
            except RefrainError as error:
                failures[name] = error
        for serves, live in list(self._champions.lives.items()):
            if live.loaded is None and not live.is_promoted:
                continue
            try:
                loaded |= versions(live.get())
            except RefrainError as error:
                failures[serves] = error
            except ModuleNotFoundError as error:
                if missing_extra(error) is None:
                    raise
        if failures:
            raise StoreError(
                expected="; ".join(f"{what}: {error.expected}" for what, error in failures.items()),
                found="; ".join(f"{what}: {error.found}" for what, error in failures.items()),
                next_command=next(iter(failures.values())).next_command,
            )
        return loaded
