"""Settings of the online store, as ``feature_store.yaml`` has them."""

from typing import Any

from feast.repo_config import FeastConfigBaseModel
from pydantic import StrictStr

from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import READ_TIMEOUT, WRITE_TIMEOUT


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):
    """Where the Redis is, and how long to wait for it.

    Attributes:
        connection_string: see ``feature_repo.packed.server``; without it ``REFRAIN_REDIS`` counts, and without that
            the embedded server of the data folder.
        redis_type: ``redis``, ``redis_cluster`` or ``redis_sentinel``.
        sentinel_master: name of the master that the sentinels watch.
        ssl: speak TLS.
        ssl_ca_certs: file of the authorities to trust.
        ssl_certfile: file of our own certificate, where the server wants one.
        ssl_keyfile: its key.
        expire: whether rows leave Redis when they are older than their view's ttl.
        read_timeout: seconds that one answer may take.
        write_timeout: seconds that the answer to one batch of writes may take.
        patience: seconds for which a write is tried again while the server is away.
    """

    type: StrictStr = "feature_repo.stores.online.PackedRedisOnlineStore"
    connection_string: str | None = None
    redis_type: str | None = None
    sentinel_master: str | None = None
    ssl: bool = False
    ssl_ca_certs: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    expire: bool = False
    read_timeout: float = READ_TIMEOUT
    write_timeout: float = WRITE_TIMEOUT
    patience: float = 30.0

    def model_post_init(self, context: Any, /) -> None:
        """Make the data folder, so that plain `feast apply` finds a place for its registry on a fresh clone."""
        Home.from_env().ensure()

    def address(self) -> Address:
        """Of the server."""
        names = ("redis_type", "sentinel_master", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
        options = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.ssl:
            options["ssl"] = "true"
        if self.connection_string:
            return Address.parse(self.connection_string, **options)
        return Address.from_env(**options)
