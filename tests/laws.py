"""The laws that hold for every layer.  Each takes a Case and raises AssertionError where its law is broken.

They ask nothing of where the case comes from, so the planted errors can put broken layers before them.
"""

import copy

import equations
import numpy as np

FLOAT64 = {"rtol": 1e-10, "atol": 1e-12}


def arrays(tree):
    """The arrays in nested tuples, lists and dicts, in order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in arrays(branch)]
    return [tree] if hasattr(tree, "dtype") else []


def floats(tree):
    return [array for array in arrays(tree) if array.dtype.kind == "f"]


def map_leaves(function, tree):
    """`function` of every leaf of nested tuples and lists."""
    if isinstance(tree, (list, tuple)):
        branches = [map_leaves(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return function(tree)


def upstream_of(out, seed=3):
    """A random gradient for every float in `out`, None for the rest."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        return np.asarray(rng.standard_normal(leaf.shape)).astype(leaf.dtype)[()] if floats(leaf) else None

    return map_leaves(draw, out)


def as_tuple(tree):
    return tree if type(tree) is tuple else (tree,)


def backward(layer, upstream, cache):
    return layer.backward(*as_tuple(upstream), cache)


def run(layer, inputs, options, upstream=None):
    """One forward and backward -> out, upstream, dinputs, gradients"""
    out, cache = layer.forward(*inputs, **options)
    upstream = upstream_of(out) if upstream is None else upstream
    layer.zero_grad()
    dinputs = backward(layer, upstream, cache)
    return out, upstream, dinputs, copy.deepcopy(layer.grads)


def assert_trees_close(actual, expected, **tolerances):
    actual, expected = floats(actual), floats(expected)
    assert len(actual) == len(expected), f"{len(actual)} arrays, expected {len(expected)}"
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerances or FLOAT64))


