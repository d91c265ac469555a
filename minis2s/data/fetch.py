"""Corpora on this machine: listed, fetched from their official addresses, found or else fetched."""

from hashlib import sha256 as sha256_of
from pathlib import Path

from ..atomic import write_atomically
from ..contracts import expect_choice
from .corpora import CORPORA
from .download import PAUSES, download, member, readable, to_stderr
from .locate import cache, find, places, sha256


def list_corpora(directory=None):
    """The table of corpora as text: name, size, licence, citation, and each file with where it was found."""
    lines = []
    for corpus in CORPORA.values():
        size = readable(sum(file.size for file in corpus.files))
        lines += [f"{corpus.name:<9} {size:>8}  licence: {corpus.licence}", f"{'':<20}{corpus.citation}"]
        for file in corpus.files:
            path = find(corpus, file, directory)
            found = "not found" if path is None else str(path)
            if path is not None and sha256(path) != file.sha256:
                found += "  (another version)"
            lines.append(f"{'':<9} {readable(file.size):>8}  {file.name:<28}  {found}")
        lines.append("")
    return "\n".join(lines)


def fetch(name, directory=None, any_version=False, report=to_stderr, timeout=30.0, pauses=PAUSES):
    """Download a corpus into its folder of a data directory, by default the user's cache -> paths

    A file that is there already is left alone. Every other one is checked before it is put in place, in one
    step: a file that is there is whole. Corpora change at their addresses, Tatoeba's every few weeks:
    `any_version` takes what is there now, and reports its sum.

    Raises ValueError for an unknown name and a file with another sum, ConnectionError where there is no
    connection, with what to put where instead.
    """
    expect_choice("name", name, CORPORA)
    corpus = CORPORA[name]
    folder = (cache() if directory is None else Path(directory).expanduser()) / corpus.folder
    paths = [folder / file.name for file in corpus.files]
    missing = [
        file
        for file, path in zip(corpus.files, paths, strict=True)
        if not path.is_file() or sha256(path) != file.sha256
    ]
    _fetch(corpus, missing, folder, any_version, report, timeout, pauses)
    report(f"{name} is in {folder}\nlicence: {corpus.licence}\n{corpus.citation}")
    return paths


def corpus_file(name, filename, directory=None, download=True, any_version=False, report=to_stderr):
    """The path of one file of a corpus: in `directory` or else MINIS2S_DATA, in the user's cache, or fetched.

    A file found is read only if it is the known version, by its sha256, unless `any_version` says otherwise.

    Raises ValueError for another version, FileNotFoundError where there is no such file and `download` is
    false, ConnectionError where it cannot be downloaded.
    """
    corpus = CORPORA[name]
    file = corpus.file(filename)
    path = find(corpus, file, directory)
    if path is not None:
        _check(file, sha256(path), path, any_version, report)
        return path
    if not download:
        where = " or ".join(str(place / corpus.folder) for place in places(directory))
        raise FileNotFoundError(
            f"there is no {filename} in {where}: `minis2s data fetch {name}` gets it from "
            f"{corpus.address_of(file)}, or name in MINIS2S_DATA the data directory that has it"
        )
    wanted = corpus.files if corpus.archive else [file]
    _fetch(corpus, wanted, cache() / corpus.folder, any_version, report)
    return cache() / corpus.folder / filename


def _fetch(corpus, files, folder, any_version, report, timeout=30.0, pauses=PAUSES):
    """Download files of a corpus into a folder; those of an archive all together."""
    for group in [files] if corpus.archive and files else [[file] for file in files]:
        address = corpus.address_of(group[0])
        try:
            content = download(address, report, timeout, pauses)
        except ConnectionError as error:
            names = " and ".join(_by_hand(corpus, file) for file in group)
            raise ConnectionError(f"{error}; put {names} from there into {folder} by hand") from error
        contents = [member(content, file.path, address) if corpus.archive else content for file in group]
        for file, content in zip(group, contents, strict=True):
            _check(file, sha256_of(content).hexdigest(), address, any_version, report)
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in zip(group, contents, strict=True):
            write_atomically(folder / file.name, lambda placed, content=content: placed.write(content))


def _by_hand(corpus, file):
    """A file's name, with what it is called in its archive where that is another."""
    renamed = corpus.archive and file.path != file.name
    return f"{file.path} (as {file.name})" if renamed else file.name


def _check(file, found, where, any_version, report):
    """Let the known version of a file pass; another one only where `any_version` asks for it."""
    if found == file.sha256:
        return
    said = f"{file.name} from {where} is another version: its sha256 is {found}, the known one {file.sha256}"
    if not any_version:
        raise ValueError(f"{said}; any_version=True (--any-version) takes it all the same")
    report(said)
