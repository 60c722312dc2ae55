"""What files say once they are decoded, one format a file: each declares a ``Reader``.

A reader yields the parts of a content. A part is searched, and read again by the readers that recognize it.
"""
