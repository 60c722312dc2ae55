"""The format of feature values in Redis: one packed value per view and entity.

``schema`` defines the layout, ``encode`` packs Arrow columns, ``decode`` unpacks values to numpy, ``entity_key`` builds
their names, ``server`` connects to Redis, and ``write`` writes so that the newest row wins. docs/packed_format.md
specifies the format. Nothing here imports Feast; only ``encode`` and ``key_columns`` import Arrow, which serving does
not need.
"""
