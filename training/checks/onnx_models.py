"""Checks that every ONNX file of a bundle is a valid model that the runtime loads."""

from feature_repo.bundle import Bundle
from feature_repo.home import Home
from training.checks.broken import broken


def onnx_models_load(bundle: Bundle, home: Home) -> None:
    """Checks that each model loads, with at least one input and one output."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    for path in sorted(bundle.folder.glob("*.onnx")):
        try:
            session = onnxruntime.InferenceSession(bundle.read(path.name), providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own, of several kinds
            raise broken(bundle, f"an ONNX model in {path.name}", str(error).partition("\n")[0][:200]) from error
        if not session.get_inputs() or not session.get_outputs():
            raise broken(bundle, f"inputs and outputs of {path.name}", "none")
