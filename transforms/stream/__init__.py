"""Windowed tables (``feature_repo.windowed``) live: events → state → rows online.

The stage before is whoever appends to the stream (``feature_repo.events``); the one after is the online store.
"""
