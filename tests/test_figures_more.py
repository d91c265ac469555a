"""The figures of trained models: what they show is what the models do, to the number, and every text can be read."""

import functools
import itertools
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("babel")

from drawn import assert_every_character_has_a_glyph, assert_no_text_lies_on_another, texts  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

from minis2s import plots  # noqa: E402
from minis2s.data.batches import make_batch  # noqa: E402
from minis2s.data.dates import date_alignment  # noqa: E402
from minis2s.data.pairs import Pair  # noqa: E402
from minis2s.data.vocabulary import END, START  # noqa: E402
from minis2s.decoding import beam_search, greedy  # noqa: E402
from minis2s.figures import FIGURES  # noqa: E402
from minis2s.functional import log_softmax  # noqa: E402

alignment, attention_kinds, beam_tree, bottleneck, heads, teacher_forcing, trained = (
    import_module(f"minis2s.figures.{name}")
    for name in (
        "alignment",
        "attention_kinds",
        "beam_tree",
        "bottleneck",
        "self_attention_heads",
        "teacher_forcing",
        "trained",
    )
)

# Fewer steps of training than the figures have by default, where fewer do.
OPTIONS = {
    "teacher_forcing": {},
    "beam_tree": {},
    "attention_kinds": {"steps": 20},
    "alignment": {"steps": 180},
    "bottleneck": {"length": 5, "longest": 7, "steps": 200},
    "self_attention_heads": {"steps": 40},
}
each_figure = pytest.mark.parametrize("name", OPTIONS)


@functools.cache
def figure(name):
    return FIGURES[name](**OPTIONS[name])


def written(figure):
    return [text.get_text() for text in texts(figure)]


def cells(ax):
    (mesh,) = [each for each in ax.collections if each.get_array() is not None]
    return mesh.get_array()


# All of them


@each_figure
def test_every_character_has_a_glyph_in_the_font_of_the_style(name, tmp_path, recwarn):
    assert_every_character_has_a_glyph(figure(name), tmp_path / "a.png", recwarn)


@each_figure
def test_no_text_lies_on_another(name):
    drawn = figure(name)
    drawn.draw_without_rendering()
    assert_no_text_lies_on_another(texts(drawn), touching=0.5)


@each_figure
def test_a_path_that_cannot_be_written_is_refused_before_training(name, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise AssertionError("trained in vain")

    module = import_module(f"minis2s.figures.{name}")
    for training in {"trained", "trained_tagger"} & vars(module).keys():
        monkeypatch.setattr(module, training, fail)
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got '.*a\.gif'"):
        FIGURES[name](tmp_path / "a.gif")


@each_figure
def test_the_file_is_written(name, tmp_path):
    FIGURES[name](tmp_path / "a.png", **OPTIONS[name])
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("teacher_forcing", {"steps": 0}, "steps must be a whole number above 0, got 0"),
        ("teacher_forcing", {"steps": 2}, "in none of 600 pairs does one wrong token spoil the rest"),
        ("beam_tree", {"width": 0}, "width must be a whole number above 0, got 0"),
        ("beam_tree", {"steps": 2}, "in none of 600 pairs does width 3 find what greedy decoding misses"),
        ("attention_kinds", {"text": "kilo"}, "text must be 1 to 8 of the letters abcdefghij, got 'kilo'"),
        ("attention_kinds", {"text": ""}, "text must be 1 to 8 of the letters abcdefghij, got ''"),
        ("alignment", {"steps": 2}, "after 2 steps the model translates no date in a long format"),
        ("bottleneck", {"longest": 12, "steps": 1}, "longest must be above length=12, got 12"),
        ("self_attention_heads", {"text": "abcabc"}, "one of them a capital, got 'abcabc'"),
        ("self_attention_heads", {"text": "aB"}, "text must be 6 to 12 letters abcd"),
    ],
)
def test_options_that_cannot_be(name, options, message):
    with pytest.raises(ValueError, match=message):
        FIGURES[name](**options)


# Training


