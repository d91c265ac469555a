"""The lines of a text file, each parsed, the malformed one named."""

import codecs
import gzip
import zlib
from pathlib import Path


def parse_lines(path, parse):
    """[parse(line) for every line of a UTF-8 file], which may be compressed: its name then ends with .gz.

    A byte order mark and blank lines at the end are ignored.

    Raises FileNotFoundError where there is no such file, and ValueError where it holds nothing, is not UTF-8,
    or `parse` raises one: file and line number come before its message.
    """
    content = _content(Path(path)).removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    if not content:
        raise ValueError(f"{path} holds no lines")
    parsed = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            parsed.append(parse(line.decode("utf-8").removesuffix("\r")))
        except UnicodeDecodeError as error:
            at = error.start
            raise ValueError(
                f"{path}, line {number}: byte {at + 1} of the line (0x{line[at]:02x}) is not UTF-8"
            ) from error
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return parsed


def _content(path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: put it there")
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
