"""Errors planted in the library's source on purpose: the laws must catch each one, and pass the healthy code.

A law that nothing can break proves nothing. Each row below is a mistake that people make when they write
these layers by hand: what it is, the healthy code, the broken code, and the law that must see it (where none
is named, the gradient check).
"""

import ast
import compileall
import importlib
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, NamedTuple

import laws
import numpy as np
import pytest

import minis2s

PACKAGE = Path(minis2s.__file__).parent
COPY = "minis2s_with_a_planted_error"

# The rows of the table of cases that are put before the laws, by family of errors.
FAMILIES = {
    "rnn": ("rnn",),
    "lstm": ("lstm",),
    "gru": ("gru",),
    "bidirectional": ("bidirectional",),
    "stack": ("stack",),
    "attention": ("additive attention",),
    "cross-entropy": ("cross-entropy",),
    "mean squared error": ("mean squared error",),
    "linear": ("linear",),
    "embedding": ("embedding",),
    "dropout": ("dropout",),
    "seq2seq": ("seq2seq",),
    "own guesses": ("seq2seq",),
}

GRADIENTS = laws.gradients_equal_finite_differences
TRACE = laws.calls_leave_no_trace
ORDER = laws.order_of_calls_is_irrelevant
FLOAT32 = laws.float32_stays_float32
PADDED = laws.padded_equals_unpadded
NOT_READ = laws.padding_is_not_read
BATCH = laws.batch_order_is_irrelevant


class Error(NamedTuple):
    family: str
    file: str
    what: str
    healthy: str  # stands in the file exactly once
    broken: str
    law: Any = GRADIENTS  # the one that must catch it

    def __str__(self):
        return f"{self.family}: {self.what}"


def errors(family, file, *rows):
    return [Error(family, file, *row) for row in rows]


