"""What every figure's texts must be, whoever draws it: each character has a glyph, and no text lies on another."""

import itertools

from matplotlib.text import Text

from minis2s import fonts


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def shown_texts(figure):
    """The texts without the labels of ticks outside the limits, which matplotlib keeps but does not draw."""
    hidden = set()
    for axis in (axis for ax in figure.axes for axis in ax._axis_map.values()):
        low, high = sorted(axis.get_view_interval())
        outside = [tick for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9]
        hidden |= {label for tick in outside for label in (tick.label1, tick.label2)}
    return [text for text in texts(figure) if text not in hidden]


def assert_every_character_has_a_glyph(figure, path, recwarn):
    figure.savefig(path)  # outside the style, as in a notebook
    assert not [str(warning.message) for warning in recwarn]
    for text in texts(figure):
        assert fonts.drawable(text.get_text()) == text.get_text()
        assert text.get_fontfamily() == fonts.FAMILIES


def assert_no_text_lies_on_another(found, touching):
    """found: texts of a drawn figure; so many pixels of their edges may meet."""
    boxes = [(text.get_text(), text.get_window_extent().padded(-touching)) for text in found]
    pairs = [(a, b) for (a, box), (b, other) in itertools.combinations(boxes, 2) if box.overlaps(other)]
    assert not pairs