def test_a_model_is_trained_once_for_so_many_steps_and_always_to_the_same_end():
    options = {"task": "copy", "train": 100, "valid": 1, "test": 1, "longer": 0, "hidden_size": 8, "seed": 3}
    translator, splits = trained.trained(**options, steps=3)
    assert trained.trained(**options, steps=3)[0] is translator
    assert translator.model.config.hidden_size == 8
    assert len(splits.train) == 100
    again, _ = trained.trained.__wrapped__(**options, steps=3)
    for name, param in translator.model.params.items():
        np.testing.assert_array_equal(again.model.params[name], param)
    further, _ = trained.trained(**options, steps=4)
    assert any((further.model.params[name] != param).any() for name, param in translator.model.params.items())
    with pytest.raises(ValueError, match="the task copy has no option 'hiddensize'"):
        trained.trained(**options, hiddensize=9, steps=3)


# Teacher forcing


def half_trained():
    translator, splits = trained.trained(**teacher_forcing.NUMBERS, steps=300)
    return translator, splits.test


@functools.cache
def slipped():
    return teacher_forcing.one_slip(*half_trained())


def stepwise(model, batch, fed):
    """log P of the tokens of each step, by the decoder's own step.  T ids -> (T,V)"""
    states, memory = model.begin(batch.source, batch.source_lengths)[0]
    log_ps = []
    for id in fed:
        logits, _, states = model.decoder.step(np.array([id]), states, memory)
        log_ps.append(log_softmax(logits)[0])
    return np.array(log_ps)


def test_tokens_are_wrong_where_the_target_has_others_or_none():
    assert teacher_forcing.wrong([5, 6, END], [5, 7, 6, END]) == [False, True, True]
    assert teacher_forcing.wrong([5, 6, 6, END], [5, END]) == [False, True, True, True]


def test_what_is_said_is_the_likeliest_and_its_probability_the_model_s():
    translator, pairs = half_trained()
    model = translator.model
    for example in translator.encode(pairs[:20]):
        batch = make_batch([example])
        forced, free = teacher_forcing.both_runs(model, example)
        assert forced.fed == [START, *example.target]
        assert free.fed[1:] == free.said[:-1]
        for run in (forced, free):
            log_ps = stepwise(model, batch, run.fed)
            assert log_ps.argmax(axis=1).tolist() == run.said
            np.testing.assert_allclose(np.log(run.p), log_ps.max(axis=1), atol=1e-5)
        (hypothesis,) = greedy(model, batch.source, batch.source_lengths, teacher_forcing.LONGEST)
        assert free.said == [*hypothesis.ids, END][: len(free.said)]
        np.testing.assert_allclose(np.log(free.p).sum(), hypothesis.score, atol=1e-4)
        y = np.full((len(free.fed), 1), START)  # of which a free-running decoder reads the first token alone
        (logits, _), _ = model.forward(batch.source, batch.source_lengths, y, teacher_forcing=0.0)
        assert logits[:, 0].argmax(axis=1).tolist() == free.said


def test_the_pair_shown_has_one_slip_that_spoils_the_rest():
    translator, pairs = half_trained()
    pair = slipped()
    assert pair in pairs
    (example,) = translator.encode([pair])
    target = [*example.target, END]
    forced, free = teacher_forcing.both_runs(translator.model, example)
    (slip,) = [t for t, (said, true) in enumerate(zip(forced.said, target)) if said != true]
    assert 0 < slip < len(target) - 2
    assert forced.said[: slip + 1] == free.said[: slip + 1]
    assert [*free.said[:slip]] == target[:slip]
    assert len(free.said) > slip + 3
    assert all(said != true for said, true in itertools.zip_longest(free.said[slip:], target[slip:]))


