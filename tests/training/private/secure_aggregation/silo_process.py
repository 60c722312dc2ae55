"""A silo in a process of its own: submits its words; one that is told to stops before a message, to be killed."""

import sys
import time
from pathlib import Path

import numpy as np

from feature_repo.home import Home
from feature_repo.signing.private_key import load_private_key
from training.private.secure_aggregation.envelope import PHASES, Phase
from training.private.secure_aggregation.http_board import HttpBoard, connect
from training.private.secure_aggregation.roster import Roster


def words_of(silo: str) -> np.ndarray:
    return np.random.default_rng(sum(silo.encode())).integers(0, 2**64, 3_000, np.uint64)


def main(url: str, silo: str, folder: str, stops_before: str) -> None:
    roster = Roster.load(Path(folder).parent / "roster.toml")
    home = Home(Path(folder)).ensure()
    channel = connect(url, silo, load_private_key(), roster, home, timeout_s=60)
    send, sent = HttpBoard.send, []

    def send_or_stop(board: HttpBoard, round_name: str, content: bytes) -> None:
        if stops_before and PHASES[len(sent)] == Phase(stops_before):
            print("stopped", flush=True)
            time.sleep(600)
        sent.append(len(content))
        send(board, round_name, content)

    HttpBoard.send = send_or_stop  # type: ignore[method-assign]
    print("ready", flush=True)
    channel.submit("plays-1", words_of(silo), about={"catalogue": "9f02"})
    print("submitted", len(channel.fetch("plays-1", 30)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
