"""The input of the convolutional network, ``transforms.pure.audio.patch``, in torch: samples in, gradient out."""

from typing import Any

import numpy as np

from transforms.pure.audio import mel, patch, stft


def torch_patch(torch: Any, mono: Any) -> Any:
    """Computes the patch (bands, frames) of samples (n,) at ``stft.RATE``, as ``patch`` does.

    Args:
        torch: the module.
        mono: tensor of samples.
    """
    longest = int(patch.SECONDS * stft.RATE)
    start = max((len(mono) - longest) // 2, 0)
    part = mono[start : start + longest]
    count = min(-(-stft.frame_count(len(part)) // stft.STRIDE), patch.FRAMES)
    padded = torch.nn.functional.pad(part, (stft.WINDOW // 2, stft.WINDOW // 2))
    window = torch.from_numpy((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(stft.WINDOW) / stft.WINDOW)).astype(np.float32))
    frames = padded.unfold(0, stft.WINDOW, stft.HOP * stft.STRIDE)[:count] * window
    spectrum = torch.fft.rfft(frames)
    power = spectrum.real**2 + spectrum.imag**2
    levels = 10.0 * torch.log10((power @ torch.from_numpy(mel.bank())).clamp(min=float(mel.FLOOR)))
    loudest = levels.max()
    values = (levels - loudest).clamp(-patch.RANGE, 0.0) / (patch.RANGE / 2) + 1
    first = (patch.FRAMES - count) // 2
    return torch.nn.functional.pad(values.T, (first, patch.FRAMES - count - first), value=-1.0)