# fmt: off
PLANTED = [
    *errors(
        "rnn", "nn/rnn.py",
        ("no tanh in forward", "h = tanh(a)", "h = a"),
        ("no derivative of tanh", "return tanh_backward(dh, cache.h)", "return dh"),
        ("derivative of tanh at h, not at a", "tanh_backward(dh, cache.h)",
         "tanh_backward(dh, tanh(cache.h))"),
        ("derivative from the input, not the output", "RNNCache(h)", "RNNCache(a)"),
        ("wrong sign", "return tanh_backward", "return -tanh_backward"),
        ("dh not passed on to the step before", "(self.preactivate_backward(da),)", "(0 * da,)"),
    ),
    *errors(
        "rnn", "nn/recurrent.py",
        ("Wh transposed in forward", 'a = h_prev @ self.params["Wh"]', 'a = h_prev @ self.params["Wh"].T'),
        ("Wh not transposed in backward", 'da @ self.params["Wh"].T', 'da @ self.params["Wh"]'),
        ("dWh transposed", "rows(h_prevs).T @ rows(dxas)", "rows(dxas).T @ rows(h_prevs)"),
        ("dWh overwritten", 'self.grads["Wh"] += rows', 'self.grads["Wh"][...] = rows', TRACE),
        ("dWx overwritten", 'self.grads["Wx"] += rows', 'self.grads["Wx"][...] = rows', TRACE),
        ("dWx is a mean over rows", "rows(x).T @ rows(dxas)", "rows(x).T @ rows(dxas) / len(rows(x))"),
        ("db missing", 'self.grads["b"] += rows(dxas).sum(axis=0)', "pass"),
        ("db is a mean over rows", "rows(dxas).sum(axis=0)", "rows(dxas).mean(axis=0)"),
        ("no bias in forward", 'xa += self.params["b"]', "pass"),
        ("h_t cached for h_{t-1}", "RecurrentCache(x, h_prevs,", "RecurrentCache(x, hs,"),
        ("h_{t-1} of the reverse layer shifted", "(h_all[1:], h_all[:-1]) if", "(h_all[:-1], h_all[1:]) if"),
        ("backward runs forward in time", "for t in reversed(self.times(T)):", "for t in self.times(T):"),
        ("dhs only at the last step", "dstate = (dstate[0] + dhs[t],", "dstate = (dstate[0],"),
        ("dh of step t + 1 lost where dhs is added", "(dstate[0] + dhs[t],", "(dhs[t],"),
        ("dhs of the wrong time", "dstate[0] + dhs[t]", "dstate[0] + dhs[t - 1]"),
        ("dhs added into the caller's dstateT", "dstate = (dstate[0] + dhs[t], *dstate[1:])",
         "dstate[0][...] += dhs[t]", TRACE),
        ("state0 ignored in forward", 'if state0 is None else self.check_state("state0", state0, B)', ""),
        ("dstateT ignored", 'if dstateT is None else self.check_state("dstateT", dstateT, B)', ""),
        ("dstate0 not returned", "self.project_backward(dxas), dstate",
         "self.project_backward(dxas), self.zero_state(x)"),
        ("no mask in forward", "after if t < shortest else carry(active[t], after, state)", "after"),
        ("no mask at all", "int(lengths.min())", "T", PADDED),
        ("unmasked for one step too many", "int(lengths.min())", "int(lengths.min()) + 1", NOT_READ),
        ("mask inverted in forward", "where(active, a, b)", "where(active, b, a)"),
        ("mask inverted in both", "length_mask(lengths, T)[:, :, None]",
         "~length_mask(lengths, T)[:, :, None]", PADDED),
        ("padding gets a gradient", "tuple(d * active for d in dstate)", "dstate"),
        ("carried gradient lost on padding", "tuple(d + carried for", "tuple(d for"),
        ("carried gradient doubled", "d * ~active for d", "d for d"),
        ("states are float64", "xp.empty((T + 1, B, H), dtype=x.dtype)", "xp.empty((T + 1, B, H))", FLOAT32),
        ("dxas are float64", '.empty((T, B, self.params["b"].size), dtype=x.dtype)',
         '.empty((T, B, self.params["b"].size))', FLOAT32),
        ("states in a buffer of the layer", "h_all = xp.empty((T + 1, B, H), dtype=x.dtype)",
         'h_all = vars(self).setdefault("buffer", xp.empty((T + 1, B, H), dtype=x.dtype))', ORDER),
    ),
    *errors(
        "rnn", "functional.py",
        ("square lost in the derivative of tanh", "return dy * (1 - y * y)", "return dy * (1 - y)"),
        ("derivative of tanh written into the cache", "return dy * (1 - y * y)",
         "y *= y\n    return dy * (1 - y)", TRACE),
        ("mask one step too long", "[:, None] < lengths", "[:, None] <= lengths", PADDED),
    ),
    *errors(
        "lstm", "nn/lstm.py",
        ("i and f swapped in forward alone", "H = c_prev.shape[1]",
         "H = c_prev.shape[1]\n    a = a[:, [*range(H, 2 * H), *range(H), *range(2 * H, 4 * H)]]"),
        ("i and f swapped in backward alone", "[da_i, da_f, da_g, da_o]", "[da_f, da_i, da_g, da_o]"),
        ("g and o swapped in backward alone", "[da_i, da_f, da_g, da_o]", "[da_i, da_f, da_o, da_g]"),
        ("i and f swapped in the cache", "LSTMCache(c_prev, i, f,", "LSTMCache(c_prev, f, i,"),
        ("c_t cached for c_{t-1}", "LSTMCache(c_prev, i,", "LSTMCache(c, i,"),
        ("c cached for tanh(c)", "g, o, tanh_c)", "g, o, c)"),
        ("no input gate in forward", "f * c_prev + i * g", "f * c_prev + g"),
        ("no tanh of c in forward", "h = o * tanh_c", "h = o * c"),
        ("dc of step t + 1 lost", "dc = dc + tanh_backward(", "dc = tanh_backward("),
        ("dh does not reach c", "dc = dc + tanh_backward(dh * o, tanh_c)", "pass"),
        ("no derivative of tanh(c)", "tanh_backward(dh * o, tanh_c)", "dh * o"),
        ("output gate lost on the way to c", "tanh_backward(dh * o, tanh_c)", "tanh_backward(dh, tanh_c)"),
        ("do without tanh(c)", "do = dh * tanh_c", "do = dh"),
        ("df with f for c_{t-1}", "df = dc * c_prev", "df = dc * f"),
        ("di with i for g", "di = dc * g", "di = dc * i"),
        ("dg with f for i", "dg = dc * i", "dg = dc * f"),
        ("forget gate lost in dc", "dc_prev = dc * f", "dc_prev = dc"),
        ("dc not passed on", "dc_prev = dc * f", "dc_prev = 0 * dc"),
        ("dh not passed on", "self.preactivate_backward(da), dc_prev", "0 * dh, dc_prev"),
        ("tanh's derivative for a sigmoid", "da_o = sigmoid_backward(do, o)", "da_o = tanh_backward(do, o)"),
        ("sigmoid's derivative for the tanh", "tanh_backward(dg, g)", "sigmoid_backward(dg, g)"),
        ("no derivative of the forget gate", "sigmoid_backward(df, f)", "df"),
        ("wrong sign of the input gate", "da_i = sigmoid_backward", "da_i = -sigmoid_backward"),
        ("dc added into the caller's array", "dc = dc + tanh_backward", "dc += tanh_backward", TRACE),
        ("c_t written over c_{t-1}", "c = f * c_prev + i * g", "c = c_prev\n    c *= f\n    c += i * g",
         TRACE),
        ("a float64 constant in the cell", "c = f * c_prev + i * g",
         "c = f * c_prev + i * g * array_module(a).float64(1)", FLOAT32),
    ),
    *errors(
        "lstm", "nn/recurrent.py",
        ("h is carried over padding, c is not",
         "tuple(where(active, a, b) for a, b in zip(after, before, strict=True))",
         "(where(active, after[0], before[0]), *after[1:])"),
        ("dh is carried over padding, dc is not", "tuple(d * ~active for d in dstate)",
         "(dstate[0] * ~active, *(0 * d for d in dstate[1:]))"),
        ("dcT ignored", "for t in reversed(self.times(T)):",
         "dstate = (dstate[0], *self.zero_state(x)[1:])\n        for t in reversed(self.times(T)):"),
    ),
    *errors(
        "lstm", "functional.py",
        ("1 - y lost in the derivative of sigmoid", "return dy * y * (1 - y)", "return dy * y"),
        ("y lost in the derivative of sigmoid", "return dy * y * (1 - y)", "return dy * (1 - y)"),
        ("a float64 constant in sigmoid", "y = 0.5 * x", "y = array_module(x).float64(0.5) * x", FLOAT32),
    ),
    *errors(
        "gru", "nn/gru.py",
        ("z and 1 - z swapped in forward alone", "n + z * (h_prev - n)", "h_prev + z * (n - h_prev)"),
        ("z and 1 - z swapped in backward alone", "dh * (1 - z), dh * (h_prev - n), dh * z",
         "dh * z, dh * (h_prev - n), dh * (1 - z)"),
        ("1 - z lost in dn", "return dh * (1 - z),", "return dh,"),
        ("wrong sign of dz", "dh * (h_prev - n), dh", "dh * (n - h_prev), dh"),
        ("n lost in dz", "dh * (h_prev - n), dh", "dh * h_prev, dh"),
        ("direct way to h_{t-1} lost", "dh * (h_prev - n), dh * z", "dh * (h_prev - n), 0 * dh"),
        ("new state written over the cached n", "return n + z * (h_prev - n)",
         "n += z * (h_prev - n)\n    return n"),
        ("no derivative of tanh", "da_n = tanh_backward(dn, n)", "da_n = dn"),
        ("r and z swapped in forward alone", "gates[:, : H2 // 2], gates[:, H2 // 2 :]",
         "gates[:, H2 // 2 :], gates[:, : H2 // 2]"),
        ("r and z swapped in backward alone", "[sigmoid_backward(dr, r), sigmoid_backward(dz, z)]",
         "[sigmoid_backward(dz, z), sigmoid_backward(dr, r)]"),
        ("reset gate not used in forward", "xa[:, 2 * H :] + r * m)", "xa[:, 2 * H :] + m)"),
        ("bh not used in forward", 'm = ha[:, 2 * H :] + self.params["bh"]', "m = ha[:, 2 * H :]"),
        ("reset gate lost in dm", "dm = da_n * r", "dm = da_n"),
        ("dr from h_{t-1}, as if reset before", "gru_gates_backward(da_n * m,",
         "gru_gates_backward(da_n * h_prev,"),
        ("dh_{t-1} without the reset gate", "concatenate([da_rz, dm], axis=1) @",
         "concatenate([da_rz, da_n], axis=1) @"),
        ("dh_{t-1} overwritten, reset after", "dh_prev += xp.concatenate", "dh_prev = xp.concatenate"),
        ("dh_{t-1} overwritten, reset before", "dh_prev += drm * r", "dh_prev = drm * r"),
        ("way through the gates lost", "dh_prev += da_rz @ Wh[:, : 2 * H].T", "pass"),
        ("reset gate lost in dh_{t-1}", "dh_prev += drm * r", "dh_prev += drm"),
        ("dr with r for h_{t-1}", "gru_gates_backward(drm * m,", "gru_gates_backward(drm * r,"),
        ("Wh_n transposed in forward", "(r * m) @ Wh[:, 2 * H :]", "(r * m) @ Wh[:, 2 * H :].T"),
        ("Wh_n not transposed in backward", "da_n @ Wh[:, 2 * H :].T", "da_n @ Wh[:, 2 * H :]"),
        ("h_{t-1} reset in place", "n = tanh(xa[:, 2 * H :] + (r * m) @",
         "m *= r\n            n = tanh(xa[:, 2 * H :] + m @", TRACE),
        ("dWh_n without the reset gate, after", "rows(h_prevs).T @ dm", "rows(h_prevs).T @ da_n"),
        ("dWh_n without the reset gate, before", "rows(rs * h_prevs).T", "rows(h_prevs).T"),
        ("reset gates of the wrong time", "cache.r for cache in caches]",
         "cache.r for cache in caches[::-1]]"),
        ("dWh of the gates overwritten", '["Wh"][:, : 2 * H] += rows', '["Wh"][:, : 2 * H] = rows', TRACE),
        ("dbh missing", 'self.grads["bh"] += dm.sum(axis=0)', "pass"),
        ("dbh is a mean over rows", "+= dm.sum(axis=0)", "+= dm.mean(axis=0)"),
        ("dbh without the reset gate", "+= dm.sum(axis=0)", "+= da_n.sum(axis=0)"),
        ("dbh overwritten", 'self.grads["bh"] += dm', 'self.grads["bh"][...] = dm', TRACE),
        ("a float64 constant in the mixture", "return n + z * (h_prev - n)",
         "return n + z * (h_prev - n) * array_module(n).float64(1)", FLOAT32),
    ),
    *errors(
        "bidirectional", "nn/stack.py",
        ("dx of one direction only", "dx += dx_back", "pass"),
        ("dx of one direction overwritten", "dx += dx_back", "dx = dx_back"),
        ("halves of dhs swapped", "(dhs[:, :, :H], dhs[:, :, H:])", "(dhs[:, :, H:], dhs[:, :, :H])"),
        ("halves of hs swapped in forward", "concatenate([ahead, back], axis=2)",
         "concatenate([back, ahead], axis=2)"),
        ("first states swapped", "return dx, (dahead0, dback0)", "return dx, (dback0, dahead0)"),
        ("dstateT of one direction for both", "self.right_to_left.backward(dback, dback_T,",
         "self.right_to_left.backward(dback, dahead_T,"),
        ("no lengths on the way back", "self.right_to_left.forward(x, back0, lengths)",
         "self.right_to_left.forward(x, back0)", PADDED),
    ),
    *errors(
        "stack", "nn/stack.py",
        ("dropout not undone in backward", "dx = self.dropout.backward(dx, cache.dropouts[index - 1])",
         "pass"),
        ("dropout missing in forward alone", "x, cache = self.dropout.forward(x, rng)",
         "_, cache = self.dropout.forward(x, rng)"),
        ("first states in reverse order", "dstates0.insert(0, dstate0)", "dstates0.append(dstate0)"),
        ("last states of the wrong layer", "dstateT is None else dstateT[index]",
         "dstateT is None else dstateT[0]"),
        ("last states ignored", "dstate = None if dstateT is None else dstateT[index]", "dstate = None"),
        ("no lengths above the first layer", "None if state0 is None else state0[index], lengths)",
         "None if state0 is None else state0[index], lengths if index == 0 else None)", PADDED),
    ),
    *errors(
        "attention", "nn/attention.py",
        ("no mask at all", "softmax(scores, mask=memory.mask)", "softmax(scores)", NOT_READ),
        ("mask after the softmax", "softmax(scores, mask=memory.mask)",
         "softmax(scores) * (1 if memory.mask is None else memory.mask)", PADDED),
        ("mask of the batch in reverse order", "length_mask(lengths, S).T", "length_mask(lengths[::-1], S).T",
         BATCH),
        ("dalphas dropped", "dweights = dweights + dalphas", "pass"),
        ("dalphas in place of the context's share", "dweights = dweights + dalphas", "dweights = dalphas"),
        ("dweights added into the caller's dalphas", "dweights = dweights + dalphas",
         "dalphas += dweights\n            dweights = dalphas", TRACE),
        ("no derivative of the softmax", "dscores = softmax_backward(dweights, alphas)",
         "dscores = dweights"),
        ("h_i as value lost", "dhs += self.values_backward(dcontexts, cache.attend.alphas)", "pass"),
        ("h_i as key lost", "dhs += self.values_backward(", "dhs = self.values_backward("),
        ("sign of the value's share", "dhs += self.values_backward(", "dhs -= self.values_backward("),
    ),
    *errors(
        "attention", "nn/additive.py",
        ("keys' gradient lost", 'return (rows(dkeys) @ self.params["U"].T)',
         'return 0 * (rows(dkeys) @ self.params["U"].T)'),
        ("query's gradient lost", 'return (rows(dq) @ self.params["W"].T)',
         'return 0 * (rows(dq) @ self.params["W"].T)'),
        ("dq is a mean over the source", "dq = da.sum(axis=1)", "dq = da.mean(axis=1)"),
        ("dkeys of the last query only", "dkeys = da.sum(axis=0)", "dkeys = da[-1]"),
        ("no derivative of tanh", 'tanh_backward(dscores[..., None] * self.params["v"], z)',
         'dscores[..., None] * self.params["v"]'),
        ("v lost on the way down", 'dscores[..., None] * self.params["v"]', "dscores[..., None] + 0 * z"),
        ("wrong sign between query and key", "q[:, None] + keys[None]", "q[:, None] - keys[None]"),
        ("no bias in forward", 'keys += self.params["b"]', "pass"),
        ("db missing", 'self.grads["b"] += rows(dkeys).sum(axis=0)', "pass"),
        ("db is a mean over rows", "rows(dkeys).sum(axis=0)", "rows(dkeys).mean(axis=0)"),
        ("dU overwritten", 'self.grads["U"] += rows', 'self.grads["U"][...] = rows', TRACE),
        ("dW overwritten", 'self.grads["W"] += rows', 'self.grads["W"][...] = rows', TRACE),
        ("dv overwritten", 'self.grads["v"] += dscores', 'self.grads["v"][...] = dscores', TRACE),
        ("dW missing", 'self.grads["W"] += rows(queries).T @ rows(dq)', "pass"),
        ("activations in a buffer of the layer", "z = tanh(q[:, None] + keys[None])",
         'z = vars(self).setdefault("z", q[:, None] + keys[None])\n'
         "        z[...] = tanh(q[:, None] + keys[None])", ORDER),
    ),
    *errors(
        "attention", "functional.py",
        ("softmax's gradient without the inner product",
         "return y * (dy - (dy * y).sum(axis=axis, keepdims=True))", "return y * dy"),
        ("inner product is a mean", "(dy - (dy * y).sum(", "(dy - (dy * y).mean("),
        ("inner product over the wrong axis", "(dy * y).sum(axis=axis", "(dy * y).sum(axis=0"),
        ("softmax's gradient as if elementwise", "return y * (dy - (dy * y).sum(axis=axis, keepdims=True))",
         "return dy * y * (1 - y)"),
        ("softmax over the wrong axis", "y /= y.sum(axis=axis", "y /= y.sum(axis=0"),
        ("weight of padding small, not 0", "LOWEST = -1e30", "LOWEST = -10.0", PADDED),
        ("mask one position too long", "[:, None] < lengths", "[:, None] <= lengths", NOT_READ),
        ("scores masked with a float64 number", "xp.where(mask, x, LOWEST)",
         "xp.where(mask, x, xp.float64(LOWEST))", FLOAT32),
    ),
    *errors(
        "cross-entropy", "nn/losses.py",
        ("wrong sign in forward", "nll = log_total - xp", "nll = log_total + xp"),
        ("softmax without its denominator", "xp.exp(logits - log_total[..., None])", "xp.exp(logits)"),
        ("target not taken off", "targets.reshape(-1)] -= 1", "targets.reshape(-1)] -= 0"),
        ("target added", "targets.reshape(-1)] -= 1", "targets.reshape(-1)] += 1"),
        ("target of the position before", "targets.reshape(-1)] -= 1",
         "xp.roll(targets.reshape(-1), 1)] -= 1"),
        ("time and batch of the targets swapped", "targets.reshape(-1)] -= 1", "targets.T.reshape(-1)] -= 1"),
        ("dloss lost", "dlogits *= (dloss * scale)", "dlogits *= scale"),
        ("sum for mean in backward", "dlogits *= (dloss * scale)", "dlogits *= (dloss * (scale > 0))"),
        ("sum for mean in forward", "return (scale * nll).sum()", "return (counted * nll).sum()"),
        ("divided by the number of tokens once more", "dlogits *= (dloss * scale)",
         "dlogits *= (dloss * scale / targets.size)"),
        ("wrong sign in backward", "dlogits *= (dloss * scale)", "dlogits *= (-dloss * scale)"),
        ("ignore_index ignored in forward", "return (scale * nll).sum()", "return nll.mean()"),
        ("ignored targets get a gradient", "CrossEntropyCache(logits, log_total, targets, scale)",
         "CrossEntropyCache(logits, log_total, targets, xp.maximum(scale, scale.max()))"),
        ("denominator counts padding in backward", "CrossEntropyCache(logits, log_total, targets, scale)",
         "CrossEntropyCache(logits, log_total, targets, counted / targets.size)"),
        ("weights forgotten in backward", "CrossEntropyCache(logits, log_total, targets, scale)",
         "CrossEntropyCache(logits, log_total, targets, (scale > 0) / max((scale > 0).sum(), 1))"),
        ("logits shifted in place", "dlogits = xp.exp(logits - log_total[..., None])",
         "logits -= log_total[..., None]\n        dlogits = xp.exp(logits)", TRACE),
        ("gradient written over the cached scale", "dlogits *= (dloss * scale)[..., None]",
         "scale *= dloss\n        dlogits *= scale[..., None]", TRACE),
        ("log of the sum in a buffer of the layer", "log_total = logsumexp(logits)",
         'log_total = vars(self).setdefault("log_total", logsumexp(logits))\n'
         "        log_total[...] = logsumexp(logits)", ORDER),
        ("counts are float64", "xp.ones(targets.shape, dtype=logits.dtype)", "xp.ones(targets.shape)",
         FLOAT32),
    ),
    *errors(
        "cross-entropy", "functional.py",
        ("maximum not added again", "total = largest + xp.log", "total = xp.log"),
        ("maximum of the whole batch for its own row's", "total = largest + xp.log",
         "total = x.max() + xp.log"),
    ),
    *errors(
        "mean squared error", "nn/losses.py",
        ("factor 2 lost", "dy = 2 * dloss", "dy = dloss"),
        ("scale lost", "dloss * cache.scale * cache", "dloss * cache"),
        ("target's gradient without its sign", "return dy, -dy", "return dy, dy"),
        ("difference the other way round", "difference = y - target", "difference = target - y"),
        ("difference written over y", "difference = y - target",
         "difference = y\n        difference -= target", TRACE),
    ),
    *errors(
        "linear", "nn/linear.py",
        ("db missing", 'self.grads["b"] += rows(dy).sum(axis=0)', "pass"),
        ("db of the last row only", "rows(dy).sum(axis=0)", "rows(dy)[-1]"),
        ("no bias in forward", 'y += self.params["b"]', "pass"),
        ("dW is a mean over rows", "rows(x).T @ rows(dy)", "rows(x).T @ rows(dy) / len(rows(x))"),
        ("dW overwritten", 'self.grads["W"] += rows', 'self.grads["W"][...] = rows', TRACE),
        ("wrong sign of dx", "return (rows(dy) @ self", "return -(rows(dy) @ self"),
    ),
    *errors(
        "embedding", "nn/embedding.py",
        ("repeated ids add up only once", 'scatter_add(self.grads["W"], ids.reshape(-1), rows(dx))',
         'self.grads["W"][ids] += dx'),
        ("padding's row gets a gradient", "dx = dx * real", "pass"),
        ("padding not 0 in forward", "x *= real", "pass"),
        ("gradient of padding zeroed in the caller's array", "dx = dx * real", "dx *= real", TRACE),
        ("dW overwritten", "scatter_add(self.grads",
         'self.grads["W"][...] = 0\n        scatter_add(self.grads', TRACE),
        ("dW is a mean over positions", "rows(dx))", "rows(dx) / len(rows(dx)))"),
    ),
    *errors(
        "embedding", "backend.py",
        ("only the first of repeated ids", "range(min(RANKS, int(counts.max())))", "range(1)"),
    ),
    *errors(
        "dropout", "nn/dropout.py",
        ("mask not applied in backward", "return dy * cache.mask", "return dy"),
        ("another mask in backward", "DropoutCache(mask)", "DropoutCache(keep_mask(rng, x, 1 - self.p))"),
        ("1 / (1 - p) lost in forward alone", "return x * mask,", "return x * (mask > 0),"),
        ("1 / (1 - p) twice in backward", "dy * cache.mask", "dy * cache.mask / (1 - self.p)"),
        ("input silenced in place", "return x * mask,", "x *= mask\n        return x,", TRACE),
        ("gradient silenced in place", "dy * cache.mask", "dy.__imul__(cache.mask)", TRACE),
        ("output is float64", "return x * mask,", 'return x * mask.astype("float64"),', FLOAT32),
    ),
    *errors(
        "seq2seq", "models/bridge.py",
        ("bridge: no tanh in forward", "state.append(tanh(a))", "state.append(a)"),
        ("bridge: no derivative of tanh", "layer.backward(tanh_backward(d, s), cache)",
         "layer.backward(d, cache)"),
        ("bridge: directions swapped in backward", "(dpair[:, :half], dpair[:, half:])",
         "(dpair[:, half:], dpair[:, :half])"),
    ),
    *errors(
        "seq2seq", "models/attention_decoder.py",
        ("the query's gradient lost", "(dh + dquery, *rest)", "(dh, *rest)"),
        ("the query's gradient alone", "(dh + dquery, *rest)", "(dquery, *rest)"),
        ("query is the first state throughout", "attend(states[-1][0][None], memory)",
         "attend((ss or [states[-1][0]])[0][None], memory)"),
        ("context's way into the cell lost", "dcontexts[t] += self", "self"),
        ("context's way into the output lost", "dcontexts[t] += self", "dcontexts[t] = self"),
        ("keys' gradient of the first step only", "dkeys = dkeys + dk", "dkeys = dk"),
        ("h_i as value lost", "return dhs + self.attention.project_keys_backward(dkeys, cache)",
         "return self.attention.project_keys_backward(dkeys, cache)"),
        ("h_i as key lost", "return dhs + self.attention.project_keys_backward(dkeys, cache)", "return dhs"),
        ("dalphas dropped", "None if dalphas is None else dalphas[t : t + 1]", "None"),
        ("dC missing", "self.context_input.weight_gradients(contexts, dxa)", "pass"),
        ("dalphas of the step before", "dalphas[t : t + 1]", "dalphas[t - 1 :][:1]"),
        ("no gradient of the first states", "project_backward(dxa), dstates,",
         "project_backward(dxa), self.rnn.zero_state(x),"),
    ),
    *errors(
        "seq2seq", "models/decoder.py",
        ("dropout not undone", "self.dropout.backward(dx, dropout_cache)", "dx"),
    ),
    *errors(
        "own guesses", "models/decoder.py",
        ("state's gradient stops between two runs", "run_dalphas, dstates, run_cache",
         "run_dalphas, None, run_cache"),
        ("memory's gradient of one run only", "tuple(d + e for", "tuple(e for"),
        ("runs backward in the order of forward", "in reversed(cache.runs)", "in cache.runs"),
        ("dlogits of the first run for all", "self.run_backward(dfeatures[start:stop],",
         "self.run_backward(dfeatures[: stop - start],"),
        ("dalphas of the first run for all", "dalphas is None else dalphas[start:stop]",
         "dalphas is None else dalphas[: stop - start]"),
        ("first states instead of the last run's", "self.run(x, states, memory, rng)\n            features.",
         "self.run(x, states0, memory, rng)\n            features."),
    ),
    *errors(
        "seq2seq", "models/encoder.py",
        ("dropout not undone in the encoder", "self.dropout.backward(dx, cache.dropout)", "dx"),
        ("gradient of the last states lost", "self.rnn.backward(dhs, dstates, cache.rnn)",
         "self.rnn.backward(dhs, None, cache.rnn)"),
    ),
    *errors(
        "seq2seq", "models/seq2seq.py",
        ("gradient of all states lost", "self.encoder.backward(dhs, dstates,",
         "self.encoder.backward(None, dstates,"),
        ("no mask in the decoder's attention", "encoded.states, encoded.hs, lengths,",
         "encoded.states, encoded.hs, None,", PADDED),
        ("no mask in the encoder", "self.encoder.forward(source, lengths, rng)",
         "self.encoder.forward(source, None, rng)", PADDED),
    ),
    *errors(
        "seq2seq", "nn/stack.py",
        ("h on top used once, in a decoder's step", "(dh + dh_state, *rest)", "(dh_state, *rest)"),
        ("h_t for h_{t-1} in a decoder's step", "[layer_state[0] for layer_state in state]",
         "[layer_state[0] for layer_state in after]"),
        ("dropout not undone in a decoder's step", "self.dropout.backward(layer.project_backward(dxa),",
         "(lambda dy, cache: dy)(layer.project_backward(dxa),"),
        ("inputs of the wrong time in a decoder's layer", "[cache.inputs[index - 1] for cache in caches]",
         "[cache.inputs[index - 1] for cache in caches[::-1]]"),
    ),
]
# fmt: on


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A copy of the package under another name, made once -> its directory"""
    directory = tmp_path_factory.mktemp("planted") / COPY
    shutil.copytree(PACKAGE, directory, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    # Known by their hash: by time and size, a line changed within a second would not be compiled anew.
    compileall.compile_dir(directory, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    sys.path.insert(0, str(directory.parent))
    yield directory
    sys.path.remove(str(directory.parent))
    forget()


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == COPY]:
        del sys.modules[name]


def load(family):
    """Import the copy afresh, whatever its files say now -> the family's cases"""
    forget()
    cases = importlib.import_module(f"{COPY}.cases").cases
    found = [case for key in FAMILIES[family] for case in cases(key)]
    if family == "own guesses":  # at every step, so that every step is a run by itself
        return [replace(case, options={**case.options, "teacher_forcing": 0.0}) for case in found]
    return found


