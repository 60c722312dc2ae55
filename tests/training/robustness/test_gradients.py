"""Graphs and mel bands in torch answer as those that serve, and steps along their gradient raise the loss."""

import numpy as np
import pytest

from training.models.audio import heads
from training.models.audio.onnx_heads import to_onnx
from training.models.audio.tasks import Task
from training.robustness.attacks.networks import fgsm, pgd
from training.robustness.attacks.networks.pgd_waveform import worst_noise
from training.robustness.attacks.sounds import white_noise
from training.robustness.mel_in_torch import torch_patch
from training.robustness.subjects.audio_classifier import features_of, heads_targets, sound_targets
from training.robustness.target import Target, rows_target
from training.robustness.torch_graph import TorchGraph
from transforms.pure.audio import mel
from transforms.pure.audio.patch import FRAMES, patch
from transforms.pure.audio.stft import RATE

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def target() -> Target[np.ndarray]:
    """Heads of two classes that two of six features tell apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    rows = rng.normal(size=(60, 6)).astype(np.float32)
    rows[:, :2] += 3 * labels[:, None]
    model = heads.fit(rows, [Task("kind", "one_of", ("a", "b"), np.eye(2)[labels])], np.arange(60) // 3)
    made = rows_target(
        rows,
        labels,
        lambda x: model.answers(x)[0]["kind"].argmax(axis=1),
        lambda x: model.answers(x)[0]["kind"],
        rows.std(axis=0),
        graph=to_onnx(model),
    )
    made.extra["output"] = "kind"
    return made


def test_a_graph_in_torch_answers_as_in_onnxruntime(target: Target[np.ndarray]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(target.extra["graph"], providers=["CPUExecutionProvider"])
    rows = np.asarray(target.inputs).copy()
    rows[3, 2] = np.nan
    expected = session.run(["kind"], {session.get_inputs()[0].name: rows})[0]
    answers = TorchGraph(target.extra["graph"])(torch.from_numpy(rows), "kind").numpy()
    assert np.abs(answers - expected).max() < 1e-5


def test_steps_along_the_gradient_beat_noise(target: Target[np.ndarray]) -> None:
    """And a larger ball never helps the model."""
    strengths = (0.1, 0.5, 1.0)
    by_gradient = pgd.measure(target, strengths, np.random.default_rng(0)).mean(axis=1)
    one_step = fgsm.measure(target, strengths, np.random.default_rng(0)).mean(axis=1)
    rows, noise = np.asarray(target.inputs), np.random.default_rng(0).choice([-1.0, 1.0], (60, 6))
    by_chance = target.values((rows + noise * rows.std(axis=0)).astype(np.float32), target.units).mean()
    assert (np.diff(by_gradient) <= 0).all()
    assert by_gradient[-1] <= one_step[-1] < by_chance - 0.1


@pytest.mark.parametrize("seconds", [0.01, 1.0, 11.0])
def test_mel_bands_in_torch_are_those_of_serving(seconds: float) -> None:
    samples = np.random.default_rng(1).normal(size=int(seconds * RATE)).astype(np.float32) * 0.1
    in_torch = torch_patch(torch, torch.from_numpy(samples)).numpy()
    assert in_torch.shape == (mel.BANDS, FRAMES)
    assert np.abs(in_torch - patch(samples)).max() < 2e-3


def test_noise_found_through_the_mel_bands_raises_the_loss_within_its_length() -> None:
    """More than noise by chance of the same length does."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(2).normal(size=(mel.BANDS, 2)).astype(np.float32) / mel.BANDS
    nodes = [
        helper.make_node("ReduceMean", ["mel", "axes"], ["means"], keepdims=0),
        helper.make_node("Gemm", ["means", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["kind"], axis=1),
    ]
    constants = [numpy_helper.from_array(np.array([2]), "axes"), numpy_helper.from_array(weights, "weights")]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("mel", [None, mel.BANDS, FRAMES]), ("kind", [None, 2]))
    ]
    model = helper.make_model(helper.make_graph(nodes, "network", *ends, constants))
    graph = TorchGraph(model.SerializeToString())
    rng = np.random.default_rng(3)
    samples = (0.3 * np.sin(np.arange(RATE) * 0.1) + 0.01 * rng.normal(size=RATE)).astype(np.float32)
    length = 0.01 * float(np.linalg.norm(samples))

    def chance_of_first(sound: np.ndarray) -> float:
        return float(graph(torch.from_numpy(patch(sound)[None]), "kind")[0, 0])

    changed = worst_noise(graph, "kind", samples, 0, length, rng)
    noise = rng.normal(size=RATE)
    by_chance = (samples + noise * length / np.linalg.norm(noise)).astype(np.float32)
    assert np.linalg.norm(changed - samples) <= length * 1.001
    assert chance_of_first(changed) < min(chance_of_first(by_chance), chance_of_first(samples))


def test_heads_are_attacked_in_features_and_in_sounds() -> None:
    """Of two kinds of noise, told apart by their features: white noise makes the tones what the noises are."""
    rng = np.random.default_rng(5)
    time = np.arange(RATE // 2) / RATE
    tones = [0.3 * np.sin(2 * np.pi * rng.uniform(200, 2_000) * time).astype(np.float32) for _ in range(10)]
    noises = [0.1 * rng.normal(size=len(time)).astype(np.float32) for _ in range(10)]
    samples, labels = [*tones, *noises], np.repeat([0, 1], 10)
    inputs = np.array([features_of(one) for one in samples])
    task = Task("kind", "one_of", ("tone", "noise"), np.eye(2)[labels])
    (rows,) = heads_targets(inputs, task, np.arange(20) // 2, inputs, labels, np.arange(20))
    assert rows.values(rows.inputs, rows.units).mean() == 1.0
    (sounds,) = sound_targets(rows.extra["classes"], samples, labels, np.arange(20), "")
    attacked = white_noise.ATTACK.measure(sounds, [0.0], rng)[0]
    assert sounds.values(sounds.inputs, sounds.units).mean() == 1.0
    assert attacked[:10].mean() < 0.5
    assert attacked[10:].mean() == 1.0
