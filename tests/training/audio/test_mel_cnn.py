"""The convolutional network learns, and its ONNX export serves the same outputs."""

import numpy as np
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.audio.classifier import Classifier
from inference.models import load_bundle
from training.models.audio.mel_cnn import CnnRecipe, fit
from training.models.audio.tasks import Task
from training.models.audio.train_cnn import train_cnn
from transforms.pure.audio.patch import FRAMES

torch = pytest.importorskip("torch", reason="the extra deep is not installed: pip install torch, then make test")


def _patches_and_tasks(count: int = 64) -> tuple[np.ndarray, list[Task]]:
    """Returns mel patches with a low or a high band, pulsed or steady, and three tasks on them."""
    rng = np.random.default_rng(0)
    high, pulsed = rng.integers(0, 2, count), rng.integers(0, 2, count)
    patches = np.full((count, 128, FRAMES), -1, np.float32)
    for row in range(count):
        band = slice(80, 100) if high[row] else slice(10, 30)
        patches[row, band, :: 8 if pulsed[row] else 1] = 0.8
    patches += 0.05 * rng.normal(size=patches.shape).astype(np.float32)
    targets = np.column_stack([pulsed]).astype(float)
    targets[::5] = np.nan
    return patches, [
        Task("genre", "one_of", ("low", "high"), np.eye(2)[high]),
        Task("instruments", "any_of", ("drums",), targets),
        Task("feeling", "number", ("valence",), 0.2 + 0.6 * high[:, None]),
    ]


@pytest.mark.journeys
def test_it_learns_what_is_there_to_be_seen() -> None:
    import onnxruntime

    patches, audio_tasks = _patches_and_tasks()
    trained = fit(patches, audio_tasks, np.arange(40), np.arange(40, 52), CnnRecipe(epochs=12, batch=8, crop=64))
    session = onnxruntime.InferenceSession(trained.onnx, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == ["genre", "instruments", "feeling", "distance"]
    outputs = dict(zip(names, session.run(None, {"mel": patches[52:]}), strict=True))
    assert (outputs["genre"].argmax(axis=1) == audio_tasks[0].targets[52:].argmax(axis=1)).mean() > 0.9
    is_labelled = ~np.isnan(audio_tasks[1].targets[52:, 0])
    assert ((outputs["instruments"][is_labelled, 0] > 0.5) == audio_tasks[1].targets[52:][is_labelled, 0]).mean() > 0.7
    assert np.abs(outputs["feeling"] - audio_tasks[2].targets[52:]).mean() < 0.25
    noise = np.random.default_rng(1).uniform(-1, 1, (4, 128, FRAMES)).astype(np.float32)
    assert session.run(["distance"], {"mel": noise})[0].min() > np.median(outputs["distance"])
    first = fit(patches, audio_tasks, np.arange(40), np.arange(40, 52), CnnRecipe(epochs=1, batch=8, crop=64))
    second = fit(patches, audio_tasks, np.arange(40), np.arange(40, 52), CnnRecipe(epochs=1, batch=8, crop=64))
    assert first.epochs == second.epochs == 1
    distances = [
        onnxruntime.InferenceSession(one.onnx, providers=["CPUExecutionProvider"]).run(["distance"], {"mel": patches})[
            0
        ]
        for one in (first, second)
    ]
    np.testing.assert_allclose(*distances, rtol=1e-2, atol=1e-2)


@pytest.mark.journeys
def test_it_is_registered_and_served_by_the_same_class(in_sounding: Home) -> None:
    (folder,) = (in_sounding.root / "simulated" / "sound").iterdir()  # what was imported: tracks are paths in it
    result = train_cnn(in_sounding, folder, CnnRecipe(epochs=1))
    bundle = load_bundle(f"{result.name}:{result.version}", in_sounding)
    assert bundle.manifest["extra"]["input"] == "mel"
    classifier = Classifier(bundle)
    results = classifier.classify(np.zeros((2, 128, FRAMES), np.float32))
    assert len(results) == 2
    assert results[0].genre is not None
    classes = {name: classes for name, _, classes in bundle.manifest["extra"]["tasks"]}
    assert set(results[0].genre.probabilities) == set(classes["genre"])


def test_a_folder_of_other_files_is_refused(in_sounding: Home, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="labelled tracks"):
        train_cnn(in_sounding, tmp_path, CnnRecipe(epochs=1))
