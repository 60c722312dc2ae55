"""Plain views: Feast views over files that Refrain does not write."""

from pathlib import Path

from feast import FeatureView, FileSource


def settle_paths(view: FeatureView, folder: Path | None) -> FeatureView:
    """Makes the relative path of a view's files absolute, from the project's folder; returns the view.

    Feast would take it from the folder of its configuration, which is not the project's.

    Args:
        view: a declared view; its source is changed in place, so that services of Feast's own have it, too.
        folder: folder of the project; None for the bundled one, which has no files of its own.
    """
    source = view.batch_source
    if folder is not None and isinstance(source, FileSource):
        path = source.path
        if "://" not in path and not Path(path).is_absolute():
            source.file_options.uri = str(folder / path)
    return view
