"""How parameters follow their gradients: SGD with momentum, Adam, clipping, schedules.

An optimiser changes `params` in place; params and grads are dicts of arrays with the same names. Its `state` holds
for each name a dict of arrays, and `steps` is a count, so that a run can be saved and go on as if it had never stopped.
"""

from math import cos, pi

from .backend import array_module
from .contracts import expect_floats, expect_fraction, expect_positive
from .functional import row_blocks
from .layer import zeros_like


class Optimiser:
    """What optimisers share: a learning rate, the number of steps done, state arrays that start at 0."""

    slots = ()

    def __init__(self, lr):
        if not lr > 0:
            raise ValueError(f"lr (the learning rate) must be above 0, got {lr}")
        self.lr = lr
        self.steps = 0
        self.state = {}

    def update(self, params, grads):
        """One step for every parameter.

        Raises ValueError, before anything is changed, if a gradient is missing, or if it or the state does not
        fit the parameter.
        """
        for name, param in params.items():
            expect_floats(f"grads[{name!r}]", grads.get(name), param.shape, param.dtype)
            for slot, array in self.state.get(name, {}).items():
                expect_floats(f"state[{name!r}][{slot!r}]", array, param.shape, param.dtype)
        self.steps += 1
        for name, param in params.items():
            if name not in self.state:
                self.state[name] = {slot: zeros_like(param) for slot in self.slots}
            self.update_one(param, grads[name], **self.state[name])


class SGD(Optimiser):
    """Stochastic gradient descent with momentum.

    m = momentum m + g,  p = p - lr m
    Source: Polyak 1964, in PyTorch's form: lr stands outside of m.
    """

    slots = ("m",)

    def __init__(self, lr, momentum=0.0):
        super().__init__(lr)
        expect_fraction("momentum", momentum)
        self.momentum = momentum

    def update_one(self, p, g, m):
        m *= self.momentum
        m += g
        p -= self.lr * m


class Adam(Optimiser):
    """Steps of about lr in each coordinate, whatever the size of its gradient.

    m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
    p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
    Source: Kingma & Ba 2015, algorithm 1, computed in the order of the end of its §2, which saves a division.
    """

    slots = ("m", "v")

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(lr)
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {betas}")
        if not eps > 0:
            raise ValueError(f"eps must be above 0, got {eps}")
        self.betas, self.eps = betas, eps

    def update_one(self, p, g, m, v):
        b1, b2 = self.betas
        root = (1 - b2**self.steps) ** 0.5
        lr, eps = self.lr * root / (1 - b1**self.steps), self.eps * root
        xp = array_module(p)
        for block in row_blocks(p):
            m[block] *= b1
            m[block] += (1 - b1) * g[block]
            v[block] *= b2
            v[block] += (1 - b2) * (g[block] * g[block])
            step = xp.sqrt(v[block])
            step += eps
            xp.divide(m[block], step, out=step)
            step *= lr
            p[block] -= step


def global_norm(grads):
    """The length of all gradients as one vector, sqrt(sum g^2).  -> ()"""
    if not grads:
        raise ValueError("grads is empty; it must hold at least one gradient")
    flat = [grad.reshape(-1) for grad in grads.values()]
    # Block by block: a sum of millions of float32 numbers loses digits.
    squares = [grad[block] @ grad[block] for grad in flat for block in row_blocks(grad)]
    return array_module(flat[0]).sqrt(sum(squares))


def clip_by_global_norm(grads, max_norm):
    """Shorten all gradients together, in place, if their norm exceeds max_norm; returns the norm before.

    g = g min(1, max_norm / (norm + 1e-6))
    Source: Pascanu et al. 2013, §3.2; the 1e-6 is PyTorch's.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}")
    norm = global_norm(grads)
    scale = array_module(norm).minimum(max_norm / (norm + 1e-6), 1.0)
    for grad in grads.values():
        grad *= scale
    return norm


def warmup(steps):
    """A schedule: the share of the learning rate grows evenly from 0 to 1 in `steps` steps.  step -> factor"""
    expect_positive(steps=steps)
    return lambda step: min(1.0, (step + 1) / steps)


def halving(first, every):
    """A schedule: 1 for `first` steps, then halved at once and every `every` steps.  step -> factor

    Source: Sutskever et al. 2014, §3.4.
    """
    expect_positive(every=every)
    return lambda step: 0.5 ** (0 if step < first else 1 + (step - first) // every)


def cosine(steps, floor=0.0):
    """A schedule: from 1 to `floor` along half a cosine wave in `steps` steps.  step -> factor

    Source: Loshchilov & Hutter 2017, §3.
    """
    expect_positive(steps=steps)
    expect_fraction("floor", floor)
    return lambda step: floor + (1 - floor) * (1 + cos(pi * min(1.0, step / steps))) / 2
