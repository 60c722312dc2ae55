"""The only module that Feast scans; ``.feastignore`` hides the others, whose objects would be found twice."""

from feature_repo.entities import artist, client, endpoint, genre, host, platform, track, user
from feature_repo.on_demand_views import ON_DEMAND_VIEWS
from feature_repo.services import SERVICES
from feature_repo.sources import PUSH_SOURCES
from feature_repo.store import refuse_other_home
from feature_repo.views import FEATURE_TABLES

refuse_other_home()

# Feast collects its objects from the module's globals.
globals().update(FEATURE_TABLES)
globals().update(SERVICES)
globals().update(ON_DEMAND_VIEWS)
globals().update({source.name: source for source in PUSH_SOURCES})
