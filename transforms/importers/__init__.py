"""Other people's formats, one a file, read into raw tables.

An importer is a ``Format``: a name, what it expects to find, and ``read(path)``, which yields ``Batch`` after
``Batch`` in bounded memory. What is not a row becomes ``malformed`` with a reason; a file that is not of the format
at all raises ``InputError`` before anything is yielded. Identifiers get the source's prefix, so that two sources
never share a user by accident.
"""

from transforms.importers.audio import AUDIO
from transforms.importers.billboard import BILLBOARD
from transforms.importers.format import Format
from transforms.importers.lastfm import LASTFM
from transforms.importers.listenbrainz import LISTENBRAINZ
from transforms.importers.logs import LOGS
from transforms.importers.movielens import MOVIELENS
from transforms.importers.spotify import SPOTIFY
from transforms.importers.sst2 import SST2
from transforms.importers.texts import TEXTS

FORMATS: dict[str, Format] = {
    item.name: item for item in (MOVIELENS, LASTFM, SPOTIFY, LISTENBRAINZ, BILLBOARD, LOGS, AUDIO, TEXTS, SST2)
}

__all__ = ["FORMATS", "Format"]
