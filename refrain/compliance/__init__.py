"""Rules that a project keeps about data of people: ``refrain comply``.

``marks.py`` (what is personal, and what is made of it), ``facts.py`` (what rules are judged by), ``rules/`` (one rule a
file, found by type), ``policy.py`` (which of them bind) → ``check.py`` → ``report.py`` (text, JSON, JUnit, SARIF).
"""
