"""The commands that need several packages, one a file: a module with a ``COMMAND`` is found and listed."""