def test_teacher_forcing_draws_what_was_fed_and_said():
    (translator, _), pair = half_trained(), slipped()
    (example,) = translator.encode([pair])
    tokens, target = translator.target_vocabulary.tokens, [*example.target, END]
    drawn = figure("teacher_forcing")
    assert pair.source in drawn.texts[0].get_text() and pair.target in drawn.texts[0].get_text()
    runs = teacher_forcing.both_runs(translator.model, example)
    for ax, run, is_free in zip(drawn.axes, runs, (False, True), strict=True):
        found = {(round(x), y): text.get_text() for text in texts(ax) for x, y in [text.get_position()]}
        T = len(run.said)
        assert [found[t, teacher_forcing.FED] for t in range(T)] == [tokens[id] for id in run.fed]
        assert [found[t, teacher_forcing.SAID + 0.07] for t in range(T)] == [tokens[id] for id in run.said]
        assert [found[t, teacher_forcing.SAID - 0.13] for t in range(T)] == [f"{p:.2f}" for p in run.p]
        mistakes = sum(teacher_forcing.wrong(run.said, target))
        assert any(text.endswith(f"{mistakes} of {T} wrong") for text in written(ax))
        dark = [box for box in ax.patches if to_hex(box.get_facecolor()) == plots.COLOURS[1].lower()]
        fed_wrong = sum(teacher_forcing.wrong(run.said[:-1], target)) if is_free else 0
        assert len(dark) == mistakes + fed_wrong


# Beam search


@pytest.fixture(scope="module")
def searched():
    translator, pairs = half_trained()
    pair = beam_tree.beam_wins(translator, pairs, 3)
    batch = make_batch(translator.encode([pair]))
    return translator, pair, batch, beam_tree.tree(translator.model, batch, 3)


def test_scores_are_sums_of_log_softmax_along_the_path(searched):
    translator, _, batch, nodes = searched
    assert len(nodes) > 20
    for node in nodes[1:]:
        log_ps = stepwise(translator.model, batch, [START, *node.ids[:-1]])
        np.testing.assert_allclose(node.score, log_ps[range(len(node.ids)), node.ids].sum(), atol=1e-4)


def test_children_are_the_likeliest_and_of_a_step_the_likeliest_are_kept(searched):
    translator, _, batch, nodes = searched
    for parent in {node.parent for node in nodes[1:]}:
        ids = [node.id for node in nodes if node.parent is parent]
        *_, log_p = stepwise(translator.model, batch, [START, *parent.ids])
        assert ids == np.argsort(-log_p)[:3].tolist()
        assert parent.kept
    for step in range(1, max(len(node.ids) for node in nodes) + 1):
        level = sorted((node for node in nodes if len(node.ids) == step), key=lambda node: -node.score)
        assert [node.kept for node in level] == [True] * 3 + [False] * (len(level) - 3)


def test_beams_are_carried_on_until_none_can_win(searched):
    _, _, _, nodes = searched
    parents = [node.parent for node in nodes]
    best = max(node.score for node in nodes if node.id == END)
    for node in nodes:
        if node.kept and node.id != END and node not in parents:
            assert node.score < best


@pytest.mark.parametrize("width", [2, 3, 5])
def test_the_tree_ends_where_beam_search_does(width, searched):
    translator, pairs = half_trained()
    for example in translator.encode(pairs[:10]):
        batch = make_batch([example])
        ((best,),) = beam_search(translator.model, batch.source, batch.source_lengths, width, beam_tree.MAX_LENGTH)
        nodes = beam_tree.tree(translator.model, batch, width)
        ended = [node for node in nodes if node.id == END and node.kept]
        for parent in {node.parent for node in nodes[1:]}:  # none is carried on that could no longer win
            assert all(parent.score > node.score for node in ended if len(node.ids) <= len(parent.ids))
        if best.finished:
            likeliest = max(ended, key=lambda node: node.score)
            assert likeliest.ids == (*best.ids, END)
            np.testing.assert_allclose(likeliest.score, best.score, atol=1e-4)


