"""Commands of ``refrain model``, one file per group."""
