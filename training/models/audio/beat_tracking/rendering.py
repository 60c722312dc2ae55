"""The sound of an arrangement: rendered by fluidsynth, then recorded well or badly.

Needs the program ``fluidsynth`` (Debian: ``apt-get install fluidsynth fluid-soundfont-gm``) and mido (extra ``deep``).
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from feature_repo.errors import InputError
from training.models.audio.beat_tracking.arrangement import Arrangement
from transforms.pure.audio import chroma, mel, stft
from transforms.pure.audio.beat_network import BeatInputs
from transforms.pure.audio.decode import mono

TICKS_A_SECOND = 1_920
"""Of a MIDI file of 960 ticks a beat, at its 120 beats per minute."""


def render(arrangement: Arrangement, soundfont: Path) -> np.ndarray:
    """Return the samples of an arrangement, (n,) float32, mono at ``stft.RATE``.

    Args:
        arrangement: the notes.
        soundfont: file of the instruments, sf2 or sf3.

    Raises:
        InputError: fluidsynth is not installed, or the soundfont is not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        midi = Path(folder) / "notes.mid"
        write_midi(arrangement, midi)
        return render_midi(midi, soundfont)


def render_midi(midi: Path, soundfont: Path) -> np.ndarray:
    """Return the samples of a MIDI file, as ``render`` does."""
    if shutil.which("fluidsynth") is None or not soundfont.exists():
        raise InputError(
            expected="the program fluidsynth, and a soundfont",
            found="no fluidsynth" if soundfont.exists() else f"nothing at {soundfont}",
            next_command="apt-get install fluidsynth fluid-soundfont-gm",
        )
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        options = ["-ni", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(stft.RATE), "-T", "wav", "-F", str(sound)]
        only_used = ["-o", "synth.dynamic-sample-loading=1"]
        command = ["fluidsynth", *options, *only_used, str(soundfont), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        return np.concatenate([np.empty(0, np.float32), *mono(sound, stft.RATE)])


def write_midi(arrangement: Arrangement, path: Path) -> None:
    """Write an arrangement as a MIDI file."""
    import mido

    channels = {note.channel: note.program for note in arrangement.notes}
    messages = [
        (0, 0, mido.Message("control_change", channel=channel, control=7, value=arrangement.volumes[channel]))
        for channel in channels
    ]
    messages += [
        (0, 1, mido.Message("program_change", channel=channel, program=program))
        for channel, program in channels.items()
    ]
    for note in arrangement.notes:
        about = {"channel": note.channel, "note": note.key}
        start, end = (round(time * TICKS_A_SECOND) for time in (note.start_s, note.start_s + note.length_s))
        messages += [
            (start, 3, mido.Message("note_on", velocity=note.velocity, **about)),
            (end, 2, mido.Message("note_off", **about)),
        ]
    messages.sort(key=lambda message: message[:2])
    track, now = mido.MidiTrack(), 0
    for time, _, message in messages:
        track.append(message.copy(time=time - now))
        now = time
    mido.MidiFile(ticks_per_beat=TICKS_A_SECOND // 2, tracks=[track]).save(path)


def record(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Play samples in a room, through an equalizer, a limiter and noise, each at times; (n,) float32."""
    from scipy.signal import fftconvolve, lfilter

    sound = np.asarray(samples, np.float64)
    if rng.random() < 0.5:  # brighter or darker
        sound = lfilter([1, rng.uniform(-0.6, 0.6)], [1], sound)
    if rng.random() < 0.4:
        sound = lfilter(
            *_peak(np.exp(rng.uniform(np.log(80), np.log(8_000))), rng.uniform(0.5, 2), rng.uniform(-12, 9)), sound
        )
    if rng.random() < 0.35:
        count = int(rng.uniform(0.1, 1.2) * stft.RATE)
        echo = rng.normal(size=count) * np.exp(-6.9 * np.arange(count) / count)
        sound = sound + rng.uniform(0.06, 0.75) / np.linalg.norm(echo) * fftconvolve(sound, echo)[: len(sound)]
    sound = sound / max(float(np.abs(sound).max()), 1e-9)
    if rng.random() < 0.4:
        sound = np.tanh(sound * rng.uniform(1.5, 8))
    if rng.random() < 0.4:
        sound = sound + rng.normal(size=len(sound)) * 10 ** rng.uniform(-4, -1.7) * 3 * sound.std()
    return (sound * rng.uniform(0.05, 0.95) / max(float(np.abs(sound).max()), 1e-9)).astype(np.float32)


def inputs(samples: np.ndarray) -> np.ndarray:
    """(frames, ``beat_network.INPUTS``) inputs of the network for a whole sound of about a minute."""
    return BeatInputs().add(*frames(samples))


def frames(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(hops, ``mel.BANDS``) mel power of every hop, and (hops / 2, 12) pitch classes of every second one."""
    count = stft.frame_count(len(samples))
    every = max(count // 200, 1)
    around = stft.padded(samples)
    tuning = chroma.tuning(np.concatenate(list(stft.power(around, -(-count // every), every=every))))
    bands, pitches = [], []
    for power in stft.power(around, count):
        bands.append(mel.of_power(power))
        pitches.append(chroma.of_power(power[:: stft.STRIDE], tuning))
    return np.concatenate(bands), np.concatenate(pitches)


def _peak(hertz: float, quality: float, decibels: float) -> tuple[list[float], list[float]]:
    """Coefficients of a peaking filter, by R. Bristow-Johnson, Cookbook formulae for audio equalizer filters."""
    gain, angle = 10 ** (decibels / 40), 2 * np.pi * hertz / stft.RATE
    width, middle = np.sin(angle) / (2 * quality), -2 * np.cos(angle)
    return [1 + width * gain, middle, 1 - width * gain], [1 + width / gain, middle, 1 - width / gain]
