"""A recursive filter, computed by products of matrices.

A sample of a recursive filter waits for the one before it. Written in states, the output of a block of samples is
linear in the block and in the state before it, and so is the state after it; states of many blocks in turn are linear
in what the blocks add and in the first of them. Both are products of matrices, which a processor is fast with.
"""

import numpy as np

_BLOCK, _BLOCKS = 32, 32
"""Samples of a block, and blocks whose states are computed at once."""
_LENGTH = _BLOCK * _BLOCKS


class BlockFilter:
    """Filters the channels of a sound that is added piece by piece, as ``scipy.signal.sosfilt`` with a state does.

    Args:
        sections: (n, 6) second-order sections.
        channels: number of channels.

    >>> lowpass = BlockFilter(np.array([[0.5, 0, 0, 1, -0.5, 0]]), channels=1)
    >>> lowpass.add(np.array([[1.0, 0.0, 0.0]])).tolist()
    [[0.5, 0.25, 0.125]]
    """

    def __init__(self, sections: np.ndarray, channels: int) -> None:
        self._sections, self._order = sections, 2 * len(sections)
        self._state = np.zeros((channels, self._order))
        self._of_block, self._to_state = self._respond(np.eye(_BLOCK), np.zeros((_BLOCK, self._order)))
        self._of_state, step = self._respond(np.zeros((self._order, _BLOCK)), np.eye(self._order))
        powers = [np.linalg.matrix_power(step, count) for count in range(_BLOCKS + 1)]
        # what each block adds, and the first state → the state before each block, and after the last
        between = np.zeros((_BLOCKS, self._order, _BLOCKS + 1, self._order))
        for block in range(_BLOCKS):
            between[block, :, block + 1 :] = np.stack(powers[: _BLOCKS - block], axis=1)
        self._between = between.reshape(_BLOCKS * self._order, -1)
        self._onward = np.concatenate(powers, axis=1)

    def add(self, samples: np.ndarray) -> np.ndarray:
        """Filter the next (channels, n) samples, float64; returns as many."""
        whole = samples.shape[1] // _LENGTH * _LENGTH
        out = np.empty(samples.shape)
        if whole:
            out[:, :whole] = self._add_blocks(np.ascontiguousarray(samples[:, :whole]))
        if whole < samples.shape[1]:
            out[:, whole:], self._state = self._respond(samples[:, whole:], self._state)
        return out

    def _add_blocks(self, samples: np.ndarray) -> np.ndarray:
        channels = len(samples)
        blocks = samples.reshape(channels, -1, _BLOCK)
        additions = (blocks @ self._to_state).reshape(channels, -1, _BLOCKS * self._order)
        states = additions @ self._between
        for number in range(states.shape[1]):
            states[:, number] += self._state @ self._onward
            self._state = states[:, number, -self._order :]
        states = states[..., : -self._order].reshape(channels, -1, self._order)
        return np.asarray(blocks @ self._of_block + states @ self._of_state).reshape(channels, -1)

    def _respond(self, samples: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Filter (rows, n) samples, each row after its (order,) state; returns the output and the states after it."""
        from scipy.signal import sosfilt  # late: a server may do without the extra for sound

        before = states.reshape(len(states), -1, 2).swapaxes(0, 1)
        out, after = sosfilt(self._sections, samples, axis=1, zi=before)
        return out, after.swapaxes(0, 1).reshape(len(states), -1)
