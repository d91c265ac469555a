"""The letters of the figures: one Chinese and Latin font, bundled, so that no character is drawn as a box."""

from functools import cache
from pathlib import Path
from unicodedata import east_asian_width

FILE = Path(__file__).with_name("minis2s-sans-sc.otf")
FAMILIES = ["minis2s Sans SC", "DejaVu Sans"]  # ours, then matplotlib's own: the same on every machine
SIZE = 10  # points
EM = SIZE / 72  # inches


def register():
    """Make the bundled font known to matplotlib, for this process."""
    from matplotlib.font_manager import fontManager

    if FAMILIES[0] not in fontManager.get_font_names():
        fontManager.addfont(FILE)


def drawable(text):
    """The text; characters that neither font has are written by number, U+9F98, for a box says nothing."""
    has = _code_points()
    return "".join(char if ord(char) in has or char.isspace() else f"U+{ord(char):04X}" for char in text)


def label(token):
    """A token as a figure shows it: drawable, and white space as open boxes."""
    return drawable("".join("␣" if char.isspace() else char for char in str(token)))


def length(text):
    """The inches that a line of text takes, or a little more."""
    return EM * sum(1 if _is_wide(char) else 0.58 for char in text)


def standing(text):
    """A label as it stands on a column, (text, angle): Chinese runs down, other words run up."""
    if all(map(_is_wide, text)):
        return "\n".join(text), 0
    return text, 90 if len(text) > 1 else 0


def height(text, angle):
    """The inches that a standing label takes."""
    return length(text) if angle else 1.2 * EM * len(text.split("\n"))


def _is_wide(char):
    return east_asian_width(char) in "WF"


@cache
def _code_points():
    """The characters that the fonts have."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset().union(*(get_font(file).get_charmap() for file in (FILE, findfont(FAMILIES[1]))))
