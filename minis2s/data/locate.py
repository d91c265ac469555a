"""Where a corpus lies on this machine, and whether it is the one that is meant."""

import os
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path


def places(directory=None):
    """The data directories to search, in order: `directory` or else MINIS2S_DATA, then the user's cache."""
    first = directory if directory is not None else os.environ.get("MINIS2S_DATA")
    return [*([Path(first).expanduser()] if first else []), cache()]


def cache():
    """The user's data directory, where downloads go."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(root) / "minis2s"


def find(corpus, file, directory=None):
    """The path of a corpus's file in one of the `places`, in the corpus's folder or right there; or None."""
    for place in places(directory):
        for path in (place / corpus.folder / file.name, place / file.name):
            if path.is_file():
                return path
    return None


def sha256(path):
    """The SHA-256 of a file as it is now, in hexadecimal; remembered as long as the file does not change."""
    status = os.stat(path)
    return _sha256(os.path.abspath(path), status.st_mtime_ns, status.st_size)


@lru_cache
def _sha256(path, mtime, size):
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
