"""Files are written whole or not at all."""

import os


def write_atomically(path, write):
    """Make the file `path` of what `write(file)` writes, or leave the one that is there as it was.

    The file is written beside its place, flushed to the disk and then renamed: a crash leaves the old one.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
