"""The figures: their numbers are the library's, their texts are drawn and stand apart, grey is enough to read them."""

import functools
import itertools
import json
from importlib import import_module

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from drawn import (  # noqa: E402
    assert_every_character_has_a_glyph,
    assert_no_text_lies_on_another,
    shown_texts,
    texts,
)
from matplotlib.figure import Figure  # noqa: E402

from minis2s import cli  # noqa: E402
from minis2s.figures import (  # noqa: E402
    FIGURES,
    draw,
    gate_activations,
    gradient_distance,
    loss_surface,
    padding_and_masks,
    records,
    saturation,
    unrolled_graph,
)
from minis2s.functional import length_mask  # noqa: E402
from minis2s.nn import RNN, Linear, MeanSquaredError, SoftmaxCrossEntropy  # noqa: E402


@functools.cache
def figure(name):
    """The figure of that name; the same for all tests that only look at it."""
    return DRAWN[name]()


DRAWN = {
    "saturation": FIGURES["saturation"],
    "loss_surface": FIGURES["loss_surface"],
    "unrolled_graph": FIGURES["unrolled_graph"],
    "last step": lambda: FIGURES["unrolled_graph"](losses="last step"),
    "gradient_distance": lambda: FIGURES["gradient_distance"](seeds=2),
    "gate_activations": FIGURES["gate_activations"],
    "padding_and_masks": FIGURES["padding_and_masks"],
}
each_figure = pytest.mark.parametrize("name", DRAWN)


def written(figure):
    return {text.get_text() for text in texts(figure)}


# All figures


@each_figure
def test_every_character_has_a_glyph(name, tmp_path, recwarn):
    assert_every_character_has_a_glyph(figure(name), tmp_path / "a.png", recwarn)
    assert len(written(figure(name))) > 5


@each_figure
def test_no_text_lies_on_another(name):
    drawn = figure(name)
    drawn.draw_without_rendering()
    limits = [axis.get_view_interval() for ax in drawn.axes for axis in (ax.xaxis, ax.yaxis)]
    assert np.isfinite(limits).all()
    assert_no_text_lies_on_another(shown_texts(drawn), touching=1)


@pytest.mark.parametrize("name", FIGURES)
def test_every_name_has_its_file_and_function(name):
    function = getattr(import_module(f"minis2s.figures.{name}"), name)
    assert function.__doc__


@pytest.mark.parametrize("name", sorted(DRAWN.keys() & FIGURES.keys()))
def test_a_path_that_cannot_be_written_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got '.*a\.gif'"):
        FIGURES[name](tmp_path / "a.gif")


def test_equal_figures_are_equal_files_and_the_style_does_not_leak(tmp_path):
    before = dict(matplotlib.rcParams)
    for path in ("a.png", "b.png"):
        assert isinstance(FIGURES["padding_and_masks"](tmp_path / path), Figure)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert dict(matplotlib.rcParams) == before


# Gradient against distance


@pytest.mark.parametrize("make", gradient_distance.LAYERS.values(), ids=gradient_distance.LAYERS)
def test_gradient_norms_equal_finite_differences(make):
    """Of L = v · h_T, by the state k steps back: the last k steps run again from a state moved a little."""
    rng = np.random.default_rng(5)
    layer = make(rng)
    x = rng.standard_normal((6, 1, gradient_distance.INPUT_SIZE))
    v = rng.standard_normal((1, gradient_distance.HIDDEN_SIZE))
    norms = gradient_distance.gradient_norms(layer, x, v)
    assert norms.shape == (7, 1)
    for k in (0, 1, 4, 6):
        state = layer.forward(x[: 6 - k])[0][1] if k < 6 else layer.zero_state(x)
        slopes = [slope(layer, x[6 - k :], state, v, part, unit) for part in range(len(state)) for unit in range(64)]
        np.testing.assert_allclose(norms[k, 0], np.linalg.norm(slopes), rtol=1e-6)


def slope(layer, x, state, v, part, unit, step=1e-5):
    """The derivative of v · h by one entry of the state before x."""
    ends = []
    for moved in (step, -step):
        moved_state = [array.copy() for array in state]
        moved_state[part][0, unit] += moved
        h = layer.forward(x, tuple(moved_state))[0][1][0] if len(x) else moved_state[0]
        ends.append((v * h).sum())
    return (ends[0] - ends[1]) / (2 * step)


