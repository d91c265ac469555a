"""Files are written whole or not at all."""

import os
from glob import escape


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


def unfinished(path):
    """The files that processes which are no more left beside `path` while they were writing it -> a list of paths"""
    found = path.parent.glob(f".{escape(path.name)}.*")
    return [file for file in found if file.is_file() and is_over(file.suffix.removeprefix("."))]


def is_over(pid):
    """Whether no other process of this number lives, as far as that can be asked."""
    if not pid.isdecimal() or os.name != "posix":  # elsewhere signal 0 would do more than ask
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # alive, and another user's
        return False
    return False
