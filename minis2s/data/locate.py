"""Where a corpus lies on this machine."""

import os
from pathlib import Path


def locate(corpus_folder, filename, directory=None, hint=""):
    """The path of a corpus file, looked for in a data directory and in its folder `corpus_folder`.

    Where `directory` is given, that is the one place to look, so that no other copy is read by mistake.
    Otherwise the places are the environment variable MINIS2S_DATA, then the user's cache directory.

    Raises FileNotFoundError, with `hint` on where to get the file, where no place has it.
    """
    roots = [Path(directory).expanduser()] if directory is not None else data_directories()
    for root in roots:
        for path in (root / corpus_folder / filename, root / filename):
            if path.is_file():
                return path
    places = " or ".join(str(root / corpus_folder) for root in roots)
    or_else = "" if directory is not None else ", or name in MINIS2S_DATA the data directory that has it"
    raise FileNotFoundError(f"there is no {filename} in {places}: {hint or 'put it there'}{or_else}")


def data_directories():
    """The data directories in the order of search: MINIS2S_DATA where it is set, the user's cache."""
    named = os.environ.get("MINIS2S_DATA")
    cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return [*([Path(named).expanduser()] if named else []), Path(cache) / "minis2s"]
