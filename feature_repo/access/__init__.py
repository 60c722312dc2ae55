"""Who sees which columns and rows: the section ``[access]`` of a project, compiled into the manifest.

``settings`` reads the section, ``compile`` and ``compiled`` write and read it with the marks of features, ``sight`` is
what one role sees of one feature service, ``masks`` and ``masking`` are what takes the place of a value, ``viewer``
says who is asking.
"""
