"""Earlier schemas of views, fetched from Redis when a value was not written with the current schema."""

from collections.abc import Callable

from feature_repo.packed import entity_key
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import Server, retry


class KnownSchemas:
    """Cache of schemas by view and fingerprint; each is fetched once.

    Attributes:
        project: name of the Feast project.
    """

    def __init__(self, server: Server, project: str) -> None:
        self.project, self._server = project, server
        self._cache: dict[tuple[str, int], Schema] = {}

    def of(self, view: str) -> Callable[[int], Schema | None]:
        """Returns a function from a fingerprint to a schema of this view, or None if Redis has no such schema."""

        def find(fingerprint: int) -> Schema | None:
            if (view, fingerprint) not in self._cache:
                key = entity_key.schemas(self.project, view)
                command = ("HGET", key, f"{fingerprint:08x}")
                text = retry(self._server, lambda: self._server.send([command], [key])[0], tries=2)
                if not isinstance(text, bytes):
                    return None
                schema = Schema.from_text(view, text)
                if schema.fingerprint != fingerprint:
                    return None
                self._cache[view, fingerprint] = schema
            return self._cache[view, fingerprint]

        return find
