"""The chapters without running them: in step with their notebooks, in order, whole. `make check-chapters` runs them."""

import ast
import builtins
import re
import sys
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="the chapters are read by jupytext: extra `notebooks`")

import nbformat

import build
import editions
from minis2s.exercises import check

ROOT = Path(__file__).parents[1]

SECTIONS = [
    "What it goes with", "Terms", "Symbols", "The idea", "The equations", "The backward pass, step by step", "By hand",
    "With a pencil", "The gradient check", "The same from minis2s", "Worth a look", "The document's own code",
    "Exercises", "What to read next",
]  # fmt: skip
ALWAYS = {"What it goes with", "Terms", "Symbols", "The idea", "Exercises", "What to read next"}
NO_NEW_EQUATIONS = {"00", "08", "10", "12", "13"}  # of the other sections these have what they need

IMPORTS = {"numpy", "matplotlib", "minis2s"}
MORE_IMPORTS = {"12": {"torch"}, "13": {"cupy"}}
UNSTEADY = {"random", "time", "datetime", "tempfile"}  # of the standard library: other outputs on every run

# A tag beside code, as tests/test_equation_tags.py has it; in a chapter \tag{3.5} and \tag{3.5'}.
IN_CODE = re.compile(r"\((\d+\.\d+)\)('?)")
TAGGED = re.compile(r"\\tag\{([^}]*)\}")

chapters = pytest.mark.parametrize("source", build.SOURCES, ids=lambda source: source.stem)


def cells(source, kind, edition=None):
    return [cell for cell in build.notebook(source, edition).cells if cell.cell_type == kind]


def prose(source):
    return "\n\n".join(cell.source for cell in cells(source, "markdown"))


def code_of(source):
    """The code of the source itself, without the cell that installs."""
    return "\n".join(cell.source for cell in cells(source, "code")[1:])


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def exercise_cells(source):
    """(name, points, stub, the cells after it up to the next exercise) of each exercise."""
    found = []
    for cell in build.jupytext.read(source, fmt="py:percent").cells:
        if "exercise" in cell.metadata:
            found.append((cell.metadata["exercise"], cell.metadata.get("points", editions.POINTS), cell.source, []))
        elif found:
            found[-1][3].append(cell.source.strip())
    return found


@chapters
def test_notebook_is_that_of_its_source(source):
    assert build.differs(build.notebook(source), source.with_suffix(".ipynb")) is None, "make chapters"


@chapters
def test_notebook_has_been_run_from_top_to_bottom(source):
    nb = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(nb)
    run = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in run] == list(range(1, len(run) + 1))
    assert [output for cell in run for output in cell.outputs if output.output_type == "error"] == []
    assert list(build.complaints(nb)) == []


@chapters
def test_sections_are_those_of_every_chapter_in_their_order(source):
    number = source.name[:2]
    text = without_code(prose(source))
    assert re.match(rf"# {int(number)} · \S", text), "the title is '# 3 · LSTM'"
    found = re.findall(r"^## (.*)$", text, re.MULTILINE)
    needed = ALWAYS if number in NO_NEW_EQUATIONS else set(SECTIONS)
    assert found == [section for section in SECTIONS if section in found]
    assert needed - set(found) == set()


@cache
def headings(source):
    return re.findall(r"^#{1,3} (.*)$", re.sub(r"```.*?```", "", prose(source), flags=re.DOTALL), re.MULTILINE)


def anchor(heading):
    """What follows the # in a link to a heading of a notebook, in JupyterLab and on nbviewer."""
    return heading.replace("`", "").replace(" ", "-")


def expect_links_to_resolve(text):
    """The files exist; of a notebook so does the heading that is meant, in its source."""
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    for link in links:
        if not link.startswith("https://"):
            path, _, heading = link.partition("#")
            file = build.CHAPTERS / path
            assert file.exists(), link
            if heading:
                assert heading in map(anchor, headings(file.with_suffix(".py"))), link


@chapters
def test_links_resolve(source):
    expect_links_to_resolve(without_code(prose(source)))


