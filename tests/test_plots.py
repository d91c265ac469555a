"""Figures: every character has a glyph, equal figures are equal files, rcParams stay as they were."""

import functools
import itertools
import subprocess
import sys

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
ttlib = pytest.importorskip("fontTools.ttLib")

from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import findfont  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from minis2s import fonts, plots  # noqa: E402

SOURCE, TARGET = "Tuesday, September 27, 1994", "1994年9月27日星期二"
LOG = [{"step": step, "loss": 2 * 0.9**step, "valid_loss": None} for step in range(1, 60)]
LOG += [{"step": 60, "loss": 0.01, "valid_loss": 0.02, "exact_match": 0.99}]


def attention(source, target):
    alpha = np.random.default_rng(0).random((len(target), len(source))) ** 8
    return alpha / alpha.sum(axis=1, keepdims=True)


def example(source, target):
    return attention(source, target), source, target


DATE = example(SOURCE, TARGET)
WORDS = example(["the", "agreement", "was", "signed", "."], ["协议", "签", "了", "。", "<eos>"])
CHINESE = example(["機器", "翻譯", "很", "强大", "。"], ["machine", "translation", "is", "powerful"])
FIGURES = {
    "heatmap": lambda path=None: plots.attention_heatmap(*DATE, path, title="日期 date"),
    "heatmaps": lambda path=None: plots.attention_heatmaps([WORDS, CHINESE, DATE], path, title="三 three"),
    "curve": lambda path=None: plots.learning_curve(LOG, path, title="学习曲线 learning curve"),
}
each_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


@functools.cache
def cmap(path):
    return {chr(code) for code in ttlib.TTFont(path).getBestCmap()}


# Glyphs


def test_the_bundled_font_has_both_scripts():
    codes = [bytes([row, cell]) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF)]
    level_1 = {code.decode("gb2312") for code in codes if code <= b"\xd7\xf9"}
    assert len(level_1) == 3755
    numbers = set("零〇一二三四五六七八九十百千万萬亿億年月日號号时時星期周週")
    punctuation = set("，。、；：？！（）《》「」％０９")
    terms = set("編碼器 隱藏狀態 上下文向量 教師強制 注意力機制 詞彙表 梯度檢查 損失函數 貪婪搜尋 雙向")
    assert level_1 | numbers | punctuation | terms <= cmap(fonts.FILE)


def test_glyphs_are_drawn_not_blank():
    from fontTools.pens.boundsPen import BoundsPen

    font = ttlib.TTFont(fonts.FILE)
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    bounds = {}
    for name in [".notdef", *(names[ord(char)] for char in "年月日星期二教師強制Aé9。")]:
        pen = BoundsPen(glyphs)
        glyphs[name].draw(pen)
        bounds[name] = pen.bounds
    assert None not in bounds.values()
    assert ".notdef" not in names.values()
    assert len(set(bounds.values())) == len(bounds)


@each_figure
def test_every_character_has_a_glyph_in_a_font_that_is_used(draw):
    has = cmap(fonts.FILE) | cmap(findfont("DejaVu Sans"))
    figure = draw()
    figure.draw_without_rendering()  # outside the style, as in a notebook: the texts must name their fonts
    written = {char for text in texts(figure) for char in text.get_text()} - {"\n"}
    assert written <= has
    assert len(written) > 10
    assert all(text.get_fontfamily() == fonts.FAMILIES for text in texts(figure))


@each_figure
def test_no_glyph_is_missing_in_a_drawn_figure(draw, tmp_path, recwarn):
    draw(tmp_path / "inside.png")
    draw().savefig(tmp_path / "outside.png")
    assert not [str(warning.message) for warning in recwarn]


def test_a_character_without_glyph_is_written_by_number(tmp_path, recwarn):
    figure = plots.attention_heatmap([[1.0]], ["龘"], ["𠮷a"], tmp_path / "a.png", title="龘 $x$")
    assert {text.get_text() for text in texts(figure)} >= {"U+9F98", "U+20BB7a", "U+9F98 $x$"}
    assert not list(recwarn)