@contextmanager
def planted(library, error):
    path = library / error.file
    source = path.read_text(encoding="utf-8")
    count = source.count(error.healthy)
    assert count == 1, f"stale row '{error}': {error.file} holds {error.healthy!r} {count} times, not once"
    path.write_text(source.replace(error.healthy, error.broken), encoding="utf-8")
    try:
        yield load(error.family)
    finally:
        path.write_text(source, encoding="utf-8")


def applies(law, case):
    return law not in laws.MASKS or laws.has_lengths(case)


def breaks(law, case):
    """Only an AssertionError is a verdict of the law: code that crashes by itself proves nothing about it."""
    try:
        law(case)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("error", PLANTED, ids=str)
def test_planted_error_is_caught(error, library):
    with planted(library, error) as cases, np.errstate(all="ignore"):
        assert any(breaks(error.law, case) for case in cases if applies(error.law, case))


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_code_passes_every_law(family, library):
    for case in load(family):
        assert type(case.build()[0]).__module__.startswith(COPY)
        for law in laws.ALL + laws.MASKS:
            if applies(law, case):
                law(case)


def test_every_law_has_an_error_to_catch():
    assert {error.law for error in PLANTED} == set(laws.ALL + laws.MASKS)


def test_the_errors_differ():
    assert {error.family for error in PLANTED} == set(FAMILIES)
    assert len({str(error) for error in PLANTED}) == len(PLANTED)
    assert all(error.healthy != error.broken for error in PLANTED)


def test_the_package_imports_itself_relatively():
    """Or the copy would use the healthy original."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            else:
                continue
            roots = [name.partition(".")[0] for name in names]
            assert PACKAGE.name not in roots, f"{path.name}:{node.lineno}"
