"""Chapter 07, the decoder and teacher forcing."""

import numpy as np

from ..data.vocabulary import END, PAD, START
from ..functional import softmax, tanh
from .checking import Trial, finite_differences
from .registry import exercise, question

SIZES = ((1, 1, 1, 1, 2), (4, 3, 5, 2, 6), (3, 1, 2, 4, 3), (2, 4, 3, 1, 5))  # T, B, E, H, V
NAMES = ("T", "B", "E", "H", "V")


def drawn(rng, **shapes):
    return {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}


def plain(fed, s0, E, Wx, Wh, b, Wo, bo):
    """fed (T,B) ids -> logits (T,B,V), ss (T+1,B,H)"""
    ss = [s0]
    for ids in fed:
        ss.append(tanh(E[ids] @ Wx + ss[-1] @ Wh + b))
    return np.stack(ss[1:]) @ Wo + bo, np.stack(ss)


def plain_weights(rng, B, E, H, V):
    shapes = {"s0": (B, H), "E": (V, E), "Wx": (E, H), "Wh": (H, H), "b": (H,), "Wo": (H, V), "bo": (V,)}
    return drawn(rng, **shapes)


@exercise
def decoder_backward(rng):
    """dlogits (T,B,V), fed (T,B), ss (T+1,B,H), E, Wx, Wh, Wo -> ds0 (B,H), dE (V,E), dWx, dWh, db, dWo, dbo"""
    for T, B, E, H, V in SIZES:
        arrays = plain_weights(rng, B, E, H, V)
        fed, dlogits = rng.integers(V, size=(T, B)), rng.standard_normal((T, B, V))

        def f(fed=fed, dlogits=dlogits, arrays=arrays):
            return (dlogits * plain(fed, **arrays)[0]).sum()

        _, ss = plain(fed, **arrays)
        inputs = dlogits, fed, ss, *(arrays[name] for name in ("E", "Wx", "Wh", "Wo"))
        sizes = dict(zip(NAMES, (T, B, E, H, V), strict=True))
        yield Trial(sizes, inputs, finite_differences(f, **arrays), "finite differences say")


def with_context(x, c, Wx, Wh, Wo):
    """x (T,B,E), c (B,H), the first state and told at every step -> logits (T,B,V), ss (T+1,B,H)"""
    ss, logits = [c], []
    for x_t in x:
        ss.append(tanh(np.concatenate([x_t, c], axis=1) @ Wx + ss[-1] @ Wh))
        logits.append(np.concatenate([ss[-1], c, x_t], axis=1) @ Wo)
    return np.stack(logits), np.stack(ss)


@exercise
def context_decoder_backward(rng):
    """dlogits (T,B,V), x (T,B,E), c (B,H), ss (T+1,B,H), Wx (E+H,H), Wh, Wo (2H+E,V) -> dx (T,B,E), dc (B,H)"""
    for T, B, E, H, V in SIZES:
        inputs = drawn(rng, x=(T, B, E), c=(B, H))
        weights = drawn(rng, Wx=(E + H, H), Wh=(H, H), Wo=(2 * H + E, V))
        dlogits = rng.standard_normal((T, B, V))

        def f(dlogits=dlogits, inputs=inputs, weights=weights):
            return (dlogits * with_context(**inputs, **weights)[0]).sum()

        _, ss = with_context(**inputs, **weights)
        sizes = dict(zip(NAMES, (T, B, E, H, V), strict=True))
        handed = dlogits, *inputs.values(), ss, *weights.values()
        yield Trial(sizes, handed, finite_differences(f, **inputs), "finite differences say")


@question(within=0.01, hint="What does a letter cost at best, what <end>, and over how many is the mean?")
def best_honest_loss():
    """The least mean loss of three letters out of ten, drawn at random, and <end>."""
    return float(3 * np.log(10) / 4)


@question(within=0.05, hint="What is it fed when it has to say y_t?")
def loss_of_the_copier():
    """The loss that a decoder comes near to which is fed what it should say."""
    return 0.0


@question(within=0.005, hint="In which sentences is 朋 fed by the teacher, in which by the decoder?")
def companion_with_half_a_teacher():
    """p(伴 after 朋) where 朋友 is 4, 伙伴 3 and 同伴 3 of ten sentences, at a ratio of 0.5."""
    ratio, friend, others = 0.5, 0.4, 0.6
    asked_friend = ratio * friend + (1 - ratio) * friend  # 友 is asked for after 朋: taught, and of its own
    asked_others = (1 - ratio) * others  # 伴: only where 朋 was its own guess
    return asked_others / (asked_friend + asked_others)


@exercise
def mended_feed(rng):
    """Lists of ids -> y (T,B) ids, targets (T,B) ids, padded with <pad>"""
    for lengths in ((1,), (3, 5, 5, 2), (0, 2), (4, 4), (6, 1, 3)):
        sentences = [rng.integers(4, 20, size).tolist() for size in lengths]
        T = max(lengths) + 1
        y, targets = np.full((2, T, len(sentences)), PAD)
        for b, ids in enumerate(sentences):
            y[: len(ids) + 1, b] = [START, *ids]
            targets[: len(ids) + 1, b] = [*ids, END]
        sizes = {"B": len(sentences), "longest": max(lengths)}
        yield Trial(sizes, (sentences,), {"y": y, "targets": targets})


@exercise
def inverse_sigmoid_decay(rng):
    """step, k -> the ratio k / (k + exp(step / k))"""
    for step, k in ((0, 1), (0, 50), (3, 1), (100, 60), (400, 60), (5000, 700), (100_000, 100)):
        ratio = np.exp(-np.logaddexp(0, step / k - np.log(k)))
        yield Trial({"step": step, "k": k}, (step, k), {"ratio": np.asarray(ratio)})


def soft(first, s0, T, E, Wx, Wh, b, Wo, bo):
    """The chapter's soft_decode -> logits (T,B,V), cache (first, xs, ss, ps)"""
    x, xs, ss, logits = E[first], [], [s0], []
    for _ in range(T):
        xs.append(x)
        ss.append(tanh(x @ Wx + ss[-1] @ Wh + b))
        logits.append(ss[-1] @ Wo + bo)
        x = softmax(logits[-1]) @ E
    return np.stack(logits), (first, np.stack(xs), np.stack(ss), softmax(np.stack(logits)))


@exercise
def soft_decoder_backward(rng):
    """dlogits (T,B,V), cache (first, xs, ss, ps), E, Wx, Wh, Wo -> ds0 (B,H), dE (V,E), dWx, dWh, db, dWo, dbo"""
    for T, B, E, H, V in SIZES:
        arrays = plain_weights(rng, B, E, H, V)
        first, dlogits = rng.integers(V, size=B), rng.standard_normal((T, B, V))

        def f(first=first, T=T, dlogits=dlogits, arrays=arrays):
            return (dlogits * soft(first, T=T, **arrays)[0]).sum()

        _, cache = soft(first, T=T, **arrays)
        inputs = dlogits, cache, *(arrays[name] for name in ("E", "Wx", "Wh", "Wo"))
        sizes = dict(zip(NAMES, (T, B, E, H, V), strict=True))
        yield Trial(sizes, inputs, finite_differences(f, **arrays), "finite differences say")
