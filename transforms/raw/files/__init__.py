"""What every reader opens: the members of a path, their text, and the records or rows in it.

``members`` lists what a file, folder or archive holds; ``text``, ``records``, ``table`` and ``sheet`` read a member;
``times`` and ``numbers`` read the cells. All of them stream, and raise nothing but ``InputError``. A row that cannot
be read is a ``Malformed`` beside the others.
"""
