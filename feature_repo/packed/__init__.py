"""Feature values as they lie in Redis: one packed value for each view and entity.

``schema`` says where a column lies in a value, ``encode`` makes values from Arrow, ``decode`` reads them as numpy,
``entity_key`` names them, ``server`` reaches the Redis that holds them, ``write`` lets the newest win. The format is
in docs/packed_format.md. Nothing here imports Feast; only ``encode`` imports Arrow, which serving does without.
"""
