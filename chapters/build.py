"""The chapters as notebooks: each NN_name.ipynb is its NN_name.py, executed.

    python chapters/build.py                     write every notebook, with its outputs
    python chapters/build.py 03 04               only these
    python chapters/build.py --check             execute every source; fail on an error, a warning, a chapter that
                                                 takes too long, or a notebook that is not its source's
    python chapters/build.py --edition student   build/student: no solutions, no outputs
    python chapters/build.py --edition teacher   build/teacher: solutions and hidden tests, for nbgrader
"""

import argparse
import hashlib
import os
import re
import sys
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell

import editions

CHAPTERS = Path(__file__).resolve().parent
ROOT = CHAPTERS.parent
SOURCES = sorted(CHAPTERS.glob("[0-9][0-9]_*.py"))
AT_ONCE = 2
# Chapters' own words where something is missing without which they run, but are not to be published.
MISSING = ("The corpus is not on this machine", "PyTorch is not installed")
LIMIT = 90  # seconds that a chapter may take
LARGEST = 1_500_000  # bytes of a notebook: beyond some megabytes GitHub shows none

# One thread each, so that two chapters fit two cores and the last digits do not depend on how many there are; every
# warning said, but for the floating-point flags that OpenBLAS raises on lanes that it throws away.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1", "JUPYTER_PLATFORM_DIRS": "1",
    "PYTHONWARNINGS": ",".join(
        ["default", *(f"ignore:{flag} encountered in matmul:RuntimeWarning" for flag in
                      ("divide by zero", "overflow", "underflow", "invalid value"))]
    ),
}  # fmt: skip
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
GITHUB = "https://github.com/"
BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{name}/blob/main/chapters/{file}) "
    "[On GitHub](https://github.com/{name}/blob/main/chapters/{file})"
)
INSTALL = """\
# Where minis2s is not installed yet, as on Colab, this installs it.
try:
    import minis2s
except ModuleNotFoundError:
    %pip install --quiet "{package}"
%matplotlib inline"""


def notebook(source, edition=None):
    """The notebook of a source, not executed; `edition` None, "student" or "teacher"."""
    nb = jupytext.read(source, fmt="py:percent")
    repository = home()
    if repository.startswith(GITHUB):
        file = source.with_suffix(".ipynb").name
        nb.cells[0].source += "\n\n" + BADGES.format(name=repository.removeprefix(GITHUB), file=file)
    package = f"minis2s[plot,data] @ git+{repository}" if repository else "..[plot,data]"
    nb.cells.insert(1, new_code_cell(INSTALL.format(package=package)))
    if edition:
        editions.prepare(nb, CHAPTERS / "solutions" / f"chapter{source.name[:2]}.py", teacher=edition == "teacher")
    for cell in nb.cells:
        kept = {"nbgrader"} if edition else set()
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in kept}
    identify(nb.cells)
    nb.metadata = dict(METADATA)
    nb.nbformat, nb.nbformat_minor = 4, 5
    return nb


def home():
    """The repository's address, once pyproject.toml names it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def identify(cells):
    """Each cell's id is its content's, so that a cell which is put in changes no other."""
    seen = {}
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def execute(nb):
    """Run all cells in a fresh kernel, in place.  -> the seconds of processor time that they took"""
    from nbclient import NotebookClient

    clock = new_code_cell("print(__import__('time').process_time())")
    nb.cells.append(clock)
    # A machine that does other things besides is slower by the clock, but not ten times.
    client = NotebookClient(
        nb, timeout=10 * LIMIT, kernel_name="python3", record_timing=False, coalesce_streams=True,
        resources={"metadata": {"path": str(CHAPTERS)}}, extra_arguments=["--log-level=ERROR"],
    )  # fmt: skip
    client.execute()
    nb.cells.pop()
    nb.metadata = dict(METADATA)
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
    return float(clock.outputs[0].text)


def complaints(nb):
    """What a chapter's outputs must not hold, as sentences."""
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            text = "".join([output.get("text", ""), *(v for k, v in output.get("data", {}).items() if "text" in k)])
            if output.get("name") == "stderr":
                yield f"warns:\n{text}"
            elif found := re.search(rf"{re.escape(str(ROOT))}|/(home|root|tmp|Users)/|\b0x[0-9a-f]{{8,}}", text):
                yield f"prints {found[0]!r}, which is another on every machine:\n{text}"
    size = len(nbformat.writes(nb))
    if size > LARGEST:
        yield f"would be {size:,} bytes, more than {LARGEST:,}: smaller or fewer figures"


