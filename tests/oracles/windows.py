"""The loop over all events that windowed features are compared with; ``refrain test`` has it, too."""

from refrain.checking.oracle import (
    Event,
    adaptive_count,
    aggregate,
    floor,
    hash_of,
    hop_of,
    inside,
    micros,
    of_key,
    values,
)

__all__ = ["Event", "adaptive_count", "aggregate", "floor", "hash_of", "hop_of", "inside", "micros", "of_key", "values"]
