"""A seeded, simulated service with known incidents, as rows of the raw tables.

``schedule`` draws the incidents; the other modules draw the events of hosts, endpoints, accounts and masters. Normal
operation has unusual behaviour too, so that a detector can be wrong: nightly jobs, deployments, shared offices,
travellers, night owls, quiet and heavily limited masters. The schedule is stored as the raw table ``incidents``.
"""
