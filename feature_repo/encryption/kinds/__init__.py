"""Kinds of files that are sealed, one a file: a module with a ``FileKind`` is found, and migrated with the others.

Tables are none of them: they are encrypted as Parquet (``parquet_files``).
"""
