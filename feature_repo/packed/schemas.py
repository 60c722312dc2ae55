"""Schemas that views had: looked up in Redis when a value is met that was written with another than today's."""

from collections.abc import Callable

from feature_repo.packed import entity_key
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import Server, persistent


class KnownSchemas:
    """Schemas by view and fingerprint; each is fetched once.

    Attributes:
        project: Feast's.
    """

    def __init__(self, server: Server, project: str) -> None:
        self.project, self._server = project, server
        self._known: dict[tuple[str, int], Schema] = {}

    def of(self, view: str) -> Callable[[int], Schema | None]:
        """Fingerprint → schema of this view, None if nobody wrote it down."""

        def find(fingerprint: int) -> Schema | None:
            if (view, fingerprint) not in self._known:
                key = entity_key.schemas(self.project, view)
                command = ("HGET", key, f"{fingerprint:08x}")
                text = persistent(self._server, lambda: self._server.send([command], [key])[0], tries=2)
                if not isinstance(text, bytes):
                    return None
                schema = Schema.from_text(view, text)
                if schema.fingerprint != fingerprint:
                    return None
                self._known[view, fingerprint] = schema
            return self._known[view, fingerprint]

        return find
