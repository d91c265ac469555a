"""The corpora that tasks are read from, as `corpora.toml` lists them: files, address, licence, citation."""

import tomllib
from importlib.resources import files
from typing import NamedTuple


class File(NamedTuple):
    """One file of a corpus, of `size` bytes; `path` is where it is at the corpus's address."""

    name: str
    path: str
    size: int
    sha256: str


class Corpus(NamedTuple):
    """A corpus; `folder` is its folder in a data directory, `address` that of a folder or of an archive."""

    name: str
    folder: str
    address: str
    licence: str
    citation: str
    files: tuple[File, ...]

    @property
    def archive(self):
        """Whether the files are members of one archive."""
        return not self.address.endswith("/")

    def address_of(self, file):
        """What to download to get that file."""
        return self.address if self.archive else self.address + file.path

    def file(self, name):
        """The File of that name."""
        return next(file for file in self.files if file.name == name)


def _read():
    tables = tomllib.loads((files("minis2s.data") / "corpora.toml").read_text("utf-8"))
    for name, table in tables.items():
        table["files"] = tuple(File(**{"path": file["name"], **file}) for file in table["files"])
        yield name, Corpus(name, **table)


CORPORA = dict(_read())
