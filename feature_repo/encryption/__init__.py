"""Encryption at rest: the files of a data folder are unreadable without a key that lies outside of it.

A key-encryption key, which ``providers`` find in a file, a variable, a command or a key management service, unwraps
the tenant key, which unwraps the data keys (``key_ring``), one for each table and each other ``scope``. The wrapped
keys of a tenant lie in one file (``key_file``). ``rotation`` wraps them anew; ``recovery`` is the way back when the
key-encryption key is lost. ``parquet_files`` is the one module that reads and writes Parquet, encrypted or not.
Nothing here imports Feast; polars and pyarrow are imported by the modules about Parquet alone. docs/encryption.md says
what is protected against whom.
"""
