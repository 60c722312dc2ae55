"""Data contracts of a project: what the rows of a raw table, or of a feature table, must be like.

A contract is a file of the Open Data Contract Standard 3.1 (https://bitol-io.github.io/open-data-contract-standard/) in
the project's folder ``contracts``: ``contracts/raw/plays.odcs.yaml``, ``contracts/features/user_listening.odcs.yaml``.
``safe_yaml.py`` reads the text, ``parse.py`` the contract in it (``document.py``), ``binding.py`` checks it against the
declared table, and ``row_rules.py`` applies what it says of single rows to an import. ``refrain.data_contract`` writes
contracts, and checks the data folder by them. An import reads the contracts of its own tables, and nothing else.
"""
