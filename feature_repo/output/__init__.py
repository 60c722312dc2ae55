"""Texts on their way out: each kind of output has one place where what it would take for a sign of its own is escaped.

plain.py (control and bidirectional characters; lengths) → terminal and log lines (``feature_repo.command_line``,
``inference.monitoring.logs``), csv_text.py (cells that a spreadsheet would run), markdown.py (cards and pages),
json_text.py (numbers that JSON does not have). HTML is escaped by ``transforms.pure.svg`` and by the templates of the
console; errors of a server by ``inference.public_text``.

Texts are stored as they came, and escaped where they leave: what is safe differs by kind.
"""
