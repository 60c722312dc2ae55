"""One recording under many spellings.

``spelling`` takes a title and its performers apart, ``match`` tells how alike two are, ``links`` finds which of a
catalogue are the same.
"""
