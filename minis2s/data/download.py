"""What is at an address: downloaded with a time limit and retries, and taken out of its archive."""

import http.client
import io
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

LIMIT = 2**28  # bytes; every corpus is far smaller
CHUNK = 2**16
PAUSES = (1, 2, 4)
BUSY = (408, 429)  # of the client errors, those that may pass
# SourceForge sends browsers a page about the download, and some servers turn urllib's own name away.
HEADERS = {"User-Agent": "minis2s", "Accept-Encoding": "identity"}


def to_stderr(line):
    """Where reports go unless another place is named."""
    print(line, file=sys.stderr, flush=True)


def download(address, report=to_stderr, timeout=30.0, pauses=PAUSES):
    """The bytes at an address; `report` is called with a line now and then.

    `timeout` (seconds) is how long to wait for a sign of life. What may pass, such as a server's error or a
    broken connection, is tried again after each of the `pauses` (seconds).

    Raises ConnectionError, with the address and the reason, where it stays so.
    """
    report(f"downloading {address}")
    for pause in (*pauses, None):
        try:
            return _download(address, report, timeout)
        except (OSError, http.client.HTTPException) as error:
            final, reason = _judge(error)
            if final or pause is None:
                raise ConnectionError(f"cannot download {address}: {reason}") from error
            report(f"{reason}; trying again in {pause} s")
            time.sleep(pause)


def _judge(error):
    """(whether trying again is of no use, what to say)"""
    if isinstance(error, HTTPError):
        error.close()
        return error.code < 500 and error.code not in BUSY, error
    reason = error.reason if isinstance(error, URLError) else error
    return False, str(reason) or type(error).__name__


def _download(address, report, timeout):
    content, last = bytearray(), time.monotonic()
    with urlopen(Request(address, headers=HEADERS), timeout=timeout) as response:
        size = response.headers.get("Content-Length", "")
        size = int(size) if size.isdecimal() else None
        while chunk := response.read(CHUNK):
            content += chunk
            if len(content) > LIMIT:
                raise ValueError(f"{address} holds more than {readable(LIMIT)}, which no corpus does")
            if time.monotonic() - last >= 1:
                last = time.monotonic()
                report(readable(len(content)) + (f" of {readable(size)}" if size else ""))
    if size is not None and len(content) < size:
        raise http.client.HTTPException(f"only {len(content)} of {size} bytes came")
    return bytes(content)


def member(archive, name, source):
    """The bytes of the one file called `name` in an archive, zip or tar.gz, whatever folder it is in there.

    Nothing else is unpacked, and nothing is written: what paths an archive holds does not matter.

    Raises ValueError, naming `source`, where `archive` is none or does not hold one such file.
    """
    try:
        found = list(_members(io.BytesIO(archive), name))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"{source} is not a whole zip or tar.gz archive: {error}") from error
    if len(found) != 1:
        raise ValueError(f"{source} must hold one file {name}, but it holds {len(found)}")
    if len(found[0]) > LIMIT:
        raise ValueError(f"{name} in {source} holds more than {readable(LIMIT)}, which no corpus does")
    return found[0]


def _members(archive, name):
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if PurePosixPath(info.filename).name == name and not info.is_dir():
                    with opened.open(info) as file:
                        yield file.read(LIMIT + 1)
    else:
        archive.seek(0)
        with tarfile.open(fileobj=archive, mode="r:gz") as opened:
            for info in opened:
                if PurePosixPath(info.name).name == name and info.isfile():
                    yield opened.extractfile(info).read(LIMIT + 1)


def readable(size):
    """A number of bytes as text: 4151383 -> "4.2 MB", 21077 -> "21 kB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
