"""The laws that hold for every layer.  Each takes a Case and raises AssertionError where its law is broken.

They ask nothing of where the case comes from, so the planted errors can put broken layers before them.
"""

import numpy as np

FLOAT64 = {"rtol": 1e-10, "atol": 1e-12}


def floats(tree):
    """The float arrays in nested tuples, lists and dicts, in order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in floats(branch)]
    return [tree] if getattr(getattr(tree, "dtype", None), "kind", "") == "f" else []


def map_leaves(function, tree):
    """`function` of every leaf of nested tuples and lists."""
    if isinstance(tree, (list, tuple)):
        branches = [map_leaves(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return function(tree)


def upstream_of(out, rng, dtype=None):
    """A random gradient for every float in `out`, None for the rest."""

    def draw(leaf):
        if getattr(getattr(leaf, "dtype", None), "kind", "") != "f":
            return None
        return np.asarray(rng.standard_normal(leaf.shape)).astype(dtype or leaf.dtype)[()]

    return map_leaves(draw, out)


def backward(layer, upstream, cache):
    return layer.backward(*(upstream if type(upstream) is tuple else (upstream,)), cache)


def run(layer, inputs, options, upstream=None):
    """One forward and backward -> out, upstream, dinputs, gradients"""
    out, cache = layer.forward(*inputs, **options)
    upstream = upstream_of(out, np.random.default_rng(3)) if upstream is None else upstream
    layer.zero_grad()
    dinputs = backward(layer, upstream, cache)
    return out, upstream, dinputs, {name: grad.copy() for name, grad in layer.grads.items()}


def assert_trees_close(actual, expected, **tolerances):
    actual, expected = floats(actual), floats(expected)
    assert len(actual) == len(expected), f"{len(actual)} arrays, expected {len(expected)}"
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerances or FLOAT64))


# The laws.


def gradients_equal_finite_differences(case):
    report = case.check()
    assert report.passed, str(report)


def calls_leave_no_trace(case):
    """Inputs, parameters and cache are unchanged; backward twice gives twice the gradient."""
    layer, inputs, options = case.build()
    before = [array.copy() for array in floats([inputs, layer.params])]
    out, cache = layer.forward(*inputs, **options)
    kept = [array.copy() for array in floats([out, cache])]
    upstream = upstream_of(out, np.random.default_rng(3))
    kept_upstream = [array.copy() for array in floats(upstream)]
    assert all((grad == 0).all() for grad in layer.grads.values()), "forward wrote into grads"
    first = backward(layer, upstream, cache)
    once = {name: grad.copy() for name, grad in layer.grads.items()}
    second = backward(layer, upstream, cache)
    assert_trees_close([inputs, layer.params], before, rtol=0, atol=0)
    assert_trees_close([out, cache], kept, rtol=0, atol=0)
    assert_trees_close(upstream, kept_upstream, rtol=0, atol=0)
    assert_trees_close(second, first, rtol=0, atol=0)
    assert_trees_close(layer.grads, {name: 2 * grad for name, grad in once.items()})


def order_of_calls_is_irrelevant(case):
    """A forward on other data between forward and backward changes nothing."""
    layer, inputs, options = case.build()
    _, _, expected, expected_grads = run(layer, inputs, options)
    _, inputs, options = case.build()
    out, cache = layer.forward(*inputs, **options)
    _, _, other_options = case.build()
    others = map_leaves(lambda leaf: leaf + 1 if getattr(leaf, "dtype", None) == np.float64 else leaf, inputs)
    layer.forward(*others, **other_options)
    layer.zero_grad()
    dinputs = backward(layer, upstream_of(out, np.random.default_rng(3)), cache)
    assert_trees_close([dinputs, layer.grads], [expected, expected_grads], rtol=0, atol=0)


def float32_stays_float32(case):
    """float32 in, float32 out, everywhere, and close to what float64 says."""
    exact = run(*case.build())
    layer, inputs, options = case.build(dtype="float32")
    options = {k: v.astype("float32") if getattr(v, "dtype", None) == np.float64 else v for k, v in options.items()}
    out, cache = layer.forward(*inputs, **options)
    layer.zero_grad()
    upstream = map_leaves(lambda leaf: leaf if leaf is None else leaf.astype("float32"), exact[1])
    dinputs = backward(layer, upstream, cache)
    for array in floats([out, cache, dinputs, layer.grads]):
        assert array.dtype == np.float32, f"{array.dtype} of shape {array.shape}"
    assert_trees_close([out, dinputs, layer.grads], [exact[0], exact[2], exact[3]], rtol=2e-3, atol=2e-4)


# Masks: the cases with lengths, without dropout (whose masks depend on the shape of the batch).


def has_lengths(case):
    return "lengths" in case.options or case.key == "seq2seq"


def rows_of(case, inputs, options, chosen, T=None):
    """The rows `chosen` of a padded batch, cut to T time steps, as inputs and options of their own."""
    if case.key == "seq2seq":
        source, lengths, y = inputs
        return (source[:T, chosen], lengths[chosen] if T is None else None, y[:, chosen]), {}
    lengths = {} if T is not None else {"lengths": options["lengths"][chosen]}
    if case.key.endswith("attention"):
        queries, hs = inputs
        return (queries[:, chosen], hs[:T, chosen]), lengths
    x, state = inputs
    return (x[:T, chosen], map_leaves(lambda h: h[chosen], state)), lengths


def outputs_of(case, out, chosen, T=None):
    """What belongs to the rows `chosen` in the outputs (or gradients of the outputs) of the whole batch."""
    if case.key == "seq2seq" or case.key.endswith("attention"):
        first, alphas = out
        return first[:, chosen], None if alphas is None else alphas[:, chosen, :T]
    hs, state = out
    return hs[:T, chosen], map_leaves(lambda h: h[chosen], state)


def evaluation(options):
    """Without dropout and without lots."""
    return {name: value for name, value in options.items() if name not in ("rng", "teacher_forcing")}


def padded_upstream(case, out, lengths):
    """A random gradient that is 0 on padding, where an unpadded row has no output."""
    upstream = upstream_of(out, np.random.default_rng(3))
    real = np.arange(max(lengths))[:, None] < lengths
    if case.key == "seq2seq" or case.key.endswith("attention"):
        dfirst, dalphas = upstream
        return dfirst, None if dalphas is None else dalphas * real.T
    dhs, dstate = upstream
    return dhs * real[:, :, None], dstate


def padded_equals_unpadded(case):
    """Each row by itself, without padding, gives its outputs and gradients; the parameters' gradients add up."""
    layer, inputs, options = case.build()
    options = evaluation(options)
    lengths = inputs[1] if case.key == "seq2seq" else options["lengths"]
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
        if case.key != "seq2seq":
            cut, _ = rows_of(case, dinputs, options, chosen, T)
            assert_trees_close(row_dinputs, cut)
            padding = dinputs[1 if case.key.endswith("attention") else 0][T:, chosen]
            assert (padding == 0).all(), "padding got a gradient"
        for name, grad in row_grads.items():
            total[name] += grad
    assert_trees_close(total, grads)