def test_beam_tree_draws_every_score_and_both_ways(searched):
    translator, pair, batch, nodes = searched
    best, first = beam_tree.best_and_greedy(translator.model, batch, 3)
    assert translator.encode([pair])[0].target == best.ids != first.ids
    assert best.score > first.score
    (ax,) = figure("beam_tree").axes
    said = written(ax)
    for node in nodes[1:]:
        assert said.count(beam_tree.minus(node.score)) == sum(
            beam_tree.minus(other.score) == beam_tree.minus(node.score) for other in nodes[1:]
        )
    lines = [line for line in ax.lines if len(line.get_xdata())]
    assert len(lines) == len(nodes) - 1
    bold = [line for line in lines if line.get_linewidth() == beam_tree.BEST["linewidth"]]
    assert len(bold) == len(best.ids) + 1
    dashed = [line for line in lines if line.get_color() == beam_tree.GREEDY["color"]]
    assert len(dashed) == sum(node.begins(first) and not node.begins(best) for node in nodes) > 0
    assert any(f"greedy: {''.join(translator.target_vocabulary.decode(first.ids))}" in text for text in said)


def test_rows_of_the_tree_are_the_leaves_and_parents_stand_between_their_children(searched):
    *_, nodes = searched
    rows = beam_tree.rows_of(nodes)
    parents = {node.parent for node in nodes[1:]}
    leaves = sorted(rows[node] for node in nodes if node not in parents)
    assert leaves == list(range(len(leaves)))
    for parent in parents:
        below = [rows[node] for node in nodes[1:] if node.parent is parent]
        assert rows[parent] == (min(below) + max(below)) / 2
        assert below == sorted(below)


# Attention


def test_attention_kinds_shows_each_model_s_own_weights():
    assert len(attention_kinds.SCORES) == 5
    drawn = figure("attention_kinds")
    for ax, (kind, score) in zip(drawn.axes, attention_kinds.SCORES.items()):
        translator, splits = trained.trained(**attention_kinds.REVERSAL, attention=kind, steps=20)
        assert translator.model.config.attention == kind
        (shown,) = translator.translate(["baggage"], max_length=9)
        np.testing.assert_array_equal(cells(ax), shown.alphas)
        np.testing.assert_allclose(cells(ax).sum(axis=1), 1, atol=1e-5)
        right = attention_kinds.exact_match(translator, splits.test)
        assert ax.get_title(loc="left") == f"{kind}, exact match {right:.0%}\n{score}"


def translating(texts):
    """A translator that answers with these texts."""
    return SimpleNamespace(translate=lambda sources, max_length: [SimpleNamespace(text=texts[s]) for s in sources])


def test_exact_match_counts_whole_texts():
    translator = translating({"ab": "ba", "abc": "cba", "abd": "dbb"})
    pairs = [Pair("ab", "ba"), Pair("abc", "cba"), Pair("abd", "dba")]
    assert attention_kinds.exact_match(translator, pairs) == 2 / 3
    assert bottleneck.accuracy_at(translator, pairs, 3) == {2: 1.0, 3: 0.5}


def test_bottleneck_draws_the_accuracy_at_every_length():
    (ax,) = figure("bottleneck").axes
    for line, (name, model) in zip(ax.lines, bottleneck.MODELS.items(), strict=True):
        options = bottleneck.PAIRS | {"length": 5, "longest": 7} | bottleneck.SIZES | model
        translator, splits = trained.trained(**options, steps=200)
        curve = bottleneck.accuracy_at(translator, [*splits.test, *splits.more["longer"]], 7)
        assert line.get_label() == name
        assert dict(line.get_xydata()) == curve
        assert max(curve) == 7
        assert (curve[5] > 0.8) == (model["attention"] != "none")  # what the figure is there to show
    (shade,) = ax.patches
    assert shade.get_x() + shade.get_width() == 5.5
    strokes = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines}
    assert len(set(next(zip(*strokes)))) == 3 == len({marker for *_, marker in strokes})


def test_fields_are_rectangles_of_rows_with_the_same_columns():
    true = [{8, 9}, {8, 9}, None, {0}, {3, 4, 5}, None, {3, 4, 5}]
    assert alignment.fields(true) == [[0, 2, 8, 2], [3, 1, 0, 1], [4, 1, 3, 3], [6, 1, 3, 3]]


