"""A person's own table of events, read into the raw table of a kind of events.

Order of work: ``request`` (what the command line and the project say) → ``files`` or ``database`` (which recognize a
table and open it as a ``source.OwnTable``) → ``plan`` (which column goes where, in which form) → ``run`` (rows into
batches for ``transforms.raw.ingest``). ``cells`` and ``times`` convert columns and report each cell that does not fit.
"""
