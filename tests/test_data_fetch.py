"""Corpora are found, checked and fetched; the network of these tests is a server on this machine."""

import gzip
import io
import re
import tarfile
import threading
import time
import zipfile
from hashlib import sha256 as sha256_of
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minis2s.data import download as download_module
from minis2s.data.corpora import CORPORA, Corpus, File
from minis2s.data.download import download, member
from minis2s.data.fetch import corpus_file, fetch, list_corpora
from minis2s.data.locate import places, sha256
from minis2s.data.tatoeba import tatoeba

CONTENT = "Hi.\t嗨。\n".encode() * 2_000
QUICK = {"timeout": 5.0, "pauses": (0, 0)}


# --- a server that misbehaves as it is told -----------------------------------------------------------------


class Server:
    """Answers the requests for a path by its answers in turn, the last one for ever; counts the requests."""

    def __init__(self):
        self.answers, self.requests = {}, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):
                self.requests.append(handler.path)
                answers = self.answers.get(handler.path, [status(404)])
                (answers.pop(0) if len(answers) > 1 else answers[0])(handler)

            def log_message(handler, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def status(code):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def content(body, length=None):
    """An answer with a body; `length` is what it says of its length, where that is a lie."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler):
    handler.close_connection = True


def be_silent(handler):
    time.sleep(0.5)
    content(CONTENT)(handler)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data directory, which MINIS2S_DATA names, and an empty cache."""
    monkeypatch.setenv("MINIS2S_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def toy(server, home, monkeypatch):
    """A corpus of two files under a folder's address."""
    sum = sha256_of(CONTENT).hexdigest()
    files = tuple(File(name, f"raw/{name}", len(CONTENT), sum) for name in ("a.txt", "b.txt"))
    corpus = Corpus("toy", "toy-folder", f"{server.address}/", "free as air", "Nobody 2024", files)
    monkeypatch.setitem(CORPORA, "toy", corpus)
    for file in files:
        server.answers[f"/{file.path}"] = [content(CONTENT)]
    return corpus


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- fetching -----------------------------------------------------------------------------------------------


def test_fetch_puts_every_file_in_place_and_says_whose_it_is(toy, home):
    said = []
    paths = fetch("toy", home / "here", report=said.append, **QUICK)
    assert files_below(home) == ["here/toy-folder/a.txt", "here/toy-folder/b.txt"]
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]
    for part in (f"{toy.address}raw/a.txt", "free as air", "Nobody 2024", str(home / "here/toy-folder")):
        assert part in "\n".join(said)


def test_fetch_fills_the_cache_and_leaves_alone_what_is_right(toy, home, server):
    fetch("toy", report=str, **QUICK)
    assert files_below(home) == ["cache/minis2s/toy-folder/a.txt", "cache/minis2s/toy-folder/b.txt"]
    (home / "cache/minis2s/toy-folder/b.txt").write_bytes(b"half")
    server.requests.clear()
    fetch("toy", report=str, **QUICK)
    assert server.requests == ["/raw/b.txt"]
    assert (home / "cache/minis2s/toy-folder/b.txt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "fault",
    [status(500), status(503), status(429), hang_up, content(CONTENT[:99], length=len(CONTENT)), be_silent],
    ids=["500", "503", "429", "hang up", "truncated", "silent"],
)
def test_what_may_pass_is_tried_again(toy, home, server, fault):
    server.answers["/raw/a.txt"] = [fault, content(CONTENT)]
    said = []
    fetch("toy", report=said.append, timeout=0.2, pauses=(0, 0))
    assert server.requests == ["/raw/a.txt", "/raw/a.txt", "/raw/b.txt"]
    assert (home / "cache/minis2s/toy-folder/a.txt").read_bytes() == CONTENT
    assert sum("trying again" in line for line in said) == 1


@pytest.mark.parametrize("code", [403, 404, 410])
def test_what_will_not_pass_is_not(toy, home, server, code):
    server.answers["/raw/a.txt"] = [status(code)]
    with pytest.raises(ConnectionError, match=rf"/raw/a\.txt: .*{code}.*; put a\.txt .*toy-folder by hand"):
        fetch("toy", report=str, **QUICK)
    assert server.requests == ["/raw/a.txt"]
    assert files_below(home) == []


def test_tries_end_and_pauses_grow(toy, server, monkeypatch):
    server.answers["/raw/a.txt"] = [status(502)]
    slept = []
    monkeypatch.setattr(download_module.time, "sleep", slept.append)
    with pytest.raises(ConnectionError, match="502"):
        download(f"{toy.address}raw/a.txt", report=str)
    assert server.requests == 4 * ["/raw/a.txt"]
    assert slept == sorted(slept) == [1, 2, 4]


def test_a_truncated_body_is_never_placed(toy, home, server):
    server.answers["/raw/a.txt"] = [content(CONTENT[:99], length=len(CONTENT))]
    with pytest.raises(ConnectionError, match=f"only 99 of {len(CONTENT)} bytes"):
        fetch("toy", any_version=True, report=str, **QUICK)
    assert files_below(home) == []


def test_without_a_network_one_sentence_says_which_file_goes_where(toy, home, server):
    server.stop()
    with pytest.raises(ConnectionError) as error:
        fetch("toy", home / "here", report=str, timeout=1.0, pauses=(0,))
    for part in (f"{toy.address}raw/a.txt", "refused", "put a.txt", str(home / "here/toy-folder")):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_another_sum_is_refused_with_both_and_changes_nothing(toy, home, server):
    (home / "data/toy-folder").mkdir(parents=True)
    (home / "data/toy-folder/a.txt").write_bytes(b"of last year")
    server.answers["/raw/a.txt"] = [content(b"of next year")]
    with pytest.raises(ValueError, match="another version") as error:
        fetch("toy", home / "data", report=str, **QUICK)
    for sum in (toy.files[0].sha256, sha256_of(b"of next year").hexdigest()):
        assert sum in str(error.value)
    assert files_below(home) == ["data/toy-folder/a.txt"]
    assert (home / "data/toy-folder/a.txt").read_bytes() == b"of last year"


def test_another_version_is_taken_where_any_is_asked_for_and_reported(toy, home, server):
    server.answers["/raw/a.txt"] = [content(b"of next year")]
    said = []
    fetch("toy", any_version=True, report=said.append, **QUICK)
    assert (home / "cache/minis2s/toy-folder/a.txt").read_bytes() == b"of next year"
    assert [line for line in said if "a.txt" in line and sha256_of(b"of next year").hexdigest() in line]


def test_a_file_is_placed_in_one_step(toy, home, monkeypatch):
    def fail(source, target):
        assert source.parent == target.parent
        assert source.read_bytes() == CONTENT
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        fetch("toy", report=str, **QUICK)
    assert files_below(home) == []


def test_an_unknown_corpus_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of cmudict, tatoeba, .*'europarl'"):
        fetch("europarl")


def test_a_download_reports_how_far_it_is(server, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr(download_module.time, "monotonic", lambda: float(next(ticks)))
    server.answers["/big"] = [content(bytes(3_000_000))]
    said = []
    assert download(f"{server.address}/big", said.append) == bytes(3_000_000)
    assert sum(re.fullmatch(r"\d+(\.\d)? [Mk]B of 3\.0 MB", line) is not None for line in said) > 10


def test_what_is_far_too_large_is_not_read_to_its_end(server, monkeypatch):
    monkeypatch.setattr(download_module, "LIMIT", 1_000)
    server.answers["/big"] = [content(bytes(3_000_000))]
    with pytest.raises(ValueError, match="/big holds more than 1 kB"):
        download(f"{server.address}/big", str, **QUICK)


# --- archives -----------------------------------------------------------------------------------------------

EVIL = ["../../evil.txt", "/tmp/evil.txt", "toy/../../../evil.txt", "..\\evil.txt"]


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files:
            archive.writestr(name, body)
    return buffer.getvalue()


def tarred(files, link=None):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        if link is not None:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hosts"
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_of_an_archive_only_what_is_named_is_unpacked(server, home, monkeypatch, pack):
    files = (File("a.txt", "first.dic", 3, sha256_of(b"one").hexdigest()),)
    files += (File("b.txt", "second.dic", 3, sha256_of(b"two").hexdigest()),)
    corpus = Corpus("toy", "toy-folder", f"{server.address}/toy.tar.gz", "", "", files)
    monkeypatch.setitem(CORPORA, "toy", corpus)
    packed = [(name, b"evil") for name in EVIL] + [("toy/first.dic", b"one"), ("../../second.dic", b"two")]
    server.answers["/toy.tar.gz"] = [content(pack(packed))]
    fetch("toy", home / "deep/down/here", report=str, **QUICK)
    assert files_below(home) == ["deep/down/here/toy-folder/a.txt", "deep/down/here/toy-folder/b.txt"]
    assert (home / "deep/down/here/toy-folder/b.txt").read_bytes() == b"two"
    assert server.requests == ["/toy.tar.gz"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_of_an_archive_nothing_is_placed_unless_all_is_right(server, home, monkeypatch, pack):
    files = tuple(File(name, name, 3, sha256_of(b"one").hexdigest()) for name in ("a.txt", "b.txt"))
    monkeypatch.setitem(CORPORA, "toy", Corpus("toy", "toy", f"{server.address}/toy.zip", "", "", files))
    server.answers["/toy.zip"] = [content(pack([("a.txt", b"one"), ("b.txt", b"two")]))]
    with pytest.raises(ValueError, match=r"b\.txt from .*toy\.zip is another version"):
        fetch("toy", report=str, **QUICK)
    assert files_below(home) == []
    server.answers["/toy.zip"] = [status(404)]
    with pytest.raises(ConnectionError, match=r"put a\.txt and b\.txt from there"):
        fetch("toy", report=str, **QUICK)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (zipped([("b.txt", b"")]), "holds 0"),
        (tarred([("b.txt", b"")]), "holds 0"),
        (zipped([("a.txt/b.txt", b""), ("x/a.txt/", b"")]), "holds 0"),
        (zipped([("x/a.txt", b"1"), ("y/a.txt", b"2")]), "holds 2"),
        (tarred([], link="a.txt"), "holds 0"),
        (b"<html>please log in</html>", "not a whole zip or tar.gz archive"),
        (b"", "not a whole zip or tar.gz archive"),
        (zipped([("a.txt", CONTENT)])[:-30], "not a whole zip or tar.gz archive"),
        (tarred([("a.txt", bytes(range(256)) * 99)])[:-300], "not a whole zip or tar.gz archive"),
        (gzip.compress(b"no tar"), "not a whole zip or tar.gz archive"),
        (zipped([("a.txt", b"Hi")]).replace(b"PK\x03\x04", b"PK\x03\x05", 1), "not a whole zip"),
    ],
)
def test_an_archive_that_does_not_hold_the_one_file_is_refused(archive, message):
    with pytest.raises(ValueError, match=rf"^http://x/y\.zip .*{message}"):
        member(archive, "a.txt", "http://x/y.zip")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_that_unpacks_to_far_too_much_is_refused(monkeypatch, pack):
    monkeypatch.setattr(download_module, "LIMIT", 1_000)
    with pytest.raises(ValueError, match=r"a\.txt in http://x holds more than 1 kB"):
        member(pack([("a.txt", bytes(10**6))]), "a.txt", "http://x")


# --- finding ------------------------------------------------------------------------------------------------


def put(path, body=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_the_named_directory_comes_first_then_the_cache_then_the_address(toy, home, server, monkeypatch):
    fetched = corpus_file("toy", "a.txt", report=str)
    assert fetched == home / "cache/minis2s/toy-folder/a.txt"
    assert server.requests == ["/raw/a.txt"], "of a folder, only what is needed"
    named = put(home / "data/toy-folder/a.txt")
    given = put(home / "elsewhere/toy-folder/a.txt")
    assert corpus_file("toy", "a.txt") == named
    assert corpus_file("toy", "a.txt", home / "elsewhere") == given
    assert corpus_file("toy", "a.txt", str(home / "elsewhere/toy-folder")) == given
    assert corpus_file("toy", "a.txt", home / "nothing here") == fetched, "not the named one"
    monkeypatch.delenv("MINIS2S_DATA")
    assert corpus_file("toy", "a.txt") == fetched
    assert places() == [home / "cache/minis2s"]
    assert len(server.requests) == 1


def test_a_file_found_is_read_only_if_it_is_the_known_version(toy, home, capsys):
    path = put(home / "data/toy-folder/a.txt", b"of last year")
    put(home / "cache/minis2s/toy-folder/a.txt")
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        corpus_file("toy", "a.txt")
    for sum in (toy.files[0].sha256, sha256_of(b"of last year").hexdigest()):
        assert sum in str(error.value)
    assert capsys.readouterr().err == ""
    assert corpus_file("toy", "a.txt", any_version=True) == path
    assert "another version" in capsys.readouterr().err


def test_the_sum_is_of_the_file_as_it_is_now_and_is_reckoned_once(tmp_path, monkeypatch):
    from minis2s.data import locate

    path = put(tmp_path / "a.txt")
    assert sha256(path) == sha256_of(CONTENT).hexdigest()
    monkeypatch.setattr(locate, "file_digest", None)
    assert sha256(path) == sha256_of(CONTENT).hexdigest()
    monkeypatch.undo()
    put(path, b"changed")
    assert sha256(path) == sha256_of(b"changed").hexdigest()


def test_a_missing_corpus_says_which_file_goes_where_and_where_it_is_from(home):
    with pytest.raises(FileNotFoundError) as error:
        tatoeba(download=False)
    wanted = ("cmn.txt", str(home / "data/tatoeba-cmn-eng"), str(home / "cache/minis2s/tatoeba-cmn-eng"))
    for part in (*wanted, CORPORA["tatoeba"].address, "minis2s data fetch tatoeba", "MINIS2S_DATA"):
        assert part in str(error.value)


def test_a_loader_downloads_what_is_nowhere(server, home, monkeypatch):
    body = "".join(f"source {i}\t译文 {i}\tby A\n" for i in range(30)).encode()
    archive = f"{server.address}/cmn-eng.zip"
    known = CORPORA["tatoeba"].files[0]._replace(sha256=sha256_of(body).hexdigest())
    monkeypatch.setitem(CORPORA, "tatoeba", CORPORA["tatoeba"]._replace(address=archive, files=(known,)))
    server.answers["/cmn-eng.zip"] = [content(zipped([("_about.txt", b"about"), ("cmn.txt", body)]))]
    splits = tatoeba(valid=3, test=5)
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (22, 3, 5)
    assert tatoeba(valid=3, test=5) == splits
    assert server.requests == ["/cmn-eng.zip"]


# --- the table ----------------------------------------------------------------------------------------------


def test_the_list_says_what_is_where(toy, home):
    put(home / "data/toy-folder/a.txt", b"of last year")
    text = list_corpora()
    for corpus in CORPORA.values():
        assert corpus.name in text
        assert corpus.licence in text
        assert corpus.citation in text
    rows = {line.split()[2]: line for line in text.splitlines() if re.match(r" +\d", line)}
    assert rows["a.txt"].endswith(f"{home / 'data/toy-folder/a.txt'}  (another version)")
    assert rows["b.txt"].endswith("not found")
    assert "4.2 MB" in rows["cmn.txt"]
    put(home / "cache/minis2s/toy-folder/b.txt")
    assert list_corpora().rstrip().endswith(str(home / "cache/minis2s/toy-folder/b.txt"))


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_every_corpus_has_an_owner_a_secure_address_and_sums(corpus):
    assert corpus.licence and corpus.citation
    assert len({file.name for file in corpus.files}) == len(corpus.files)
    for file in corpus.files:
        assert corpus.address_of(file).startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 0
