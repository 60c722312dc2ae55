"""Addresses made of paths, and paths read from addresses: what is a sign of an address is escaped."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def sqlite_url(path: Path, *, driver: str = "sqlite") -> str:
    """SQLAlchemy's address of a SQLite file, whatever signs are in its path.

    Args:
        path: of the file.
        driver: SQLAlchemy's name of the dialect, with or without that of the driver.

    >>> sqlite_url(Path("/srv/refrain/registry.db")), sqlite_url(Path("/srv/100%?/registry.db"))
    ('sqlite:////srv/refrain/registry.db', 'sqlite:////srv/100%25%3F/registry.db')
    """
    from sqlalchemy import URL

    return URL.create(driver, database=str(path)).render_as_string(hide_password=False)


def sqlite_file(address: str) -> Path | None:
    """The file that an address of SQLAlchemy's names; None where it names none: a database in memory, or a server.

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
    """A path as MLflow takes it: as it is, or as an address where one of its signs would mean something in one.

    >>> file_url(Path("/srv/refrain/mlflow")), file_url(Path("/srv/100%?/mlflow"))
    ('/srv/refrain/mlflow', 'file:///srv/100%25%3F/mlflow')
    """
    return path.as_uri() if any(sign in str(path) for sign in "?#%;") else str(path)
