"""What ``refrain init`` writes: a project with definitions, and a model if there is a label.

``sample`` reads rows of a table, ``proposal`` chooses events, features and a service from its columns, ``files`` writes
them as plain Python, ``example`` is the worked example of a project without a table.
"""
