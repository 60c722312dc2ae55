"""Backups from which one person can be taken out afterwards, by destroying that person's key.

``contents`` says which files of a data folder a backup has: what was reported, logged and decided, and nothing that is
made of these. ``mentions`` says whom a row or line names, ``tables`` and ``lines`` cut files into pieces by these
people, ``pieces`` seals each piece with the keys of all whom it names. ``archive`` is the file; ``create``, ``restore``
and ``verify`` write and read it.
"""