# What is drawn


def test_heatmap_shows_alpha_with_its_tokens():
    figure = plots.attention_heatmap(*DATE)
    ax, bar = figure.axes
    assert labels(ax.xaxis) == list(SOURCE.replace(" ", "␣"))
    assert labels(ax.yaxis) == list(TARGET)
    np.testing.assert_array_equal(ax.collections[0].get_array().reshape(len(TARGET), len(SOURCE)), DATE[0])
    assert ax.collections[0].get_clim() == (0, 1)
    assert ax.get_ylim() == (len(TARGET), 0)  # the first target token in the first row
    first = ax.xaxis.get_major_ticks()[0]
    assert first.label2.get_visible() and not first.label1.get_visible()  # above, not below
    assert bar.get_title() == "α"


def test_words_stand_on_their_columns():
    heatmaps = plots.attention_heatmaps([WORDS, CHINESE]).axes[:2]
    words, chinese = (
        [(text.get_text(), text.get_rotation()) for text in ax.get_xticklabels()] for ax in heatmaps
    )
    assert words[-2:] == [("signed", 90), (".", 0)]
    assert chinese[:3] == [("機\n器", 0), ("翻\n譯", 0), ("很", 0)]


@pytest.mark.parametrize("examples", [[DATE] * 4, [WORDS, DATE, CHINESE, WORDS]], ids=["dates", "mixed"])
def test_heatmaps_stand_apart_with_equal_cells(examples):
    figure = plots.attention_heatmaps(examples, title="t")
    *heatmaps, _ = figure.axes
    assert len(heatmaps) == len(examples)
    cells = []
    for ax, (_, source, target) in zip(heatmaps, examples, strict=True):
        width, height = ax.get_window_extent().size
        cells += [width / len(source), height / len(target)]
    np.testing.assert_allclose(cells, cells[0])
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [figure.texts[0].get_window_extent()]
    assert not [(i, j) for (i, a), (j, b) in itertools.combinations(enumerate(boxes), 2) if a.overlaps(b)]


def test_heatmaps_flow_like_words():
    figure = plots.attention_heatmaps([WORDS, CHINESE, DATE, DATE])
    words, chinese, date, last, _ = (ax.get_position() for ax in figure.axes)
    assert words.y1 == chinese.y1 > date.y1 > last.y1
    assert words.x1 < chinese.x0
    assert figure.get_figwidth() < plots.PAGE + 1


def test_heatmap_is_drawn_into_axes_made_elsewhere(tmp_path, recwarn):
    figure = Figure()
    ax = figure.add_subplot()
    assert plots.attention_heatmap(*DATE, tmp_path / "a.png", title="週二", ax=ax) is figure
    assert labels(ax.yaxis) == list(TARGET)
    assert ax.get_title(loc="left") == "週二"
    assert not list(recwarn)


def test_learning_curve_passes_over_missing_values():
    losses, scores = plots.learning_curve(LOG).axes
    assert losses.get_yscale() == "log"
    loss, valid_loss = losses.lines
    np.testing.assert_array_equal(loss.get_xydata(), [(entry["step"], entry["loss"]) for entry in LOG])
    np.testing.assert_array_equal(valid_loss.get_xydata(), [(60, 0.02)])
    np.testing.assert_array_equal(scores.lines[0].get_xydata(), [(60, 0.99)])
    strokes = {(line.get_color(), line.get_linestyle()) for line in (loss, valid_loss, *scores.lines)}
    assert len(strokes) == 3
    assert loss.get_marker() == "" and valid_loss.get_marker() == "s"


