"""``refrain`` and ``python -m refrain``: every command of the platform under one roof."""

from refrain.cli import app

if __name__ == "__main__":
    app(prog_name="refrain")
