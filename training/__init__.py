"""Training: from spine and feature service to registered models.

``datasets`` pulls point-in-time-correct training sets, ``models`` has one algorithm per file, ``train`` runs a model
end to end, ``evaluate`` measures, ``registry`` stores bundles and aliases in MLflow. The stage before is
``transforms``; the stage after, ``inference``, reads the promoted bundle and never this package.
"""
