"""Answers from one file of a person's own: forecasts, anomalies, classes, recommendations.

``table`` opens the file (whatever ``refrain import table`` reads), ``columns`` finds the columns by their usual names
or by the options of the command. One task a file: ``forecasting``, ``anomalies``, ``classification``,
``recommendation``. Each splits the rows by time where they have times, chooses among several models of
``training.models`` (and a plain one) on validation, measures the choice on the test part once beside the plain model,
and returns a ``Result``: what was found in words, tables and pictures for ``page``, and the answers for ``answers``.
Nothing is registered or promoted, and no data folder is needed.
"""
