"""Feast's online store on packed values (``feature_repo.packed``): one Redis string per view and entity.

A lookup is one round trip for any number of views, and its response builds protobufs only on demand. Feast loads this
module by dotted path from feature_store.yaml.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from feast import Entity, FeatureService, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from pydantic import StrictStr

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.decode import decode
from feature_repo.packed.encode import encode
from feature_repo.packed.erase import erase_view
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.packed.search import nearest
from feature_repo.packed.server import READ_TIMEOUT, WRITE_TIMEOUT, Server, get, open_server
from feature_repo.packed.write import Writer
from feature_repo.stores import http_errors, push_online
from feature_repo.stores.async_connection import AsyncConnection
from feature_repo.stores.feast_registry import forget_versions, mend_dump
from feature_repo.stores.lookup_plan import LookupPlanner, convert_keys
from feature_repo.stores.null_keys import NullKeys
from feature_repo.stores.online_lookup import entities_of, entity_key_of, too_old
from feature_repo.stores.ownership import claim
from feature_repo.stores.protobuf import from_values, moment, schema_of, to_values, unwrapped
from feature_repo.stores.restricted_rows import not_restricted

mend_dump()

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):
    """Address and timeouts of the Redis.

    Attributes:
        connection_string: see ``feature_repo.packed.address``. Without it, ``REFRAIN_REDIS`` is used; without both,
            the embedded server of the data folder.
        redis_type: ``redis``, ``redis_cluster`` or ``redis_sentinel``.
        sentinel_master: name of the master that the sentinels watch.
        ssl: whether to use TLS.
        ssl_ca_certs: file with the trusted certificate authorities.
        ssl_certfile: file with the client certificate, if the server requires one.
        ssl_keyfile: file with the key of the client certificate.
        expire: whether Redis drops rows that are older than their view's ttl.
        read_timeout: timeout of one lookup, in seconds.
        write_timeout: timeout of one batch of writes, in seconds.
        patience: seconds for which a write is retried while the server is unavailable.
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
        """Creates the data folder, so that plain `feast apply` can write its registry on a fresh clone."""
        Home.from_env().ensure()

    def address(self) -> Address:
        """Returns the address of the server."""
        names = ("redis_type", "sentinel_master", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
        options = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.ssl:
            options["ssl"] = "true"
        if self.connection_string:
            return Address.parse(self.connection_string, **options)
        return Address.from_env(**options)


# Feast's commands create their HTTP server after they have loaded this store.
http_errors.install(PackedRedisOnlineStoreConfig)


class PackedRedisOnlineStore(OnlineStore):
    """Feast online store that keeps packed values in Redis."""

    def __init__(self) -> None:
        self._servers: dict[tuple[int, float], tuple[Any, Server]] = {}
        self._writers: dict[tuple, Writer] = {}
        self._schemas: KnownSchemas | None = None
        self._planner = LookupPlanner()
        self._async = AsyncConnection()

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reads and writes are supported asynchronously."""
        return SupportedAsyncMethods(read=True, write=True)

    # --- writing -----------------------------------------------------------------------------------------------------

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Writes rows given as protobufs (a push); the newest event of each entity wins.

        Rows with a missing key are skipped, because no lookup could find them, and rows of restricted people.

        Raises:
            InputError: a value or a key does not fit its type.
            OnlineUnavailable: Redis does not accept the rows; a retry is safe.
        """
        schema, rows = schema_of(table), len(data)
        data = not_restricted(data)
        all_names = self._names(config, table, [key for key, *_ in data])
        data = [row for row, name in zip(data, all_names, strict=True) if name is not None]
        names = [name for name in all_names if name is not None]
        if not data:
            return
        columns = {
            column.name: from_values(schema, column, [values.get(column.name) for _, values, *_ in data])
            for column in schema.columns
        }
        event = _times([event for *_, event, _ in data])
        created = _times([created for *_, created in data])
        self.writer(config, table, schema).write(names, encode(schema, columns, event, created))
        if progress:
            progress(rows)

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Runs ``online_write_batch`` in a thread, beside the event loop."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def writer(self, config: RepoConfig, table: FeatureView, schema: Schema | None = None) -> Writer:
        """Returns the (cached) writer of a view's rows."""
        schema = schema or schema_of(table)
        options = config.online_store
        ttl = table.ttl if options.expire and table.ttl else None
        cache_key = (config.project, table.name, schema.fingerprint, ttl)
        if cache_key not in self._writers:
            server = self.server(config, options.write_timeout)
            self._writers[cache_key] = Writer(server, config.project, schema, ttl=ttl, patience=options.patience)
        return self._writers[cache_key]

    def server(self, config: RepoConfig, timeout: float) -> Server:
        """Returns the (cached) connection to Redis with a timeout in seconds."""
        options = config.online_store
        cache_key = (id(options), timeout)
        if cache_key not in self._servers:
            home, address = Home.from_env(), options.address()
            if address.is_embedded:
                claim(home, config)
            server = open_server(home, address, timeout)
            self._servers[cache_key] = (options, server)  # a reference to the options, so that their id is not reused
        return self._servers[cache_key][1]

    # --- reading -----------------------------------------------------------------------------------------------------

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Reads rows of one view as protobufs; (None, None) for rows that are missing or older than the view's ttl.

        Raises:
            OnlineUnavailable: Redis does not answer.
            StoreError: a stored value is damaged, or has an unknown schema.
        """
        names = self._names(config, table, entity_keys)
        values = get(self._reader(config), [name for name in names if name is not None])
        return self._decode_rows(config, table, _align(names, values), requested_features)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Asynchronous ``online_read``."""
        names = self._names(config, table, entity_keys)
        values = await self._async.get(config, [name for name in names if name is not None])
        return self._decode_rows(config, table, _align(names, values), requested_features)

    def get_online_features(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        include_feature_view_version_metadata: bool = False,
    ) -> OnlineResponse:
        """Looks up all views in one round trip; Feast's own code computes on-demand views.

        Raises:
            InputError: a join key is missing from the entity rows.
            OnlineUnavailable: Redis does not answer.
            StoreError: a stored value is damaged, or has an unknown schema.
        """
        lookup = self._planner.plan(config, features, entity_rows, registry, project, full_feature_names)
        if lookup is None or include_feature_view_version_metadata:
            return super().get_online_features(
                config,
                features,
                convert_keys(features, entity_rows, registry, project, full_feature_names),
                registry,
                project,
                full_feature_names,
                include_feature_view_version_metadata,
            )
        return lookup.response(get(self._reader(config), lookup.names), self._known_schemas(config))

    async def get_online_features_async(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        include_feature_view_version_metadata: bool = False,
    ) -> OnlineResponse:
        """Asynchronous ``get_online_features``."""
        lookup = self._planner.plan(config, features, entity_rows, registry, project, full_feature_names)
        if lookup is None or include_feature_view_version_metadata:
            return await super().get_online_features_async(
                config,
                features,
                convert_keys(features, entity_rows, registry, project, full_feature_names),
                registry,
                project,
                full_feature_names,
                include_feature_view_version_metadata,
            )
        return lookup.response(await self._async.get(config, lookup.names), self._known_schemas(config))

    def retrieve_online_documents_v2(
        self,
        config: RepoConfig,
        table: FeatureView,
        requested_features: list[str],
        embedding: list[float] | None,
        top_k: int,
        distance_metric: str | None = None,
        query_string: str | None = None,
        filters: Any = None,
        include_feature_view_version_metadata: bool = False,
    ) -> list[tuple[datetime | None, EntityKey | None, dict[str, Value] | None]]:
        """Finds the rows whose vectors are nearest to a query, by an exact scan of the view.

        Redis' search modules index hashes and JSON, not packed values. This scan needs no module; its time grows with
        the view. The result has the feature ``distance``. Rows are ordered by entity, because Feast 0.67 assigns
        features to the wrong entities in any other order.

        Raises:
            InputError: the query is a text or has filters, the view has no vector, or the metric is unknown.
        """
        vectors = [f.name for f in table.features if f.vector_index] or [
            f.name for f in table.features if str(f.dtype) in ("Array(Float32)", "Array(Float64)")
        ]
        if embedding is None or query_string is not None or filters is not None or not vectors:
            raise InputError(
                expected="a search by vector in a view that has one (Field(…, vector_index=True))",
                found="a text or filters" if vectors else f"no vector in {table.name}",
                next_command="store.retrieve_online_documents_v2(features=[…], query=[…], top_k=10)",
            )
        schema, server = schema_of(table), self._reader(config)
        find_schema, metric = self._known_schemas(config).of(schema.view), distance_metric or "L2"
        query = np.asarray(embedding, np.float64)
        neighbours = nearest(server, config.project, schema, find_schema, vectors[0], query, top=top_k, metric=metric)
        rows = self._decode_rows(config, table, [neighbour.value for neighbour in neighbours], requested_features)
        documents = [
            (
                entity_key_of(table, neighbour.entity),
                event_time,
                values | {"distance": Value(float_val=neighbour.distance)},
            )
            for neighbour, (event_time, values) in zip(neighbours, rows, strict=True)
            if values is not None
        ]
        documents.sort(key=lambda document: [unwrapped(value) for value in document[0].entity_values])
        return [(event_time, entity, values) for entity, event_time, values in documents]

    # --- infrastructure ----------------------------------------------------------------------------------------------

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Erases the values of deleted views; views that are kept need no setup.

        Raises:
            StoreError: the embedded server's keys of this project belong to another repository.
        """
        if config.online_store.address().is_embedded:
            claim(Home.from_env(), config)
        for table in tables_to_delete:
            erase_view(self.server(config, config.online_store.write_timeout), config.project, table.name)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Erases all values of this project's views and no others. The server keeps running."""
        self.update(config, tables, [], entities, [], partial=False)
        forget_versions(config)

    async def close(self) -> None:
        """Closes all connections."""
        await self._async.close()
        for _, server in self._servers.values():
            server.reconnect()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _reader(self, config: RepoConfig) -> Server:
        return self.server(config, config.online_store.read_timeout)

    def _known_schemas(self, config: RepoConfig) -> KnownSchemas:
        if self._schemas is None or self._schemas.project != config.project:
            self._schemas = KnownSchemas(self._reader(config), config.project)
        return self._schemas

    def _names(self, config: RepoConfig, table: FeatureView, keys: Sequence[EntityKey]) -> list[bytes | None]:
        """Returns the names of the packed values; None for a missing key."""
        prefix = entity_key.prefix(config.project, table.name)
        return [None if entity is None else prefix + entity + b"}" for entity in entities_of(table, keys)]

    def _decode_rows(
        self, config: RepoConfig, table: FeatureView, packed_values: list[bytes | None], requested: list[str] | None
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        schema = schema_of(table)
        block = decode(packed_values, schema, self._known_schemas(config).of(schema.view))
        requested_columns = [column for column in schema.columns if requested is None or column.name in requested]
        is_missing = too_old(block, getattr(table, "ttl", None)) | (block.event == UNKNOWN_TIME)
        values = {column.name: to_values(block, column) for column in requested_columns}
        return [
            (None, None) if is_missing[row] else (moment(event), {name: column[row] for name, column in values.items()})
            for row, event in enumerate(block.event.tolist())
        ]

    def _read_features_per_fv(
        self, config: RepoConfig, grouped_refs: list, keys: Any, entity_names: Any, response: Any, *rest: Any
    ) -> None:
        """Reads as Feast does, but with a stable order of a view's features in every process, and allows null keys."""
        null_keys = NullKeys(_sort_features(grouped_refs), keys, entity_names)
        super()._read_features_per_fv(config, null_keys.grouped, null_keys.filled, entity_names, response, *rest)
        null_keys.blank(response)

    async def _read_features_per_fv_async(
        self, config: RepoConfig, grouped_refs: list, keys: Any, entity_names: Any, response: Any, *rest: Any
    ) -> None:
        """Asynchronous ``_read_features_per_fv``."""
        null_keys = NullKeys(_sort_features(grouped_refs), keys, entity_names)
        await super()._read_features_per_fv_async(
            config, null_keys.grouped, null_keys.filled, entity_names, response, *rest
        )
        null_keys.blank(response)


def _align(names: Sequence[bytes | None], values: Sequence[bytes | None]) -> list[bytes | None]:
    """Aligns values, which exist for non-null names only, with the positions of all names."""
    remaining = iter(values)
    return [None if name is None else next(remaining) for name in names]


def _times(moments: Sequence[datetime | None]) -> pa.Array:
    """Converts datetimes to Arrow timestamps. Naive datetimes are UTC; NaT and None are null."""
    present = [m if m is not None and m == m else None for m in moments]  # noqa: PLR0124 - NaT differs from itself
    zoned = [m.replace(tzinfo=UTC) if m is not None and m.tzinfo is None else m for m in present]
    return pa.array(zoned, pa.timestamp("us", "UTC"))


def _sort_features(grouped: list) -> list:
    return [(table, sorted(features)) for table, features in grouped]


push_online.install(PackedRedisOnlineStore)
