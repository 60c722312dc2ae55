"""The only module that Feast scans; ``.feastignore`` hides the others, whose objects would be found twice."""

from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.store import refuse_other_home

refuse_other_home()

# Feast collects its objects from the module's globals.
globals().update(contract_of(Home.from_env()).feast_objects())
