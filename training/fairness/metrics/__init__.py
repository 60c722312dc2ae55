"""The metrics of fairness, one a file: a ``Rate`` of a group, and the ``Gap`` between groups that follows from it.

The names are those of Fairlearn (H. Weerts et al., Fairlearn: Assessing and Improving Fairness of AI Systems, 2023),
where it has the metric.
"""
