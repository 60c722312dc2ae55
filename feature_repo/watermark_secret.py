"""The owner's secret of watermarks: 32 random bytes in a file that only its owner reads.

Who loses it cannot test any more whether a model is a copy; who learns it can remove the marks. Keep a copy elsewhere.
"""

import re
import secrets

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole


def create_secret(home: Home) -> bool:
    """Create the secret of a data folder, unless it has one; returns whether it was created."""
    if home.watermark_secret.exists():
        return False
    home.watermark_secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(home.watermark_secret, secrets.token_hex(32) + "\n", is_secret=True)
    return True


def read_secret(home: Home) -> bytes:
    """Read the secret.

    Raises:
        InputError: there is none, it is damaged, or others can read its file.
    """
    file = home.watermark_secret
    try:
        text, mode = file.read_text("ascii").strip(), file.stat().st_mode & 0o777
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            expected=f"the owner's secret in {file}",
            found=type(error).__name__,
            next_command="refrain model own-key",
        ) from error
    if mode & 0o077:
        raise InputError(expected=f"{file} with mode 600", found=f"mode {mode:o}", next_command=f"chmod 600 {file}")
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(
            expected=f"64 hexadecimal digits in {file}",
            found=f"{len(text)} characters",
            next_command=f"cp YOUR_COPY {file}",
        )
    return bytes.fromhex(text)