def assert_trees_equal(actual, expected):
    """To the last bit, whole numbers and masks included."""
    for a, b in zip(arrays(actual), arrays(expected), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# The laws.


def equals_its_equations(case):
    """Forward says what the equations say. No other law sees what is wrong in forward and backward alike."""
    for seed in (0, 5):  # after seed 0 alone, the likeliest word would be the same at every step
        layer, inputs, options = equations.comparable(case, seed)
        out, _ = layer.forward(*inputs, **options)
        assert_trees_close(out, equations.expected(case, seed))


def gradients_equal_finite_differences(case):
    report = case.check()
    assert report.passed, str(report)


def held(tree, path="layer"):
    """All that a layer holds, and the layers in it, by path: {"layer.params.W": …}"""
    found, branches = {path: tree}, {}
    if hasattr(tree, "forward"):
        branches = vars(tree)
    elif isinstance(tree, dict):
        branches = tree
    elif isinstance(tree, (list, tuple)):
        branches = dict(enumerate(tree))
    for name, branch in branches.items():
        found |= held(branch, f"{path}.{name}")
    return found


def assert_holds_the_same(layer, before):
    one, other = ({(path, id(value)) for path, value in found.items()} for found in (before, held(layer)))
    assert one == other, f"a call left its trace in {', '.join(sorted({path for path, _ in one ^ other}))}"


def calls_leave_no_trace(case):
    """The layer, the caller's arrays and the cache are unchanged; backward twice gives twice the gradient."""
    layer, inputs, options = case.build()
    holds = held(layer)
    before = copy.deepcopy(arrays([inputs, options, layer.params]))
    out, cache = layer.forward(*inputs, **options)
    assert_holds_the_same(layer, holds)
    upstream = upstream_of(out)
    kept = copy.deepcopy(arrays([out, cache, upstream]))
    assert all((grad == 0).all() for grad in layer.grads.values()), "forward wrote into grads"
    first = backward(layer, upstream, cache)
    once = copy.deepcopy(layer.grads)
    second = backward(layer, upstream, cache)
    assert_holds_the_same(layer, holds)
    assert_trees_equal([inputs, options, layer.params], before)
    assert_trees_equal([out, cache, upstream], kept)
    assert_trees_equal(second, first)
    assert_trees_close(layer.grads, {name: 2 * grad for name, grad in once.items()})


def order_of_calls_is_irrelevant(case):
    """A call on other data, between forward and backward, changes neither what came before nor what comes."""
    layer, inputs, options = case.build()
    before = run(layer, inputs, options)
    expected = copy.deepcopy(before)
    _, inputs, options = case.build()
    out, cache = layer.forward(*inputs, **options)
    _, others, other_options = case.build(seed=1)
    if "rng" in other_options:
        other_options["rng"] = np.random.default_rng(8)
    run(layer, others, other_options, upstream_of(out, seed=4))
    assert_trees_equal(before, expected)
    layer.zero_grad()
    _, upstream, *_ = expected
    dinputs = backward(layer, upstream, cache)
    assert_trees_equal([out, upstream, dinputs, layer.grads], expected)


def float32_stays_float32(case):
    """float32 in, float32 out, everywhere, and close to what float64 says."""

    def single(leaf):
        return leaf.astype("float32") if floats(leaf) else leaf

    def assert_single(*trees):
        for array in floats(trees):
            assert array.dtype == np.float32, f"{array.dtype} of shape {array.shape}"

    exact, upstream, exact_dinputs, exact_grads = run(*case.build())
    layer, inputs, options = case.build(dtype="float32")
    out, cache = layer.forward(*inputs, **{name: single(option) for name, option in options.items()})
    assert_single(out, cache)
    layer.zero_grad()
    dinputs = backward(layer, map_leaves(single, upstream), cache)
    assert_single(dinputs, layer.grads)
    assert_trees_close([out, dinputs, layer.grads], [exact, exact_dinputs, exact_grads], rtol=2e-3, atol=2e-4)


# Masks: the cases with lengths, without dropout (whose masks depend on the shape of the batch).


def translates(case):
    """Its inputs are (source, lengths, y), its outputs are for y."""
    return case.key in ("seq2seq", "signal")


def has_lengths(case):
    return "lengths" in case.options or translates(case)


def looks_back(case):
    """Its inputs are (queries, hs), its outputs (contexts, alphas)."""
    return case.key.endswith(" attention")


def padded_input(case):
    """Which of the inputs has padding."""
    return 1 if looks_back(case) else 0


def rows_of(case, inputs, options, chosen, T=None):
    """The rows `chosen` of a padded batch, cut to T time steps, as inputs and options of their own."""
    if translates(case):
        source, lengths, y = inputs
        lengths = None if lengths is None or T is not None else lengths[chosen]
        return (source[:T, chosen], lengths, y[:, chosen]), {}
    lengths = {} if T is not None else {"lengths": options["lengths"][chosen]}
    if looks_back(case):
        queries, hs = inputs
        return (queries[:, chosen], hs[:T, chosen]), lengths
    x, *states = inputs
    return (x[:T, chosen], *map_leaves(lambda h: h[chosen], states)), lengths


def outputs_of(case, out, chosen, T=None):
    """What belongs to the rows `chosen` in the outputs (or gradients of the outputs) of the whole batch."""
    first, second = out
    if translates(case) or looks_back(case):
        return first[:, chosen], None if second is None else second[:, chosen, :T]
    if case.key == "self-attention":
        return first[:T, chosen], second[chosen, :, :T, :T]
    return first[:T, chosen], map_leaves(lambda h: h[chosen], second)


def evaluation(options):
    """Without dropout and without lots."""
    return {name: value for name, value in options.items() if name not in ("rng", "teacher_forcing")}


def padded_upstream(case, out, lengths):
    """A random gradient that is 0 on padding, where an unpadded row has no output."""
    upstream = upstream_of(out)
    real = np.arange(max(lengths))[:, None] < lengths
    first, second = upstream
    if translates(case) or looks_back(case):
        return first, None if second is None else second * real.T
    if case.key == "self-attention":
        return first * real[:, :, None], second * real.T[:, None, :, None]
    return first * real[:, :, None], second


def padded_equals_unpadded(case):
    """Each row alone, without padding, gives its outputs and gradients; the parameters' gradients add up."""
    layer, inputs, options = case.build()
    options = evaluation(options)
    lengths = inputs[1] if translates(case) else options["lengths"]
    out, _ = layer.forward(*inputs, **options)
    upstream = padded_upstream(case, out, lengths)
    out, _, dinputs, grads = run(layer, inputs, options, upstream)
    total = {name: np.zeros_like(grad) for name, grad in grads.items()}
    for b, T in enumerate(lengths):
        chosen = slice(b, b + 1)
        row_inputs, row_options = rows_of(case, inputs, options, chosen, T)
        row_upstream = outputs_of(case, upstream, chosen, T)
        row_out, _, row_dinputs, row_grads = run(layer, row_inputs, row_options, row_upstream)
        assert_trees_close(row_out, outputs_of(case, out, chosen, T))
        if floats(inputs):
            cut, _ = rows_of(case, as_tuple(dinputs), options, chosen, T)
            assert_trees_close(row_dinputs, cut)
            padding = as_tuple(dinputs)[padded_input(case)][T:, chosen]
            assert (padding == 0).all(), "padding got a gradient"
        for name, grad in row_grads.items():
            total[name] += grad
    assert_trees_close(total, grads)


def padding_is_not_read(case):
    """Whatever stands on padding, outputs and gradients are the same."""
    layer, inputs, options = case.build()
    options = evaluation(options)
    lengths = inputs[1] if translates(case) else options["lengths"]
    out, _ = layer.forward(*inputs, **options)
    upstream = padded_upstream(case, out, lengths)
    expected = run(layer, inputs, options, upstream)
    where = padded_input(case)
    changed = inputs[where].copy()
    for b, T in enumerate(lengths):
        changed[T:, b] = 9 if floats(changed) else 0
    inputs = (*inputs[:where], changed, *inputs[where + 1 :])
    out, _, dinputs, grads = run(layer, inputs, options, upstream)
    for b, T in enumerate(lengths):
        row = slice(b, b + 1)
        assert_trees_close(outputs_of(case, out, row, T), outputs_of(case, expected[0], row, T))
    assert_trees_close([dinputs, grads], [expected[2], expected[3]])


def batch_order_is_irrelevant(case):
    """A permuted batch gives permuted outputs and input gradients, and the same parameter gradients."""
    layer, inputs, options = case.build()
    options = evaluation(options)
    out, upstream, dinputs, grads = run(layer, inputs, options)
    order = np.array([2, 0, 1])
    permuted_inputs, permuted_options = rows_of(case, inputs, options, order)
    permuted = run(layer, permuted_inputs, permuted_options, outputs_of(case, upstream, order))
    assert_trees_close(permuted[0], outputs_of(case, out, order))
    assert_trees_close(permuted[3], grads)
    if floats(inputs):
        assert_trees_close(permuted[2], rows_of(case, as_tuple(dinputs), options, order)[0])


def at_once_equals_one_after_the_other(case):
    """A loss that puts its gradient in the place of the logits says what forward and backward say."""
    layer, inputs, options = case.build()
    if hasattr(layer, "overwrite"):
        loss, cache = layer.forward(*inputs, **options)
        dlogits = as_tuple(layer.backward(loss.dtype.type(1), cache))[0]
        logits = inputs[0].copy()
        assert_trees_close(layer.overwrite(logits, *inputs[1:], **options), loss)
        assert_trees_close(logits, dlogits)


ALL = (
    equals_its_equations,
    gradients_equal_finite_differences,
    calls_leave_no_trace,
    order_of_calls_is_irrelevant,
    float32_stays_float32,
    at_once_equals_one_after_the_other,
)
MASKS = (padded_equals_unpadded, padding_is_not_read, batch_order_is_irrelevant)
