"""The console at ``/``: a few server-rendered pages without scripts and without resources from other sites.

``pages`` has the routes; the templates are beside it. The console needs the role ``predict``: users enter their key
once at ``/console/login``, and a cookie that scripts cannot read keeps it.
"""