def test_the_share_on_the_truth_leaves_out_rows_without_one():
    alphas = np.array([[0.5, 0.25, 0.25], [0, 0, 1], [0.1, 0.2, 0.7]])
    assert alignment.share_on_truth(alphas, [{0, 1}, None, {2}]) == pytest.approx((0.75 + 0.7) / 2)


def test_alignment_outlines_the_truth_on_the_model_s_own_weights():
    translator, splits = trained.trained(**alignment.DATES, steps=180)
    drawn = figure("alignment")
    ax = drawn.axes[0]
    source = "".join(text.get_text() for text in ax.get_xticklabels()[:-1]).replace("␣", " ")
    target = "".join(text.get_text() for text in ax.get_yticklabels()[:-1])
    assert Pair(source, target) in splits.test
    (shown,) = translator.translate([source], max_length=alignment.MAX_LENGTH)
    np.testing.assert_allclose(cells(ax), shown.alphas, atol=1e-5)
    outlined = np.zeros(cells(ax).shape, bool)
    for box in ax.patches:
        (left, top), wide, high = box.get_xy(), box.get_width(), box.get_height()
        outlined[top : top + high, left : left + wide] = True
    true = date_alignment(source, target)
    assert [set(np.flatnonzero(row)) or None for row in outlined] == [*true, None]
    share = np.mean([sum(row[s] for s in columns) for row, columns in zip(cells(ax), true) if columns])
    assert f"{share:.0%} of their attention" in drawn.texts[0].get_text()


# Self-attention


def test_tags_are_neighbours_and_capital():
    assert heads.tags("abC") == ["-bc", "acc", "b-c"]
    assert heads.tags("Adda") == ["-da", "ada", "daa", "d-a"]
    rng = np.random.default_rng(0)
    for length in (6, 12):
        text = heads.draw_text(rng, length)
        assert len(text) == length and sum(map(str.isupper, text)) == 1
        source, targets = heads.encode([text, text])
        assert "".join(heads.TOKENS[id] for id in source[:, 1]) == text
        assert [heads.TAGS[id] for id in targets[:, 0]] == heads.tags(text)


def test_shares_of_heads_that_look_at_one_thing():
    before, capital = np.eye(4, k=-1), np.zeros((4, 4))
    capital[:, 2] = 1
    assert heads.shares(before, "abCd") == {"the letter before": 1, "the letter after": 0, "the capital": 0.25}
    assert heads.shares(capital, "abCd")["the capital"] == 1
    assert heads.shares(np.eye(4, k=1), "abCd")["the letter after"] == 1


def test_heads_are_shown_as_the_tagger_has_them():
    (logits, alphas), _ = heads.trained_tagger(40).forward(heads.encode(["badCabadda"])[0])
    drawn = figure("self_attention_heads")
    for ax, alpha in zip(drawn.axes, alphas[0], strict=False):
        np.testing.assert_array_equal(cells(ax), alpha)
    assert len(drawn.axes) == 3 + 1
    tags = [heads.TAGS[id] for id in logits.argmax(axis=2)[:, 0]]
    right = np.mean([tag == true for tag, true in zip(tags, heads.tags("badCabadda"))])
    assert f"{right:.0%} right" in drawn.texts[0].get_text()


# Heat maps with names


def test_heat_maps_carry_their_names_and_make_room_for_them():
    alpha = np.eye(3)
    named = [(alpha, "abc", "abc", f"a name that is long, {n}\nin two lines") for n in range(4)]
    drawn = plots.attention_heatmaps([*named, (alpha, "abc", "abc")], title="all")
    assert [ax.get_title(loc="left") for ax in drawn.axes] == [*(name for *_, name in named), "", ""]
    boxes = [ax.get_tightbbox() for ax in drawn.axes] + [drawn.texts[0].get_window_extent()]
    assert not [(a, b) for (a, one), (b, two) in itertools.combinations(enumerate(boxes), 2) if one.overlaps(two)]
