"""Spine and feature service to model.

``datasets`` pulls point-in-time-correct training sets, ``models`` hold one algorithm a file, ``train`` runs a family
end to end, ``evaluate`` measures, ``registry`` keeps bundles and aliases in MLflow. The stage before is
``transforms``; the stage after, ``inference``, reads the promoted bundle and never this package.
"""
