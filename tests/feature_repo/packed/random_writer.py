"""Writes random rows of one view until it is killed, and prints each batch once the server has confirmed it."""

import json
import random
import sys

import pyarrow as pa

from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.encode import encode
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import open_server
from feature_repo.packed.write import Writer

SCHEMA = Schema.of("plays", [("n", "Int64"), ("who", "String")])
PREFIX = entity_key.prefix("p", "plays")


def rows(quadruples: list[tuple[str, int, int | None, int]]) -> tuple[list[bytes], list[bytes]]:
    """Returns the Redis keys and packed values of rows (key, event, created, n)."""
    event, created = (
        pa.array([row[position] for row in quadruples], pa.int64()).cast(pa.timestamp("us", "UTC"))
        for position in (1, 2)
    )
    columns = {"n": pa.array([row[3] for row in quadruples]), "who": pa.array([row[0] for row in quadruples])}
    return [PREFIX + row[0].encode() + b"}" for row in quadruples], encode(SCHEMA, columns, event, created)


def main(address: str, seed: str) -> None:
    generator = random.Random(int(seed))
    writer = Writer(open_server(Home.from_env(), Address.parse(address), 5.0), "p", SCHEMA)
    draw = generator.randrange
    while True:
        batch = [(f"k{draw(40)}", draw(10**6), draw(3), draw(100)) for _ in range(20)]
        writer.write(*rows(batch))
        print(json.dumps(batch), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