def test_the_radius_is_what_the_names_of_the_rnns_say():
    radii = [
        [gradient_distance.spectral_radius(make(np.random.default_rng(seed))) for seed in range(10)]
        for make in (gradient_distance.rnn, gradient_distance.wide_rnn)
    ]
    np.testing.assert_allclose(np.mean(radii, axis=1), [0.6, 2.0], atol=0.02)


def test_the_factor_is_that_of_a_power():
    np.testing.assert_allclose(gradient_distance.factor(3 * 0.9 ** np.arange(51)), 0.9)


def test_the_curves_are_medians_and_can_be_told_apart_in_grey():
    ax = figure("gradient_distance").axes[0]
    curves = ax.lines[: len(gradient_distance.LAYERS)]
    for curve, (name, make) in zip(curves, gradient_distance.LAYERS.items(), strict=True):
        norms = gradient_distance.norms_over_seeds(make, 100, 2)
        assert norms.shape == (101, 2 * gradient_distance.SEQUENCES)
        np.testing.assert_allclose(norms[0], 1)  # ‖v‖
        median = np.median(norms, axis=1)
        np.testing.assert_allclose(curve.get_ydata(), median)
        assert curve.get_label() == name
        assert f"{name}: × {gradient_distance.factor(median):.2f} a step" in written(figure("gradient_distance"))
    assert len({curve.get_marker() for curve in curves}) == len(curves)
    assert len({curve._unscaled_dash_pattern for curve in curves}) == len(curves)


def test_what_vanishes_and_what_does_not():
    curves = {line.get_label(): line.get_ydata() for line in figure("gradient_distance").axes[0].lines}
    last = {name: curves[name][-1] for name in gradient_distance.LAYERS}
    assert list(last) == sorted(last, key=last.get, reverse=True)
    assert last["RNN, spectral radius 2"] > 1 > last["LSTM, forget bias 3"] > gradient_distance.LOST
    assert last["LSTM, forget bias 1"] < gradient_distance.LOST  # slower than the others, but gone as well


# Unrolled graph


@pytest.mark.parametrize("losses", unrolled_graph.LOSSES)
def test_the_way_back_equals_finite_differences(losses):
    """Of L by x_t and by h_0, for the same model made again from the same seed."""
    steps, rng = 4, np.random.default_rng(7)
    sizes = unrolled_graph.INPUT_SIZE, unrolled_graph.HIDDEN_SIZE, unrolled_graph.CLASSES
    rnn, output = (make(*pair, rng, dtype="float64") for make, pair in ((RNN, sizes[:2]), (Linear, sizes[1:])))
    x, targets = rng.standard_normal((steps, 1, sizes[0])), rng.integers(sizes[2], size=(steps, 1))

    def loss(x, h0):
        logits, _ = output.forward(rnn.forward(x, (h0,))[0][0])
        each = [SoftmaxCrossEntropy().forward(logits[t], targets[t])[0] for t in range(steps)]
        return sum(each) if losses == "every step" else each[-1]

    found, h0 = unrolled_graph.way_back(steps, losses, seed=7), np.zeros((1, sizes[1]))
    np.testing.assert_allclose(found.input, differences(lambda x: loss(x, h0), x)[:, 0], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.past[:1], differences(lambda h0: loss(x, h0), h0), rtol=1e-5, atol=1e-9)
    assert found.logits.any(axis=1).tolist() == [losses == "every step"] * (steps - 1) + [True]
    np.testing.assert_allclose(found.output, found.logits @ output.params["W"].T)