@pytest.mark.parametrize(
    ("log", "scales"),
    [
        ([{"step": 1, "loss": 2.0}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 0.0}], ["log"]),
        ([{"step": 1, "loss": 0.0}], ["linear"]),
        ([{"step": 1, "exact_match": 0.5}], ["linear"]),
    ],
)
def test_learning_curve_of_little(log, scales, tmp_path, recwarn):
    figure = plots.learning_curve(log, tmp_path / "a.png")
    assert [ax.get_yscale() for ax in figure.axes] == scales
    assert not list(recwarn)


# Bad input


@pytest.mark.parametrize(
    ("alpha", "source", "target", "sentence"),
    [
        (np.full((3, 2), 0.5), "abc", "de", r"\(3, 2\), but 2 target and 3 source tokens ask for \(2, 3\)"),
        (np.ones(2), "ab", "c", r"alpha is \(2,\)"),
        (np.ones((0, 2)), "ab", "", "got 0 target and 2 source tokens"),
        ([[0.5, 0.5], [0.5, 0.4]], "ab", "cd", r"target token 'd' sums to 0\.9"),
        ([[1.5, -0.5]], "ab", "c", r"minimum of -0\.5"),
        ([[np.nan, 1.0]], "ab", "c", "nan"),
    ],
)
def test_alpha_that_does_not_fit(alpha, source, target, sentence, tmp_path):
    for draw in (plots.attention_heatmap, lambda *one, path: plots.attention_heatmaps([DATE, one], path)):
        with pytest.raises(ValueError, match=sentence):
            draw(alpha, source, target, path=tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="examples is empty"):
        plots.attention_heatmaps([])
    with pytest.raises(ValueError, match="no finite loss or valid_loss or exact_match in its 2 entries"):
        plots.learning_curve([{"step": 1, "loss": float("nan")}, {"step": 2, "loss": None}])
    with pytest.raises(ValueError, match=r"log\[1\] has no 'step', only 'loss'"):
        plots.learning_curve([LOG[0], {"loss": 1.0}])


@each_figure
def test_paths_that_cannot_be_written(draw, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got '.*a\.gif'"):
        draw(tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        draw(tmp_path / "nowhere" / "a.png")


# Files


@pytest.mark.parametrize(
    ("name", "ending"), [*((name, "png") for name in FIGURES), ("heatmap", "svg"), ("curve", "pdf")]
)
def test_equal_figures_are_equal_files(name, ending, tmp_path):
    draw = FIGURES[name]
    first, second = tmp_path / f"first.{ending}", str(tmp_path / f"second.{ending}")
    assert isinstance(draw(first), Figure)
    with matplotlib.rc_context({"font.family": "serif", "figure.facecolor": "black", "image.cmap": "jet"}):
        draw(second)
    picture = first.read_bytes()
    for mark in (matplotlib.__version__, "CreationDate", "dc:date"):
        assert mark.encode() not in picture
    assert picture[:4] == {"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[ending]
    assert picture == (tmp_path / f"second.{ending}").read_bytes()
    assert ending != "png" or 10_000 < len(picture) < 200_000
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("broken", ["matplotlib.figure.Figure.savefig", "os.replace"])
def test_a_file_is_written_whole_or_stays_as_it_was(broken, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="disk full"):
        plots.learning_curve(LOG, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]


# The user's matplotlib


def test_style_does_not_leak():
    before = dict(matplotlib.rcParams)
    with pytest.raises(KeyError), plots.style():
        assert matplotlib.rcParams["font.family"] == fonts.FAMILIES
        raise KeyError
    for draw in FIGURES.values():
        draw()
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_imported_where_used_and_pyplot_never(tmp_path):
    code = """
import sys
from minis2s import plots
assert "matplotlib" not in sys.modules
plots.attention_heatmap([[1.0]], "a", "好", sys.argv[1])
plots.learning_curve([{"step": 1, "loss": 1.0}])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path / "a.png")], check=True)


@each_figure
def test_without_matplotlib_one_sentence_says_what_to_install(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'figures need matplotlib: pip install "minis2s\[plot\]"'):
        draw()
