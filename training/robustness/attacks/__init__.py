"""The attacks, one a file, in a folder for each kind of inputs. Each declares an ``Attack``, and is found by its type."""
