"""Servers on this data folder: they follow ``aliases.json`` and swap models while they serve."""

import json
import time
from dataclasses import dataclass
from typing import Any

from feature_repo.errors import StoreError
from feature_repo.home import Home

PATIENCE = 30.0
"""Seconds in which a server must load a new champion."""


@dataclass(frozen=True)
class Local:
    """A server on this data folder.

    Attributes:
        url: address of a server to wait for, such as ``http://127.0.0.1:8000``; None to wait for none.
    """

    url: str | None = None

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Waits until the server answers with the champions.

        Raises:
            StoreError: it does not answer, or keeps an older version.
        """
        champion_versions = {name: int(json.loads(text)["champion"]) for name, text in champions.items()}
        if self.url is None:
            return f"{len(champion_versions)} champions for servers on {home.root}"
        deadline = time.monotonic() + PATIENCE
        while True:
            served, error = self._served()
            behind = [name for name, version in served.items() if champion_versions.get(name, version) != version]
            if served and not behind:
                return f"{self.url} answers with {', '.join(f'{name}:{version}' for name, version in served.items())}"
            if time.monotonic() > deadline:
                raise StoreError(
                    expected=f"{self.url} to answer with the champions within {PATIENCE:g} s",
                    found=error or f"another version of {', '.join(behind)}",
                    next_command="refrain serve",
                )
            time.sleep(0.25)

    def _served(self) -> tuple[dict[str, int], str]:
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(f"{self.url}/v1/models", timeout=5) as answer:
                models: Any = json.load(answer)
        except (urllib.error.URLError, OSError, ValueError) as error:
            return {}, str(error)
        versions = [pair for model in models["models"] for pair in model["versions"].items()]
        return {name: int(version.rpartition(":")[2]) for name, version in versions}, ""
