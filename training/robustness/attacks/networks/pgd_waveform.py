"""Projected gradient descent on the samples of a sound, through the mel bands, within an L2 ball given by the SNR.

A. Madry et al., 2018, with steps along the gradient itself (L2). What a person hears is the sound plus noise at the
given distance below it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack, DoesNotApply
from training.robustness.attacks.networks.gradients import graph_of, loss_of
from training.robustness.mel_in_torch import torch_patch
from training.robustness.target import Target

STEPS = 10


def worst_noise(
    graph: Any, output: str, samples: np.ndarray, label: int, length: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns samples (n,) with the noise of an L2 length that raises the loss of a graph of patches most.

    Args:
        graph: a ``TorchGraph`` whose input are patches.
        output: name of its output of scores.
        samples: (n,) samples at ``stft.RATE``.
        label: number of the right class.
        length: largest L2 norm of the noise.
        rng: source of chance.
    """
    torch = graph.torch
    clean = torch.from_numpy(np.asarray(samples, np.float32))
    noise = torch.from_numpy(rng.normal(size=len(samples)).astype(np.float32))
    noise = noise * (0.1 * length / noise.norm().clamp(min=1e-12))
    labels = torch.tensor([label])
    for _ in range(STEPS):
        noise = noise.detach().requires_grad_(True)
        loss = loss_of(graph, output, torch_patch(torch, clean + noise)[None], labels)
        (slope,) = torch.autograd.grad(loss, noise)
        noise = noise.detach() + 2.5 * length / STEPS * slope / slope.norm().clamp(min=1e-12)
        noise = noise * (length / noise.norm().clamp(min=length))
    return np.asarray((clean + noise).detach().numpy(), np.float32)


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all sounds with the worst noise of each SNR in dB."""
    if target.extra.get("patch_graph") is None:
        raise DoesNotApply("the way from the samples to the answer has no gradient")
    graph, output = graph_of(Target("patches", (), target.margins, "", extra={**target.extra["patch_graph"]}))
    return np.array(
        [
            target.values(
                [
                    worst_noise(
                        graph,
                        output,
                        samples,
                        int(label),
                        float(np.linalg.norm(samples)) * 10 ** (-strength / 20),
                        rng,
                    )
                    for samples, label in zip(target.inputs, target.labels, strict=True)
                ],
                target.units,
            )
            for strength in strengths
        ]
    )


ATTACK = Attack(
    name="pgd_waveform",
    kinds=("sounds",),
    about=f"Noise found by {STEPS} steps along the gradient, through the mel bands to the samples.",
    unit="dB of the sound above the noise",
    strengths=(60, 50, 40, 30),
    measure=measure,
    most=40,
)
