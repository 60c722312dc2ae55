"""Conversions between paths and URLs, with special characters escaped."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def sqlite_url(path: Path, *, driver: str = "sqlite") -> str:
    """Returns SQLAlchemy's URL of a SQLite file, for any characters in its path.

    Args:
        path: path of the file.
        driver: SQLAlchemy's name of the dialect, with or without a driver.

    >>> sqlite_url(Path("/srv/refrain/registry.db")), sqlite_url(Path("/srv/100%?/registry.db"))
    ('sqlite:////srv/refrain/registry.db', 'sqlite:////srv/100%25%3F/registry.db')
    """
    from sqlalchemy import URL

    return URL.create(driver, database=str(path)).render_as_string(hide_password=False)


def sqlite_file(address: str) -> Path | None:
    """Returns the file of a SQLAlchemy URL; None for a database in memory or on a server.

    >>> sqlite_file("sqlite:////srv/100%25%3F/registry.db"), sqlite_file("sqlite://")
    (PosixPath('/srv/100%?/registry.db'), None)
    """
    from sqlalchemy import make_url

    parts = make_url(address)
    if parts.get_backend_name() != "sqlite" or parts.database in (None, "", ":memory:"):
        return None
    name = str(parts.database)
    return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)


def file_url(path: Path) -> str:
    """Returns a path for MLflow: unchanged, or as a file URL if it has characters that are special in URLs.

    >>> file_url(Path("/srv/refrain/mlflow")), file_url(Path("/srv/100%?/mlflow"))
    ('/srv/refrain/mlflow', 'file:///srv/100%25%3F/mlflow')
    """
    return path.as_uri() if any(character in str(path) for character in "?#%;") else str(path)
