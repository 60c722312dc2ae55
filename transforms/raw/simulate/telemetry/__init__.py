"""A seeded service with known incidents: hosts, endpoints, accounts, addresses and masters, in the raw tables' shape.

``schedule`` draws what goes wrong, when and for whom; the others draw what happens, one raw table's kind a file. Normal
life has its own oddities, so that a detector can be wrong: nightly jobs, deployments, shared offices, travellers, night
owls, quiet and heavily limited masters. The schedule is stored as the raw table ``incidents``.
"""