def padding_is_not_read(case):
    """Whatever stands on padding, outputs and gradients are the same."""
    layer, inputs, options = case.build()
    options = evaluation(options)
    lengths = inputs[1] if case.key == "seq2seq" else options["lengths"]
    out, _ = layer.forward(*inputs, **options)
    upstream = padded_upstream(case, out, lengths)
    expected = run(layer, inputs, options, upstream)
    where = 1 if case.key.endswith("attention") else 0
    changed = inputs[where].copy()
    for b, T in enumerate(lengths):
        changed[T:, b] = 0 if case.key == "seq2seq" else 9
    out, _, dinputs, grads = run(layer, (*inputs[:where], changed, *inputs[where + 1 :]), options, upstream)
    real = np.arange(max(lengths))[:, None] < lengths
    for b in range(len(lengths)):
        T = lengths[b]
        assert_trees_close(
            outputs_of(case, out, slice(b, b + 1), T), outputs_of(case, expected[0], slice(b, b + 1), T)
        )
    assert real.sum() == sum(lengths)
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
    if case.key != "seq2seq":
        assert_trees_close(permuted[2], rows_of(case, dinputs, options, order)[0])


ALL = (
    gradients_equal_finite_differences,
    calls_leave_no_trace,
    order_of_calls_is_irrelevant,
    float32_stays_float32,
)
MASKS = (padded_equals_unpadded, padding_is_not_read, batch_order_is_irrelevant)
