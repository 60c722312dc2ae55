"""Liveness, a proxy: whether something like applause, a murmuring crowd and a hall are heard.

It was learned from music that a made crowd was added to. No recording of a real audience was there, and a concert whose
audience is silent is not told from a studio.
"""

from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.expectation import Estimate
from transforms.pure.audio.vocabulary.inputs import Features
from transforms.pure.audio.vocabulary.scores import probabilities
from transforms.pure.audio.vocabulary.weights import Weights

TRUST = 0.3
"""Greatest confidence, as no real audience was heard."""


def liveness(features: Features, weights: Weights) -> Estimate:
    """How likely an audience is heard: above .8 it is likely, as Spotify's documentation has it.

    The average of Spotify's rows above .8 and of the others, by the probability of an audience.
    """
    audience = float(probabilities(inputs.voice(features), "audience", weights)[1])
    studio, live = weights["audience_liveness"]
    return Estimate(float((1 - audience) * studio + audience * live), TRUST * abs(2 * audience - 1))
