"""Feast plugins (offline store, online store, compute engine), loaded by dotted path from ``feature_store.yaml``, and
the Feast-free parts that a serving process shares with them.
"""
