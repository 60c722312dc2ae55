"""K-weighting of ITU-R BS.1770-4, for any sample rate.

The standard gives coefficients for 48 kHz alone. For other rates, poles keep their frequency and decay, and zeros are
placed so that the gain at three frequencies stays what it is at 48 kHz (M. Vicanek, "Matched Second Order Digital
Filters", 2016). The bilinear transform, which is often used, is 0.2 dB off at 1 kHz for a rate of 8 kHz.
"""

import math
from functools import cache

import numpy as np

_STANDARD_RATE = 48_000
_SHELF = np.array([1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585])
_HIGH_PASS = np.array([1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621])
_SHELF_HERTZ = 1_200.0
"""Frequency on the slope of the shelf, where its gain is kept, as it is at 0 Hz and at the highest frequency."""


@cache
def sections(rate: int) -> np.ndarray:
    """Return the filter as (2, 6) second-order sections, as ``scipy.signal.sosfilt`` takes them.

    Args:
        rate: samples per second, 8,000 or more.

    >>> sections(48_000).round(4)[0]
    array([ 1.5351, -2.6917,  1.1984,  1.    , -1.6907,  0.7325])
    """
    poles = _moved_poles(_HIGH_PASS[3:], rate)
    hertz = np.array([_SHELF_HERTZ])
    gain = np.sqrt(_power(_HIGH_PASS, hertz, _STANDARD_RATE) / _power(np.r_[_HIGH_PASS[:3], poles], hertz, rate))
    return np.array([_moved_shelf(rate), np.r_[gain * _HIGH_PASS[:3], poles]])


def _moved_poles(denominator: np.ndarray, rate: int) -> np.ndarray:
    """The denominator whose poles ring and decay at another rate as those given do at the standard's."""
    roots = np.roots(denominator).astype(complex) ** (_STANDARD_RATE / rate)
    return np.real(np.poly(roots))


def _moved_shelf(rate: int) -> np.ndarray:
    """The shelf with zeros by the gain at three frequencies (Vicanek, equations 26 to 29)."""
    poles = _moved_poles(_SHELF[3:], rate)
    hertz = np.array([0.0, _SHELF_HERTZ, min(rate, _STANDARD_RATE) / 2])
    gains = _power(_SHELF, hertz, _STANDARD_RATE) * (_basis(hertz, rate) @ _squares(poles))
    at_zero, at_half, product = np.linalg.solve(_basis(hertz, rate), gains)
    both = (math.sqrt(at_zero) + math.sqrt(at_half)) / 2
    first = (both + math.sqrt(both**2 + product)) / 2
    return np.array([first, (math.sqrt(at_zero) - math.sqrt(at_half)) / 2, -product / (4 * first), *poles])


def _power(section: np.ndarray, hertz: np.ndarray, rate: int) -> np.ndarray:
    basis = _basis(hertz, rate)
    return np.asarray((basis @ _squares(section[:3])) / (basis @ _squares(section[3:])))


def _squares(polynomial: np.ndarray) -> np.ndarray:
    """Coefficients by which ``_basis`` gives the squared magnitude of a polynomial of the second degree."""
    first, middle, last = polynomial
    return np.array([(first + middle + last) ** 2, (first - middle + last) ** 2, -4 * first * last])


def _basis(hertz: np.ndarray, rate: int) -> np.ndarray:
    sine = np.sin(np.pi * hertz / rate) ** 2
    return np.stack([1 - sine, sine, 4 * sine * (1 - sine)], axis=1)
