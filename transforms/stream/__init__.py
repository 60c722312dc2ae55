"""Windowed tables (``feature_repo.definitions.windowed``) live: events → state → rows online.

The stage before appends events to the stream (``feature_repo.events``); the stage after is the online store.
"""
