"""The attacks, one a file, in a folder for each kind of inputs. Each declares an ``Attack``, found by its type."""