def differs(nb, file):
    """How a notebook file differs from what its source makes, or None."""
    if not file.exists():
        return f"{file.name} is missing"
    found = nbformat.read(file, as_version=4)
    for number, (cell, other) in enumerate(zip(nb.cells, found.cells, strict=False)):
        if any(cell.get(key) != other.get(key) for key in ("id", "cell_type", "source", "metadata")):
            return f"{file.name} is not that of its source: cell {number}, {other.source[:60]!r}"
    if len(nb.cells) != len(found.cells) or found.metadata != METADATA:
        return f"{file.name} is not that of its source: other cells at the end, or other metadata"
    return None


def build(source, check=False):
    """Execute a source, and write its notebook unless it is only to be checked.  -> seconds, list of complaints"""
    nb, file = notebook(source), source.with_suffix(".ipynb")
    stale = check and differs(nb, file)
    try:
        seconds = execute(nb)
    except Exception as error:  # a cell's error, a kernel that died, a cell without end
        return 0.0, ["fails: " + re.sub(r"\x1b\[[\d;]*m", "", str(error))]  # without its colours
    found = [*([stale] if stale else []), *complaints(nb)]
    texts = [output.get("text", "") for cell in nb.cells for output in cell.get("outputs", ())]
    for words in MISSING:
        if not check and any(words in text for text in texts):
            found.append(f"says {words!r}: publish it from where nothing is missing (MINIS2S_DATA names the corpora)")
    if seconds > LIMIT:
        found.append(f"takes {seconds:.0f} s of processor time, more than {LIMIT}")
    if not check and not found:
        nbformat.validate(nb)
        nbformat.write(nb, file)
    return seconds, found


def build_all(sources, check):
    """True if all is well."""
    import matplotlib.font_manager  # noqa: F401  (its cache is written here, not told of in a chapter)

    well, total = True, 0.0
    with ProcessPoolExecutor(AT_ONCE) as pool:
        for source, (seconds, found) in zip(sources, pool.map(build, sources, [check] * len(sources)), strict=True):
            total += seconds
            print(f"{source.stem:<24} {seconds:5.1f} s  {'well' if not found else 'NOT WELL'}", flush=True)
            for sentence in found:
                print(f"    {source.stem} {sentence}".replace("\n", "\n    "))
                well = False
    print(f"{len(sources)} chapters, {total:.0f} s of processor time")
    return well


def write_edition(sources, edition):
    folder = ROOT / "build" / edition
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        nb = notebook(source, edition)
        nbformat.validate(nb)
        nbformat.write(nb, folder / source.with_suffix(".ipynb").name)
    print(f"{len(sources)} notebooks in build/{edition}")


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("numbers", nargs="*", metavar="NN", help="chapters, all if none is named")
    parser.add_argument("--check", action="store_true", help="execute and compare, write nothing")
    parser.add_argument("--edition", choices=("student", "teacher"))
    options = parser.parse_args(words)
    known = [source.name[:2] for source in SOURCES]
    if unknown := [number for number in options.numbers if number not in known]:
        parser.error(f"there is no chapter {', '.join(unknown)}; there are {', '.join(known)}")
    sources = [source for source in SOURCES if not options.numbers or source.name[:2] in options.numbers]
    if options.edition:
        write_edition(sources, options.edition)
        return 0
    os.environ |= ENVIRONMENT
    return 0 if build_all(sources, options.check) else 1


if __name__ == "__main__":
    sys.exit(main())