def differences(function, x, step=1e-6):
    """The gradient of a function of one array, by central differences."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[index] = step
        gradient[index] = (function(x + nudge) - function(x - nudge)) / (2 * step)
    return gradient


def test_arrows_back_are_as_wide_as_their_norms():
    lines = figure("unrolled_graph").axes[0].lines
    back = [line.get_linewidth() for line in lines if line.get_linestyle() == "--"]
    norms = unrolled_graph.WayBack(*(np.linalg.norm(d, axis=1) for d in unrolled_graph.way_back(5)))
    np.testing.assert_allclose(sorted(back), np.sort(np.concatenate(norms)) * max(back) / np.max(norms))
    assert len(lines) == 2 * len(back) == 40
    assert {f"{norm:.2f}" for norm in np.concatenate(norms)} <= written(figure("unrolled_graph"))
    assert {"x₁", "h₀", "h₅", "y₃", "L₅", "Wx", "Wh", "Wy"} <= written(figure("unrolled_graph"))


def test_with_a_loss_at_the_end_the_other_outputs_pass_nothing_back():
    assert {"L₅", "y₁"} <= written(figure("last step"))
    assert not {"L₁", "L₄", "0.00"} & written(figure("last step"))


# Saturation and the loss surface


@pytest.mark.parametrize("name", saturation.FUNCTIONS)
def test_derivatives_and_where_they_are_small(name):
    function, _ = saturation.FUNCTIONS[name]
    x = np.linspace(-5, 5, 41)
    slopes = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(saturation.derivative(name, x), slopes, atol=1e-9)
    edges = np.array([0.0, saturation.saturates_at(name, 0.1), -saturation.saturates_at(name, 0.1)])
    largest, *small = saturation.derivative(name, edges)
    np.testing.assert_allclose(small, 0.1 * largest)
    curve, slope = figure("saturation").axes[list(saturation.FUNCTIONS).index(name)].lines[:2]
    np.testing.assert_allclose(slope.get_ydata()[1:-1], np.gradient(*curve.get_data()[::-1])[1:-1], atol=1e-3)


def test_the_loss_and_its_gradient_are_those_of_the_layer():
    w, b = np.array([[1.1], [0.7]]), np.array([[-0.1], [0.2]])
    loss, dw, db = loss_surface.loss_and_gradient(w, b, 12)
    for row in range(2):
        rnn, square = RNN(1, 1, np.random.default_rng(0), dtype="float64"), MeanSquaredError()
        rnn.load({"Wx": np.zeros((1, 1)), "Wh": w[row : row + 1], "b": b[row]})
        (_, (h,)), cache = rnn.forward(np.zeros((12, 1, 1)), (np.full((1, 1), 0.5),))
        expected, square_cache = square.forward(h, np.full((1, 1), 0.7))
        rnn.backward(None, (square.backward(1.0, square_cache)[0],), cache)
        found = loss[row, 0], dw[row, 0], db[row, 0]
        np.testing.assert_allclose(found, (expected, rnn.grads["Wh"].item(), rnn.grads["b"].item()))


def test_clipped_descent_takes_short_steps_and_plain_descent_leaps():
    places, norms = loss_surface.descent(50, loss_surface.CLIP)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    lr = loss_surface.LEARNING_RATE
    np.testing.assert_allclose(steps, lr * np.minimum(norms[:-1], loss_surface.CLIP), rtol=1e-5)
    plain, plain_norms = loss_surface.descent(50)
    np.testing.assert_allclose(np.linalg.norm(np.diff(plain, axis=0), axis=1), lr * plain_norms[:-1])
    said = f"‖∇L‖ = {plain_norms.max():.0f}: \non to b = {plain[1 + plain_norms.argmax(), 1]:.1f} "
    assert said in written(figure("loss_surface"))
    ends = [loss_surface.loss_and_gradient(*place[-1].reshape(2, 1, 1), 50)[0].item() for place in (places, plain)]
    assert ends[0] < 1e-4 < 1e-2 < ends[1]


# Gates


def test_lines_of_code_are_well_bracketed():
    rng = np.random.default_rng(0)
    for line in (gate_activations.LINE, *(gate_activations.random_line(rng) for _ in range(50))):
        depths = [line[: end + 1].count("(") - line[: end + 1].count(")") for end in range(len(line))]
        np.testing.assert_array_equal(gate_activations.encode([line])[1][:, 0], depths)
        assert set(depths) <= set(range(gate_activations.DEEPEST + 1)) and depths[-1] == 0


def test_the_gates_are_those_of_an_lstm_that_counts():
    model, line = trained_counter(), gate_activations.LINE
    found, answers = gate_activations.activations(model, line)
    depths = gate_activations.encode([line])[1][:, 0]
    np.testing.assert_array_equal(answers, depths)
    before = np.concatenate([np.zeros((1, 4)), found["c"][:-1]])
    np.testing.assert_allclose(found["c"], found["f"] * before + found["i"] * found["g"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["tanh_c"], np.tanh(found["c"]), rtol=1e-5)
    order = gate_activations.by_count(found["c"], depths)
    correlations = np.abs([np.corrcoef(found["c"][:, unit], depths)[0, 1] for unit in order])
    assert correlations[0] > 0.95 and (np.diff(correlations) <= 0).all()
    count, *maps = [ax for ax in figure("gate_activations").axes if ax.get_label() != "<colorbar>"]
    np.testing.assert_array_equal(count.lines[0].get_ydata(), depths)
    np.testing.assert_array_equal(count.lines[1].get_ydata(), found["c"][:, order[0]])
    for ax, part in zip(maps, gate_activations.PARTS, strict=True):
        np.testing.assert_array_equal(ax.collections[0].get_array(), found[part][:, order].T)
    assert "".join(label.get_text() for label in maps[-1].get_xticklabels()) == line


@functools.cache
def trained_counter():
    return gate_activations.trained_counter(hidden_size=4, steps=800, seed=3)


# Padding and masks


def test_the_masks_are_those_of_the_library():
    found = padding_and_masks.masked()
    real = length_mask(found.lengths, len(found.source[0])).T
    lengths = [tokens.index("<end>") + 1 for tokens in found.source]
    np.testing.assert_array_equal(found.lengths, lengths)
    np.testing.assert_array_equal(np.array(found.source) != "<pad>", real)
    np.testing.assert_array_equal(found.changes > 0, real)
    np.testing.assert_array_equal(found.alphas > 0, real)
    np.testing.assert_allclose(found.alphas.sum(axis=1), 1, rtol=1e-6)
    targets = sum(len(pair.target) + 1 for pair in padding_and_masks.PAIRS)
    np.testing.assert_allclose(found.weights, (np.array(found.target) != "<pad>") / targets)


def test_the_grids_show_tokens_and_numbers():
    found, shown = padding_and_masks.masked(), written(figure("padding_and_masks"))
    assert set(itertools.chain(*found.source, *found.target)) <= shown
    assert {"旅", "谢", "<pad>", "<end>", "0", "length"} <= shown
    for values in (found.changes, found.alphas):
        assert {f"{value:.2f}" for value in values[values > 0]} <= shown
    assert f"Target: a token counts 1/{1 / found.weights.max():.0f} in the loss, padding 0" in shown


# From records


def record(name="sums", seed=0, attention="additive", **more):
    log = [
        {"epoch": n, "step": 10 * n, "loss": 2.0 / n, "valid_loss": (3.0 + seed) / n, "exact_match": 0.1 * n}
        for n in (1, 2, 3)
    ]
    groups = [
        {"from": start, "to": end, "scores": {"exact_match": 0.5, "bleu zh": 40.0 - end - seed, "chrf": None}}
        for start, end in ((1, 3), (4, 4), (5, 9))
    ]
    experiment = {"name": name, "model": {"attention": attention}}
    return {"experiment": experiment, "seed": seed, "log": log, "by_length": groups} | more


@pytest.fixture
def folder(tmp_path):
    """Three seeds of one experiment, its twin, and another without a twin."""
    folder = tmp_path / "results"
    folder.mkdir()
    kept = [record(seed=seed) for seed in (10, 2, 0)] + [record("sums-fixed", attention="none"), record("more-sums", 1)]
    for each in kept:
        path = folder / f"{each['experiment']['name']}-{each['seed']}.json"
        path.write_text(json.dumps(each), encoding="utf-8")
    (folder / "notes.json").write_text("{}", encoding="utf-8")
    return folder


def test_records_are_found_with_their_twins(folder):
    assert records.experiments(folder) == ["more-sums", "sums"]
    found = records.lines("sums", folder)
    assert [(line.record["experiment"]["name"], line.record["seed"]) for line in found] == [
        ("sums", 0),
        ("sums", 2),
        ("sums", 10),
        ("sums-fixed", 0),
    ]
    assert [line.label for line in found] == ["with attention", None, None, "without attention"]
    assert found[0].stroke == found[2].stroke != found[3].stroke
    assert [line.label for line in records.lines("more-sums", folder)] == ["with attention"]


def test_learning_curves_show_the_logs(folder):
    losses, scores = FIGURES["learning_curves"]("sums", folder).axes
    assert losses.get_yscale() == "log"
    data = [line.get_xydata().tolist() for line in losses.lines]
    assert data[:2] == [[[10, 2], [20, 1], [30, 2 / 3]], [[10, 3], [20, 1.5], [30, 1]]]
    assert len(losses.lines) == 8 and len(scores.lines) == 4
    np.testing.assert_allclose(scores.lines[3].get_xydata(), [[10, 10], [20, 20], [30, 30]])
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["with attention", "without attention"]


def test_accuracy_stands_over_the_lengths_that_it_is_about(folder):
    (ax,) = FIGURES["accuracy_by_length"]("sums", folder).axes
    assert ax.get_ylabel() == "BLEU zh"
    assert [line.get_xydata().tolist() for line in ax.lines][1] == [[2, 35], [4, 34], [7, 29]]
    assert [segment.tolist() for segment in ax.collections[1].get_segments()][2] == [[5, 29], [9, 29]]
    assert len(ax.lines) == 4
    (ax,) = FIGURES["accuracy_by_length"]("sums", folder, score="exact_match").axes
    assert ax.get_ylabel() == "exact match, %" and ax.lines[0].get_ydata().tolist() == [50, 50, 50]
    (ax,) = FIGURES["accuracy_by_length"]("sums", folder, score="chrf").axes
    assert len(ax.lines[0].get_ydata()) == 0  # unknown is not 0


def test_records_that_are_missing_or_damaged(folder):
    with pytest.raises(FileNotFoundError, match=r"no products-SEED\.json; of experiments it has more-sums, sums"):
        FIGURES["learning_curves"]("products", folder)
    with pytest.raises(FileNotFoundError, match="of experiments it has none at all"):
        FIGURES["accuracy_by_length"]("sums", folder / "nowhere")
    with pytest.raises(ValueError, match="score must be one of exact_match, bleu zh, chrf; got 'wer'"):
        FIGURES["accuracy_by_length"]("sums", folder, score="wer")
    (folder / "sums-2.json").write_text(json.dumps({"experiment": {"name": "sums"}, "log": []}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"sums-2\.json is no record of a finished run: it lacks log, by_length"):
        FIGURES["learning_curves"]("sums", folder)
    (folder / "sums-2.json").write_text("[", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sums-2\.json is no record of a run"):
        FIGURES["learning_curves"]("sums", folder)


# The command


def test_the_command_draws_what_is_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "new" / "figures"
    asked = ["figures", "saturation", "learning_curves", "--out", str(out), "--results", str(folder)]
    assert cli.main(asked) == 0
    paths = [out / name for name in ("saturation.png", "learning_curves-more-sums.png", "learning_curves-sums.png")]
    assert capsys.readouterr().out.splitlines() == list(map(str, paths))
    assert sorted(out.iterdir()) == sorted(paths)
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_the_command_says_where_there_is_nothing_to_draw(tmp_path, capsys):
    assert cli.main(["figures", "accuracy_by_length", "--out", str(tmp_path), "--results", str(tmp_path / "no")]) == 0
    assert capsys.readouterr().out == f"accuracy_by_length: {tmp_path / 'no'} holds nothing to draw\n"


def test_an_unknown_name_is_refused_before_anything_is_drawn(tmp_path, capsys):
    assert cli.main(["figures", "saturation", "saturatoin", "--out", str(tmp_path)]) == 2
    assert "NAME must be one of saturation, loss_surface" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"name must be one of .*; got 'saturatoin'"):
        draw("saturatoin", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gradient_distance", {"distance": 0}, "distance must be a whole number above 0, got 0"),
        ("gradient_distance", {"seeds": 1.5}, r"seeds must be a whole number above 0, got 1\.5"),
        ("unrolled_graph", {"steps": 0}, "steps must be a whole number above 0, got 0"),
        ("unrolled_graph", {"losses": "some"}, "losses must be one of every step, last step; got 'some'"),
        ("saturation", {"share": 1.0}, r"share must lie between 0 and 1, both excluded, got 1\.0"),
        ("loss_surface", {"steps": 0}, "steps must be a whole number above 0, got 0"),
        ("gate_activations", {"hidden_size": 0}, "hidden_size must be a whole number above 0, got 0"),
    ],
)
def test_options_that_cannot_be(name, options, message):
    with pytest.raises(ValueError, match=message):
        FIGURES[name](**options)
