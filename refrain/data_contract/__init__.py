"""Data contracts: written from the declarations, checked over the data folder.

``tables.py`` says what raw tables and feature views there are, as a contract has them; ``write.py`` writes a contract
of each; ``check.py`` checks contracts, by one file a kind of check in ``checks/``; ``report.py`` shows the result. What
reads contracts, and their rules of single rows, is in ``transforms.data_contracts``: imports use it, too.
"""
