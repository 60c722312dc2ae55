"""The console at ``/``: a few pages that a server renders, without scripts and without anything from elsewhere.

``pages`` has the routes, the templates beside it have the words. Whoever may predict may see them: people at a browser
show their key once, at ``/console/login``, and it is kept in a cookie that no script can read.
"""
