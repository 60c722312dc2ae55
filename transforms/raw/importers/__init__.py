"""Importers of foreign formats into raw tables, one format per module.

An importer is a ``Format``: a name, a description of the expected files, and ``read(path)``, which yields ``Batch``
after ``Batch`` in bounded memory. A line that is not a row becomes ``malformed`` with a reason. A file that is not of
the format at all raises ``InputError`` before anything is yielded. Identifiers get the source's prefix, so that two
sources never share a user by accident.
"""
