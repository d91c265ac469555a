"""Editions of a chapter for a course: the student's has stubs, the teacher's has solutions and hidden tests.

A source marks the cell in which a student writes by its header, `# %% exercise="name" points=2`; the next cell
that begins with `check.name(` tests it. Both get the metadata and the teacher's gets the delimiters of nbgrader, whose
`generate_assignment` makes of the teacher's edition what the student's is here.
"""

import ast

SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
POINTS = 1


def prepare(nb, solutions, teacher):
    """Give each cell its nbgrader metadata; for the teacher, fill in what `solutions`, a file, has."""
    given = solutions.read_text(encoding="utf-8") if solutions.exists() else ""
    points = {}
    for number, cell in enumerate(nb.cells):
        name = cell.metadata.get("exercise")
        tested = next((name for name in points if cell.source.startswith(f"check.{name}(")), None)
        if name:
            points[name] = cell.metadata.get("points", POINTS)
            cell.metadata["nbgrader"] = metadata(name, solution=True)
            if teacher:
                cell.source = solved(cell.source, given, name)
        elif tested and cell.cell_type == "code":
            cell.metadata["nbgrader"] = metadata(f"test_{tested}", grade=True, locked=True, points=points.pop(tested))
            if teacher:
                call = cell.source.strip()
                test = f"assert {call[:-1]}, seed=1)"  # other numbers than those that the student has seen
                cell.source = "\n".join([call, HIDDEN[0], test, HIDDEN[1]])
        else:
            cell.metadata["nbgrader"] = metadata(f"cell-{number}", locked=True)


def metadata(grade_id, grade=False, solution=False, locked=False, points=None):
    """nbgrader's metadata of a cell, schema 3."""
    found = {
        "schema_version": 3, "grade_id": grade_id, "grade": grade, "solution": solution, "locked": locked, "task": False
    }  # fmt: skip
    return found | ({"points": points} if grade else {})


def solved(stub, solutions, name):
    """The stub's cell with the body that the solutions have for `name`, between nbgrader's delimiters."""
    own, given = definition(stub, name), definition(solutions, name)
    if isinstance(own, ast.FunctionDef):
        empty, answer = body(own), body(given)
    else:
        empty, answer = [own], [given]
    indent = " " * empty[0].col_offset
    before, _, after = cut(stub, empty)
    return "\n".join([*before, indent + SOLUTION[0], *cut(solutions, answer)[1], indent + SOLUTION[1], *after])


def cut(source, statements):
    """The lines before, of and after some statements."""
    lines, first, last = source.splitlines(), statements[0].lineno - 1, statements[-1].end_lineno
    return lines[:first], lines[first:last], lines[last:]


def definition(source, name):
    """The statement that defines `name`: a function, or an assignment."""
    for statement in ast.parse(source).body:
        targets = [statement] if isinstance(statement, ast.FunctionDef) else getattr(statement, "targets", [])
        if any(getattr(target, "name", getattr(target, "id", None)) == name for target in targets):
            return statement
    raise ValueError(f"nothing defines {name}")


def body(function):
    """A function's statements after its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body
