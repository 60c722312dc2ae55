"""The Stanford Sentiment Treebank with two classes (Socher et al. 2013): sentences of film reviews and their phrases.

The input is a file, or a folder with ``train.tsv`` and others, of lines ``sentence<TAB>label`` (0 negative, 1
positive). The tokens of the Penn Treebank are joined to ordinary text. The corpus has no times: event time and created
time are the date of publication.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from transforms.raw.importers.format import BATCH_ROWS, Format, Rows, lines
from transforms.raw.importers.texts import LABEL_COLUMNS, TEXT_COLUMNS, text_id
from transforms.raw.ingest import Batch

PUBLISHED = datetime(2013, 10, 18, tzinfo=UTC)
LABELS = {"0": "negative", "1": "positive"}
_CLITIC = re.compile(r" (n't|'s|'re|'ve|'ll|'d|'m|'em)\b")
_AFTER = re.compile(r" ([.,;:!?%)])")


def read(path: Path) -> Iterator[Batch]:
    """Yield sentences and phrases with their labels, file after file.

    Raises:
        InputError: there is no TSV file, or its lines are not sentence and label.
    """
    SST2.check(path)
    files = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
    if not files:
        raise SST2.mismatch(f"no .tsv file in {path}")
    size = sum(file.stat().st_size for file in files)
    done = 0
    for file in files:
        texts, labels = Rows("texts", TEXT_COLUMNS), Rows("text_labels", LABEL_COLUMNS)
        good = 0
        for number, (line, position) in enumerate(lines(file, SST2)):
            text = line.decode(errors="replace").rstrip("\r\n")
            sentence, tab, label = text.rpartition("\t")
            if not tab or label.strip() not in LABELS:
                if number > 0:
                    texts.refuse("not sentence, tab, and 0 or 1", text)
                continue
            good += 1
            plain = untokenized(sentence)
            name = text_id("sst2", plain)
            texts.rows.append((name, "corpus", "sst2", "sentence", plain, "en", None, PUBLISHED, PUBLISHED))
            labels.rows.append((name, "sentiment", LABELS[label.strip()], PUBLISHED))
            if len(texts.rows) >= BATCH_ROWS:
                yield texts.flush(done + (position or 0), size)
                yield labels.flush(done + (position or 0), size)
        if not good:
            raise SST2.mismatch(f"no line of {file} is a sentence and 0 or 1")
        done += file.stat().st_size
        yield texts.flush(done, size)
        yield labels.flush(done, size)


def untokenized(sentence: str) -> str:
    """Join the tokens of the Penn Treebank to ordinary text.

    >>> untokenized("it does n't work , bono 's ( new ) film .")
    "it doesn't work, bono's (new) film."
    """
    text = _AFTER.sub(r"\1", _CLITIC.sub(r"\1", sentence.strip()))
    text = text.replace("( ", "(").replace("`` ", '"').replace(" ''", '"')
    return text.replace("-lrb- ", "(").replace(" -rrb-", ")")


SST2 = Format("sst2", "a file of lines sentence<TAB>label, or a folder with train.tsv and dev.tsv", read)
"""Reader of the treebank."""
