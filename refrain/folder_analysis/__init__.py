"""The sounds of a folder, analysed into one table: a row for each file, those that cannot be read with their reason.

``rows`` says which columns a row has, ``journal`` keeps rows as they come, so that a run that was stopped goes on where
it was, ``work`` analyses the files on several cores and writes the table.
"""
