"""``python -m refrain``, which is the command ``refrain``."""

from refrain.cli import main

if __name__ == "__main__":
    main()
