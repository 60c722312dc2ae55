"""Views of private counts of listening, for projects that name this package; they are published from a privacy budget.

::

    extends = ["music"]
    definitions = ["feature_repo.private_features"]     # beside a project's own

Not among the bundled definitions, because each release spends budget: nobody publishes by accident.
"""
