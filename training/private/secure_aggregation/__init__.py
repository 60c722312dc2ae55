"""Sums of whole numbers over silos, of which nobody sees a summand (Bonawitz et al. 2017, with signed survivors).

- Takes: from each silo (n,) uint64 words; integers.py makes them of int64 tables that are proven not to overflow.
- Returns: to the coordinator the exact sum modulo 2^64 over the silos that stayed (``RoundSum``), or ``RoundAborted``.
- Promises: the coordinator sees masked words, which are uniform, and the sum over at least ``threshold`` silos.

roster.py (who takes part, pinned keys), terms.py (what is summed), memory.py (rounds that a silo joined) → envelope.py
(signed messages), messages.py (their bodies) → agreement.py (keys of pairs), keystream.py (masks), shamir.py (shares) →
silo_round.py | coordinator_round.py (one round, without transport; unmask.py) → coordinator.py | channel.py, which meet
at a board.py: local.py in one process, server.py (application.py) and http_board.py over HTTP.
"""
