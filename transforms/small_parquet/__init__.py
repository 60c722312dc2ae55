"""Small Parquet files, many at once: consecutive slices of one frame, each encoded as a file of its own.

Writers of libraries set up an encoder for every column of every file, which takes longer than encoding the few rows of
one listener's day. Here the values of a column are encoded once for all files, and each file is a join of parts of
them. The files are Parquet (https://parquet.apache.org/docs/file-format) in its plainest form, which every reader
knows: one row group, one page a column, PLAIN values, Snappy where it saves space, no statistics.

``thrift.py`` (structures as bytes) → ``types.py`` (how values of a type are stored) → ``column.py`` (pages of a column)
→ ``encode.py`` (files).
"""