@chapters
def test_imports(source):
    allowed = IMPORTS | MORE_IMPORTS.get(source.name[:2], set())
    for node in ast.walk(ast.parse(code_of(source))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            for name in names:
                top = name.partition(".")[0]
                assert top in allowed or (top in sys.stdlib_module_names and top not in UNSTEADY), name


@chapters
def test_randomness_is_explicit(source):
    assert set(re.findall(r"np\.random\.(\w+)", code_of(source))) <= {"default_rng", "Generator"}


@chapters
def test_code_is_narrow_enough_for_a_page(source):
    assert [line for line in code_of(source).splitlines() if len(line) > 100] == []


def tags_in_code(number):
    """The tags in the package, 3.5 and 3.5', of a chapter's number or of all."""
    found = set()
    for path in (ROOT / "minis2s").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            code, _, comment = line.partition("  # ")
            if code.strip():
                found |= {tag + prime for tag, prime in IN_CODE.findall(comment)}
    return {tag for tag in found if number is None or tag.startswith(f"{number}.")}


@chapters
def test_equations_are_those_of_the_code(source):
    number = int(source.name[:2])
    quoted = set(TAGGED.findall(prose(source)))
    assert quoted <= tags_in_code(None)
    assert tags_in_code(number) <= quoted, "every equation that the code has under this chapter's number stands in it"


@chapters
def test_mathematics_is_such_as_github_and_jupyter_show(source):
    for cell in cells(source, "markdown"):
        text = without_code(cell.source)
        assert text.replace(r"\$", "").count("$") % 2 == 0, text
        for display in re.findall(r"\$\$(.*?)\$\$", text, re.DOTALL):
            assert display.count(r"\tag") <= 1, display
            assert r"\operatorname" not in display and r"\begin{align" not in display, display
        assert not re.search(r"\\[(\[]\s*\\?[a-zA-Z]", text), f"$…$ and $$…$$, not \\( … \\): {text}"


@chapters
def test_every_exercise_has_a_stub_and_a_check(source):
    exercises = exercise_cells(source)
    assert len(exercises) >= 3
    assert len({name for name, *_ in exercises}) == len(exercises)
    for name, points, stub, after in exercises:
        assert getattr(check, name).chapter == source.name[:2]
        assert isinstance(points, int) and points > 0
        tests = [text for text in after if text.startswith("check.")]
        assert len(tests) == 1, f"after {name}: one cell that is check.{name}(…)"
        assert re.fullmatch(rf"check\.{name}\([^\n]*[^,]\)", tests[0])
        statement = editions.definition(stub, name)
        if isinstance(statement, ast.FunctionDef):
            assert [ast.unparse(line) for line in editions.body(statement)] == ["raise NotImplementedError"], name
        else:
            assert ast.unparse(statement) == f"{name} = None"


@chapters
def test_exercises_of_the_package_are_in_the_chapter(source):
    asked = {each.__name__ for each in check if each.chapter == source.name[:2]}
    assert asked == {name for name, *_ in exercise_cells(source)}


@chapters
def test_student_edition_is_the_source_without_outputs(source):
    """And it has nbgrader's metadata, and no delimiter and no solution anywhere."""
    student, plain = build.notebook(source, "student"), build.notebook(source)
    assert [cell.source for cell in student.cells] == [cell.source for cell in plain.cells]
    assert not re.search(r"### (BEGIN|END)", "".join(cell.source for cell in student.cells))
    assert all(not cell.get("outputs") for cell in student.cells)
    check_metadata(student)


@chapters
def test_teacher_edition_is_well_formed(source):
    teacher = build.notebook(source, "teacher")
    check_metadata(teacher)
    names = [name for name, *_ in exercise_cells(source)]
    for cell in teacher.cells:
        grade_id = cell.metadata["nbgrader"]["grade_id"]
        marks = re.findall(r"^ *### (?:BEGIN|END) .*$", cell.source, re.MULTILINE)
        expected = editions.SOLUTION if grade_id in names else editions.HIDDEN if grade_id[:5] == "test_" else ()
        assert tuple(mark.strip() for mark in marks) == expected
        if cell.cell_type == "code" and "%" not in cell.source:
            ast.parse(cell.source)
    assert {cell.metadata["nbgrader"]["grade_id"] for cell in teacher.cells} >= {f"test_{name}" for name in names}


def bound(tree):
    """Every name that is imported, defined, assigned or an argument somewhere in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@chapters
def test_solutions_use_only_what_the_chapter_has(source):
    """In the teacher's edition a solution stands in the notebook, without the imports of its own file."""
    known = {*bound(ast.parse(code_of(source))), *dir(builtins)}
    solutions = build.CHAPTERS / "solutions" / f"chapter{source.name[:2]}.py"
    for name, *_ in exercise_cells(source):
        tree = editions.definition(solutions.read_text(encoding="utf-8"), name)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert used - {*bound(tree)} - known == set(), name


def check_metadata(nb):
    """The rules of nbgrader's schema 3, by nbgrader itself where it is installed."""
    ids = [cell.metadata["nbgrader"]["grade_id"] for cell in nb.cells]
    assert len(set(ids)) == len(ids)
    for cell in nb.cells:
        given = cell.metadata["nbgrader"]
        assert given["schema_version"] == 3 and re.fullmatch(r"[a-zA-Z0-9_-]+", given["grade_id"])
        assert {type(given[key]) for key in ("grade", "solution", "locked", "task")} == {bool}
        assert given.keys() - {"points"} == {"schema_version", "grade_id", "grade", "solution", "locked", "task"}
        assert ("points" in given) == given["grade"]
        assert not given["task"] and (cell.cell_type == "code" or not (given["grade"] or given["solution"]))
    try:
        from nbgrader.nbgraderformat import MetadataValidator
    except ImportError:
        return
    MetadataValidator().validate_nb(nb)


def test_a_chapter_that_warns_or_names_this_machine_is_complained_of():
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    def found(**output):
        return list(build.complaints(new_notebook(cells=[new_code_cell("", outputs=[new_output(**output)])])))

    assert found(output_type="stream", name="stdout", text="0.5\n") == []
    assert "warns" in found(output_type="stream", name="stderr", text="DeprecationWarning")[0]
    assert "another on every machine" in found(output_type="stream", name="stdout", text=f"{ROOT}/x")[0]
    assert "0x7f0011223344" in found(output_type="execute_result", data={"text/plain": "<f at 0x7f0011223344>"})[0]


def test_a_notebook_that_is_not_its_source_s_is_found(tmp_path):
    (source, *_) = build.SOURCES
    nb = build.notebook(source)
    file = tmp_path / "x.ipynb"
    assert "is missing" in build.differs(nb, file)
    nbformat.write(nb, file)
    assert build.differs(nb, file) is None
    nb.cells[2].source += "\n"
    assert "cell 2" in build.differs(nb, file)
    nb = build.notebook(source)
    nb.cells.pop()
    assert "at the end" in build.differs(nb, file)


def test_the_chapters_have_different_numbers():
    numbers = [source.name[:2] for source in build.SOURCES]
    assert len(set(numbers)) == len(numbers)


def table(text, *columns):
    """The rows of all tables of these columns in a text, as lists of cells."""
    found, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        inside = line.startswith("|") and (inside or tuple(cells) == columns)
        if inside and tuple(cells) != columns and not cells[0].startswith("---"):
            found.append(cells)
    return found


def terms(source):
    """(繁, 简) of every term in a chapter's table; a row may have several, and notes in brackets."""
    rows = table(prose(source), "繁", "简", "English") + table(prose(source), "繁", "简", "English", "chapter")
    for traditional, simplified, *_ in rows:
        pairs = [re.sub("（.*?）", "", cell).split("、") for cell in (traditional, simplified)]
        assert len(pairs[0]) == len(pairs[1]), traditional
        yield from zip(*pairs)


def test_a_term_is_the_same_in_all_chapters_and_on_the_map():
    everywhere = {source.name[:2]: dict(terms(source)) for source in build.SOURCES}
    assert all(everywhere.values())
    for number, found in everywhere.items():
        for term, simplified in found.items():
            if term not in ("列", "行"):  # a row here is a column there: chapter 1
                assert everywhere["00"].get(term) == simplified, f"chapter {number}: {term}"


# README.md: the map

README = (build.CHAPTERS / "README.md").read_text(encoding="utf-8")


def test_links_of_the_readme_resolve():
    expect_links_to_resolve(README)
    for source in build.SOURCES:
        assert f"]({source.name})" in README and f"]({source.stem}.ipynb)" in README, source.stem


def test_the_readme_has_both_ways_the_same():
    """From a document's section to those of the chapters, and back."""
    there, back = re.split("^## From a chapter to the documents$", README, flags=re.MULTILINE)
    there, back = there.partition("## From a document to the chapters")[2], back.partition("\n## ")[0]
    found = set()
    for document in re.split("^### ", there, flags=re.MULTILINE)[1:]:
        for section, places in table(document, "section", "where"):
            places = re.sub(r" \((?:pictures|several).*?\)$", "", places)  # what is not treated
            found |= {(f"{document[:3]} {section}", place) for place in places.split(" <br> ")}
    rows = table(back, "chapter and section", "sections of the documents")
    assert len(found) > 100
    assert found == {(section, place) for place, sections in rows for section in sections.split(" <br> ")}


def test_the_readme_has_every_exercise_with_its_points():
    asked = {name: points for source in build.SOURCES for name, points, *_ in exercise_cells(source)}
    course, _, exercises = README.partition("## The exercises")
    named = re.findall(r"`(\w+)` (\d+)\b", exercises)
    assert len(named) == len(asked) and {name: int(points) for name, points in named} == asked
    for row in re.findall(r"^\| assign, (\d+) points \| (.*) \|$", course, re.MULTILINE):
        assert sum(asked[name] for name, _ in re.findall(r"`(\w+)` (\d+)", row[1])) == int(row[0])
    assigned = re.findall(r"`(\w+)` (\d+)\b", course)
    assert len(dict(assigned)) == len(assigned) > 20
    assert all(asked[name] == int(points) for name, points in assigned)
