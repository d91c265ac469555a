# %% [markdown]
r"""
# 13 · The same code on a GPU

圖形處理器 · 图形处理器 · graphics processing unit

Not a line of the twelve chapters before this one says where it is computed. That was on purpose: the library asks
every array where it lies, and computes there. So one switch moves a whole model to a GPU, `model.to("gpu")`, or
`--device gpu` on the command line. This chapter is about what stands behind the switch, what it costs, and what
may go wrong without a word.

At the end of it you will have written a small device of your own, on which the library runs unchanged; you
will have counted what a training step asks of a GPU, and made it about a quarter; and you will know which
numbers of two devices must agree, and how well. You need no GPU for any of it. Where there is one, the cells
that say `DEVICE` use it.

**What has not been tried.** No GPU was at hand when this was written, and nothing of the library has yet been
run on a real one. What stands behind this chapter is: counts, which you will see being made; CuPy's own
documentation, and the names in CuPy 14.2, looked up without a GPU; the tests of the library, which run it on
a strict stand-in for CuPy's arrays. (With this in CuPy's place the cells that say `DEVICE` have been run,
too.) What is said of speed is worked out from counts and data sheets, and measured nowhere.
"""

# %%
import inspect
import math
from collections import Counter
from functools import partial

import numpy as np

from minis2s import backend
from minis2s.backend import array_module, device_of, fused, map_tree, to_device, to_numpy
from minis2s.data.batches import Batch, Example, make_batch
from minis2s.doctor import facts
from minis2s.exercises import check
from minis2s.layer import Layer
from minis2s.models import Seq2Seq, document
from minis2s.nn import LSTM, SelfAttention, SoftmaxCrossEntropy
from minis2s.nn.recurrent import Recurrent
from minis2s.optim import Adam, clip_by_global_norm
from minis2s.packed import Packed
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing, logarithmic
from minis2s.training import Trainer

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 003 (简) | 8. 总结：未来发展趋势与挑战 | 计算资源的需求: good models need much computing | how much, counted; and of what a GPU is short |
| 003 (简) | 8. 总结：未来发展趋势与挑战 | 更高效的注意力机制: self-attention will be more efficient | in which sense it is, and up to which length |
| 004 (简) | Seq2Seq 模型的实现 | `device`, `.to(self.device)` | where everything else stays |
| 004 (简) | Seq2Seq 模型的实现 | `loss.item()` at every step | whom it keeps waiting |
| 003 (简) | 5.1 编码器实现 | `initHidden` makes zeros | where it makes them |
| 002 (简) | 5.3 代码示例：Self-Attention层 | `self.scale`, a tensor | why it does not go along |

It comes after chapter 12, in which the same models are run by PyTorch, and it is the last one. Of the chapters
before, it needs the LSTM (3) and the training step of document 004 (2, 7).
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 圖形處理器 | 图形处理器 | graphics processing unit, GPU |
| 中央處理器 | 中央处理器 | central processing unit, CPU |
| 主機 | 主机 | host: the CPU and its memory |
| 裝置 | 设备 | device: the GPU and its memory |
| 核心函式 | 核函数 | kernel: a function that runs on the device |
| 啟動 | 启动 | launch: the order to run a kernel |
| 同步 | 同步 | to synchronise: to wait until the device has caught up |
| 傳輸 | 传输 | transfer between the two memories |
| 頻寬 | 带宽 | bandwidth, bytes a second |
| 融合 | 融合 | to fuse: several operations in one kernel |
| 浮點運算 | 浮点运算 | floating-point operation |
| 單精度、雙精度 | 单精度、双精度 | single and double precision: float32, float64 |
| 捨入誤差 | 舍入误差 | rounding error |
| 偽隨機數 | 伪随机数 | pseudo-random number |
"""

# %% [markdown]
r"""
## Symbols

| in 003 and 004 | here | in the code | what it is |
|---|---|---|---|
| `device` | | `device`, `DEVICE` | where arrays lie: `"cpu"` or `"gpu"` |
| | $n$ | `launches` | how many operations the host asks for |
| | $\ell$ | `launch` | the time to ask for one |
| | $w_k$ | `work` | the time in which the device does the $k$-th one |
| | $a_k$, $e_k$ | `asked`, `done` | when operation $k$ has been asked for, when it is done |
| | $z_n$ | `z` | 64 random bits that belong to place $n$ |
| | $\kappa$ | `key` | what the random numbers start from |
| | T, B, D, H | `T`, `B`, `D`, `H` | steps, sequences in a batch, size of an input, size of the state |

Two things have names that mean something else elsewhere. $a$ without a $k$ is the pre-activation of an LSTM, as in
chapter 3. And a *kernel* has nothing to do with that of a convolution, nor with that of an operating system.
"""

# %% [markdown]
r"""
## The idea

A CPU is a few workers, each very quick and each with a mind of its own. A GPU is some ten thousand slow ones, in
groups that must all do the same thing at the same time, each group to other numbers. To multiply 32,768 pairs of
numbers the CPU's one worker goes along the row. On the GPU everybody takes a pair or two.

Three things follow, and they are all there is to know.

- **It must be told.** The workers do one simple thing at a time, a *kernel*: multiply these two arrays. Your
  Python program stays on the CPU, the *host* (主機 / 主机), and orders one kernel after the other. An order is a
  *launch* (啟動 / 启动). It takes the host some microseconds, however little there is to do.
- **It works behind your back.** The host does not stand by. It puts its orders into a queue and goes on, and the
  device takes them from the queue one by one. This is good, as long as nobody asks for a result: whoever asks
  must wait until the queue is empty.
- **It has a memory of its own.** The device computes with what lies in its memory, at great speed. To the host's
  memory there is a narrow road. So what is needed there must be moved there, once, and stay.

Here is the queue, drawn for eight operations. Time goes to the right and its unit is one launch. The upper row of
each picture is the host, asking; the lower one is the device, doing. (How the times are worked out is said
below.)
"""


# %%
def timeline(work, launch=1.0, waits=()):
    """When each operation is asked for, and when it is done -> two lists of (start, end)

    work: how long each takes; waits: after which of them the host waits for the result.
    """
    host = device = 0.0
    asked, done = [], []
    for k, w in enumerate(work):
        asked.append((host, host + launch))
        host += launch
        start = max(host, device)  # it must have been asked for, and the one before must be done
        device = start + w
        done.append((start, device))
        if k in waits:
            host = device
    return asked, done


SCENES = {
    "many small operations: the device waits for the host": timeline([0.3] * 8),
    "the same eight, fused into two": timeline([1.2] * 2),
    "large operations: the host is ahead, the device never stops": timeline([1.6] * 8),
    "the same, and after every second one the host asks for a number": timeline(
        [1.6] * 8, waits=(1, 3, 5)
    ),
}

with drawing((8.6, 5.2)) as figure:
    panels = figure.subplots(len(SCENES), sharex=True)
    for ax, (title, rows) in zip(panels, SCENES.items()):
        for y, row, colour, hatch in zip((1, 0), rows, COLOURS, ("", "////")):
            for start, end in row:
                box = {"facecolor": colour, "alpha": 0.75, "edgecolor": "white", "hatch": hatch}
                ax.barh(y, end - start, left=start, height=0.7, **box)
        end = rows[1][-1][1]
        ax.axvline(end, color="0.3", linewidth=1)
        ax.text(end + 0.15, 0.5, f"{end:.1f}", va="center")
        ax.set(yticks=(1, 0), yticklabels=("host", "device"), title=title)
        ax.tick_params(length=0)
    panels[-1].set(xlabel="time, in launches", xlim=(0, 18), xticks=range(0, 19, 2))
figure

# %% [markdown]
r"""
In the first picture the device does next to nothing: most of the time its row is empty. A quicker GPU would
change nothing. In the second there is as much to do, in fewer orders, and it is over much sooner. In the third
the host's orders are all given at 8, and the device is still busy: here a quicker GPU would help. In the fourth
the host looks at a result after every second operation. Each time it stops until the device has caught up; then
the device stops until it is told what comes next.
"""

# %% [markdown]
r"""
## The equations

No equation has the number 13: nothing new is computed in this chapter. But two things can be said in formulas.

### What a queue costs

Operation $k$ has been asked for at $a_k$, one launch after the one before:

$$a_k = a_{k-1} + \ell \qquad a_0 = 0$$

The device begins when it has been asked to *and* has done the one before, whichever is later, and is done $w_k$
after that:

$$e_k = \max(a_k, e_{k-1}) + w_k \qquad e_0 = 0$$

If the host then waits for the result, it is where the device is: $a_k$ becomes $e_k$. This is `timeline`, line
for line.

Let all operations be alike, $w_k = w$, and nobody wait. Then $a_k = k\ell$.

- If $w \le \ell$, the device is always done before the next order. For the first one $e_1 = \ell + w$. And if
  $e_{k-1} = (k-1)\ell + w$, then $e_{k-1} \le k\ell = a_k$, so that $e_k = a_k + w = k\ell + w$. So it is for
  every $k$, and at the end

$$e_n = n\ell + w$$

- If $w \ge \ell$, the device always has the next order waiting. Again $e_1 = \ell + w$. And if
  $e_{k-1} = \ell + (k-1)w$, then $a_k = k\ell \le \ell + (k-1)w = e_{k-1}$, so that $e_k = e_{k-1} + w$, which is
  $\ell + kw$. At the end

$$e_n = \ell + nw$$

So time is about the larger of two things: **the number of launches times $\ell$, or the work.** They are not
added. If the host waits after every operation, then $a_k = e_{k-1} + \ell$ and $e_k = e_{k-1} + \ell + w$, and
they *are* added:

$$e_n = n(\ell + w)$$

### How large the two are

Of a GPU such as NVIDIA's H100 the [data sheet](https://www.nvidia.com/en-us/data-center/h100/) says: 67·10¹²
float32 operations a second, 3.35·10¹² bytes a second from and to its own memory, and 64·10⁹ bytes a second each
way on the road to the host. For $\ell$ there is no data sheet. CuPy's
[user guide](https://docs.cupy.dev/en/stable/user_guide/performance.html) prints 44 microseconds of the host's time
for three operations, so let us reckon with 15 for one.

Now take an elementwise product $y = x \odot v$ of N numbers. It reads 8N bytes and writes 4N.
"""

# %%
LAUNCH = 15e-6  # seconds
RATE, BANDWIDTH, ROAD = 67e12, 3.35e12, 64e9  # operations, bytes, bytes: each a second

for B, H in ((64, 512), (64, 16_384), (1024, 16_384)):
    N = B * H
    work = 12 * N / BANDWIDTH
    share, road = work / LAUNCH, 4 * N / ROAD / work
    print(f"({B:4},{H:6}): {share:7.1%} of a launch;  y to the host: {road:.0f} times as long")

# %% [markdown]
r"""
(64,512) is a state of document 004's model, with 64 sentences in a batch. The device is done with it in less than
one hundredth of the time that it takes to ask for it. And to bring the result to the host takes many times as
long as to compute it.

### A random number from its place

Dropout needs random numbers, thousands at a time. A common generator makes each from the one before, so that
one worker has to make them all. Here is one in which no number waits for another (SplitMix64, Steele, Lea and
Flood 2014). Give every number a place $n = 0, 1, 2, \dots$ and choose a key $\kappa$. All numbers are whole,
from 0 to $2^{64} - 1$; what is larger starts again at 0. $\oplus$ is "exclusive or", bit by bit, and
$z \gg 30$ is $z$ with its bits moved 30 places down. First, one step of a fixed odd length $\gamma$ for each
place:

$$z = \kappa + n \gamma$$

Then the bits are stirred, three times: the upper ones are laid over the lower ones, and, but for the last time, a
product with a fixed odd number $\mu$ carries the lower ones up again.

$$z \leftarrow (z \oplus (z \gg 30)) \cdot \mu_1$$

$$z \leftarrow (z \oplus (z \gg 27)) \cdot \mu_2$$

$$z_n = z \oplus (z \gg 31)$$

The numbers $\gamma$, $\mu_1$ and $\mu_2$ stand in the code below. No two places of one key have the same
$z_n$. For $n\gamma$ with an odd $\gamma$ takes every value once before it repeats; so does a product with an
odd number; and $z \oplus (z \gg 30)$ can be undone: its upper 30 bits are those of $z$ itself, which give the
next 30, and so on.
"""

# %% [markdown]
r"""
## By hand

### A device of your own

Let us make a device. It need not be fast, only strict: an array that lies on it must meet its own kind, and
single numbers, and nothing else; and it must count. NumPy's own array is inside, under the name `values`.
"""


# %%
class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Numbers on the device: they meet others of their kind and single numbers, nothing else."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array_namespace__(self, api_version=None):
        return device

    def __array_ufunc__(self, ufunc, method, *operands, **options):  # x + y, x @ y, x < 0, np.exp
        result = device.run(ufunc.__name__, getattr(ufunc, method), *operands, **options)
        return options["out"][0] if "out" in options else result

    def __getitem__(self, key):
        return device.run("gather", np.ndarray.__getitem__, self, key)

    def __setitem__(self, key, value):
        device.run("assign", np.ndarray.__setitem__, self, key, value)

    def __getattr__(self, name):  # x.shape, x.T, x.sum(axis=0)
        if name.startswith("_"):
            raise AttributeError(name)
        if callable(getattr(self.values, name)):
            return partial(device.run, name, getattr(np.ndarray, name), self)
        return shut(getattr(self.values, name))

    def __array__(self, dtype=None, copy=None):  # np.asarray(x)
        raise TypeError("a device array does not become a NumPy array by itself: use .get()")

    def get(self):
        """The one way back to the host, which waits for it."""
        device.waits += 1
        return self.values.copy()

    def tolist(self):
        return self.get().tolist()

    def __float__(self):
        return float(self.get())

    def __bool__(self):
        return bool(self.get())

    def __len__(self):
        return len(self.values)


def opened(leaf):
    """What is inside; a NumPy array is refused."""
    if isinstance(leaf, np.ndarray):
        raise TypeError("a NumPy array meets a device array: move it to the device first")
    return leaf.values if isinstance(leaf, DeviceArray) else leaf


def shut(leaf):
    return DeviceArray(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf


# %% [markdown]
r"""
Three names are NumPy's: what they mean is agreed upon between it and everybody who makes arrays. Operators such
as `x + y` call `__array_ufunc__` (the class that ours inherits from sees to it), as `np.exp(x)` does, and
`np.asarray(x)` calls `__array__`.
`__array_namespace__` says which module has the functions for this array: for NumPy's arrays that is `numpy`, and
for ours it is this:
"""


# %%
class Device:
    """What numpy is to NumPy's arrays. It counts launches, waits, and operations in products."""

    __name__ = "device"

    def __init__(self, fuses=True):
        self.fuses, self.in_kernel = fuses, False
        self.launches, self.waits, self.operations = Counter(), 0, 0

    def __getattr__(self, name):  # every function that numpy has
        function = getattr(np, name)
        if isinstance(function, (np.ufunc, type)):
            return function
        return partial(self.run, name, function)

    def run(self, name, function, *operands, **options):
        operands, options = map_tree(opened, operands), map_tree(opened, options)
        result = function(*operands, **options)
        if "out" in options or not is_view(result, operands):
            self.count(name)
        if name == "matmul":  # (N,D) times (D,M): of each of N M sums, D products and D additions
            self.operations += 2 * result.size * operands[0].shape[-1]
        return map_tree(shut, result)

    def count(self, name):
        if not self.in_kernel and name != "empty":
            self.launches[name] += 1

    def asarray(self, array):
        """The one way in."""
        return DeviceArray(array.copy())

    def fuse(self, function):
        """The function as one kernel: one launch, whatever is inside."""

        def kernel(*operands):
            if self.in_kernel or not self.fuses:
                return function(*operands)
            self.count(function.__name__)
            self.in_kernel = True
            try:
                return function(*operands)
            finally:
                self.in_kernel = False

        return kernel


def is_view(result, operands):
    """A slice, x.T, a reshape: the same numbers under another name. Nothing is launched."""
    arrays = [operand for operand in operands if isinstance(operand, np.ndarray)]
    return isinstance(result, np.ndarray) and any(np.may_share_memory(result, a) for a in arrays)


device = Device()

# %% [markdown]
r"""
Each call of a function counts as one launch, unless it only gives old numbers a new name. A real GPU now and then
takes two kernels for one of NumPy's functions. So what we shall count are calls, exactly, and launches, nearly.

It is strict:
"""

# %%
x = device.asarray(np.array([1.0, 2, 3]))
print("x * x + 1 is", (x * x + 1).get())

for attempt in (lambda: x + np.ones(3), lambda: np.ones(3) + x, lambda: np.asarray(x)):
    try:
        attempt()
    except TypeError as error:
        print("refused:", str(error)[:75])
print(dict(device.launches), "waits:", device.waits)

# %% [markdown]
r"""
### A layer of the library moves in

`map_tree` does something to every leaf of nested tuples, lists and dicts. With it, moving is one line; and moving
a layer is to move its parameters and gradients:
"""


# %%
def moved(tree):
    """The same tree, with every NumPy array on the device."""

    def one(leaf):
        return device.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf

    return map_tree(one, tree)


def move(layer):
    for _, leaf in layer.leaves():
        leaf.params, leaf.grads = moved(leaf.params), moved(leaf.grads)
    return layer


T, B, D, H = 4, 3, 5, 7
rng = np.random.default_rng(0)
x, dhs = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, H))

layer = LSTM(D, H, np.random.default_rng(1), dtype="float64")
(hs, _), cache = layer.forward(x)
dx, _ = layer.backward(dhs, None, cache)

there = move(LSTM(D, H, np.random.default_rng(1), dtype="float64"))
(their_hs, _), cache = there.forward(moved(x))
their_dx, _ = there.backward(moved(dhs), None, cache)

print(type(their_hs).__name__, their_hs.shape, "device_of says", device_of(their_hs))
np.testing.assert_allclose(their_hs.get(), hs, rtol=1e-12)
np.testing.assert_allclose(their_dx.get(), dx, rtol=1e-12)
for name, grad in layer.grads.items():
    np.testing.assert_allclose(there.grads[name].get(), grad, rtol=1e-12)
    print(f"d{name:3} {grad.shape!s:8} the same")

# %% [markdown]
r"""
There it ran, forward and backward, on a device that did not exist when it was written. It never says `np.tanh`;
it asks the array in its hand which module it belongs to, and takes that one's tanh. The whole secret is one
function:
"""

# %%
print(inspect.getsource(array_module))

# %% [markdown]
r"""
**The data decides.** Not a global switch: both devices can be used side by side, and so one can be tested against
the other. (CuPy's arrays have no `__array_namespace__`; that is why they are asked for by name.)

### What one step asks for

Here is a step of the LSTM as chapter 3 has it, with `array_module` in place of `np`. The elementwise part stands
in a function by itself.
"""


# %%
def gates(a_i, a_f, a_g, a_o, c_prev):
    """Each (B,H) -> h, c, each (B,H)"""
    xp = array_module(a_i)
    i = 1 / (1 + xp.exp(-a_i))  # (3.1)
    f = 1 / (1 + xp.exp(-a_f))  # (3.2)
    g = xp.tanh(a_g)  # (3.3)
    o = 1 / (1 + xp.exp(-a_o))  # (3.4)
    c = f * c_prev + i * g  # (3.5)
    return o * xp.tanh(c), c  # (3.6)


def lstm_step(x, h_prev, c_prev, Wx, Wh, b, gates=gates):
    """x (B,D), h_prev (B,H), c_prev (B,H) -> h (B,H), c (B,H)"""
    H = c_prev.shape[1]
    a = x @ Wx + h_prev @ Wh + b  # (1.1)  (B,4H)
    return gates(a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :], c_prev)


shapes = (B, D), (B, H), (B, H), (D, 4 * H), (H, 4 * H), (4 * H,)
arrays = [rng.standard_normal(shape) for shape in shapes]

device = Device()
h, c = lstm_step(*moved(arrays))
print(sum(device.launches.values()), "launches:", dict(device.launches))

# %% [markdown]
r"""
### Fusing

18 of these 22 are in `gates`. Every one of them sends all workers to the memory, to fetch B·H numbers, do one
thing to each and carry them back. What if each worker kept its numbers in hand, and did all 18 things to them?
For the numbers do not meet: entry (b, j) of every array needs entry (b, j) of the others and no more. That is one
kernel, and to make it of many is to *fuse* them (融合).

In the library a function asks for it by a line above it, `@fused`:
"""

# %%
print(inspect.getsource(fused))

# %% [markdown]
r"""
On the CPU that does nothing. Elsewhere it calls the module's own `fuse`, once, and keeps what comes of it. CuPy's
`cupy.fuse` calls the function with stand-ins for the arrays, writes down what is done to them, makes a kernel of
that, and has it compiled. (At the first call; so the first steps of a run say nothing of its speed.) Ours only
counts; but it counts right:
"""

# %%
fused_gates = fused(gates)

device = Device()
h_fused, c_fused = lstm_step(*moved(arrays), gates=fused_gates)
print(sum(device.launches.values()), "launches:", dict(device.launches))
np.testing.assert_array_equal(h_fused.get(), h.get())

# %% [markdown]
r"""
There are limits, and they say how a function must be written to be fused. It may have operators, elementwise
functions and sums in it, but no products of matrices and no slices: that is why `lstm_step` cuts $a$ into
four before `gates` gets it. And no `if` on a value: the function is called once, with stand-ins, and so takes
one way for all numbers. In CuPy that is not even an error: a leaky ReLU written with `if` gave back its
negative numbers as they were ([issue 7878](https://github.com/cupy/cupy/issues/7878)).

### What a training step asks for

One step of training document 004's model: forward, loss, backward, clipping, Adam. The `Trainer` moves each batch
by one method, `for_model`; ours leads to our device. The sizes are small here, for it does not matter.
"""


# %%
class DeviceBatch(Batch):
    """A batch whose way to the device is ours; the lengths stay on the CPU, as in the library."""

    def for_model(self, model):
        source, y, targets = moved((self.source, self.y, self.targets))
        return self._replace(source=source, y=y, targets=targets)


def random_batch(config, length, B):
    """B random sentences of so many words."""
    rng = np.random.default_rng(0)
    words = rng.integers(4, min(config.input_size, config.output_size), (B, 2, length - 1)).tolist()
    return make_batch([Example(source, target) for source, target in words])


def step_on(the_device, config, length=10, B=4):
    """The counts of one training step are left in the_device -> the StepResult"""
    global device
    device = Device()
    trainer = Trainer(move(Seq2Seq(config, np.random.default_rng(0))), Adam(), teacher_forcing=1.0)
    batch = DeviceBatch(*random_batch(config, length, B))
    trainer.step(batch)  # the first step makes the optimiser's arrays, too
    device = the_device
    return trainer.step(batch)


SMALL = {"input_size": 50, "output_size": 50, "embedding_size": 8, "hidden_size": 8}
config = document("004", **SMALL)
counts = {}
for name, the_device in (("before fusing", Device(fuses=False)), ("after", Device())):
    result = step_on(the_device, config)
    counts[name] = sum(the_device.launches.values())
    waits = the_device.waits  # counted before we look at the loss
    print(f"{name:13} {counts[name]:5,} launches, {waits} waits;  loss {float(result.loss):.4f}")
    print("   ", the_device.launches.most_common(6))

# %% [markdown]
r"""
Of some two thousand launches about a quarter is left, and the loss is the same. Look at what is left: the
largest parts are products of matrices, additions and assignments, most of them inside the loop over time.
Their number grows with the length of the sentences:
"""

# %%
for length in (10, 20, 40):
    step_on(the_device := Device(), config, length=length)
    print(f"{length} words: {sum(the_device.launches.values()):5,} launches")
for changes in ({"hidden_size": 32}, {"embedding_size": 64}, {"output_size": 500}):
    step_on(the_device := Device(), document("004", **SMALL | changes), B=16)
    print(f"{changes}, 16 sentences: {sum(the_device.launches.values()):5,} launches")

# %% [markdown]
r"""
With the *sizes* it does not grow at all. This is the other half of the matter: a larger state, a larger batch
or a larger vocabulary is more work in the same number of launches. On a CPU a batch of twice the size takes
about twice as long. On a GPU, as long as it is waiting for its host, it takes no longer at all.

### All parameters in one array

The optimiser treats every number alike. So why call it for every matrix? The library lays all parameters of a
model end to end in one array, and all gradients in another ([packed.py](../minis2s/packed.py)); the layers' own
`Wx` and `b` are views of them, and notice nothing.
"""

# %%
device = Device()
model = move(Seq2Seq(config, np.random.default_rng(0)))
packed = Packed(model)
one_by_one = model.params, model.grads
end_to_end = {"all": packed.params}, {"all": packed.grads}
for name, (params, grads) in {"one by one": one_by_one, "end to end": end_to_end}.items():
    device = Device()
    clip_by_global_norm(grads, 1.0)
    Adam().update(params, grads)
    print(f"{name}: {len(params):2} arrays, {sum(device.launches.values()):4} launches")

# %% [markdown]
r"""
### Random bits, each from its place

Here are the formulas of SplitMix64, a line each. They are elementwise, so all places can be worked out at once,
and in one kernel.
"""


# %%
def splitmix64(key, places):
    """key a uint64, places (N,) uint64 -> z (N,) uint64: 64 random bits for every place"""
    z = key + places * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


z = splitmix64(np.uint64(1234567), np.arange(1, 4, dtype=np.uint64))
published = [6457827717110365317, 3203168211198807973, 9817491932198370423]  # rosettacode.org
np.testing.assert_array_equal(z, published)
print(z)

# %% [markdown]
r"""
A unit is kept with probability $p$ if the upper 32 bits of its $z$, a number below $2^{32}$, are less than
$p \cdot 2^{32}$. The same key gives the same mask again, wherever it is worked out.
"""

# %%
key, keep = np.uint64(7), 0.7
z = splitmix64(key, np.arange(200 * 300, dtype=np.uint64))
mask = (z >> np.uint64(32) < np.uint64(keep * 2**32)).reshape(200, 300)
print(mask[:3, :12].astype(int))
both = mask[:, :-1] & mask[:, 1:]
print(f"kept: {mask.mean():.4f};  kept, and so is the one on its right: {both.mean():.4f}")

here = backend.mask_of_key(key, np.zeros((200, 300)), keep)  # the library's
on_ours = backend.mask_of_key(key, moved(np.zeros((200, 300))), keep)
np.testing.assert_allclose(here, mask / keep)
np.testing.assert_array_equal(on_ours.get(), here)

# %% [markdown]
r"""
0.7, and 0.7² = 0.49 for two neighbours together, as it should be for numbers that know nothing of each other.

## With a pencil

### Launches

Count the launches of `gates` line by line. A number of Python's, such as the 1, costs nothing by itself; each
operator and each function is one.

| line | operations | launches | numbers fetched and carried back |
|---|---|---|---|
| `i = 1 / (1 + xp.exp(-a_i))` | minus, exp, plus, divide | 4 | 4 · 2 B·H |
| `f` the same | | 4 | 8 B·H |
| `g = xp.tanh(a_g)` | tanh | 1 | 2 B·H |
| `o` as `i` | | 4 | 8 B·H |
| `c = f * c_prev + i * g` | times, times, plus | 3 | 3 · 3 B·H |
| `o * xp.tanh(c)` | tanh, times | 2 | (2 + 3) B·H |
| together | | **18** | **40 B·H** |
| as one kernel | reads a_i, a_f, a_g, a_o, c_prev; writes h, c | **1** | **7 B·H** |

With `x @ Wx`, `h_prev @ Wh` and two additions that is 22 launches and 5, as our device counted. And even where
launches cost nothing, where the arrays are so large that memory is what one waits for, the fused step needs less
than a fifth of the traffic.

### A queue

Four operations, $\ell = 1$.

| | asked for at | done at | by the formula |
|---|---|---|---|
| $w = \tfrac12$ | 1, 2, 3, 4 | 1.5, 2.5, 3.5, **4.5** | $n\ell + w = 4 + \tfrac12$ |
| $w = 3$ | 1, 2, 3, 4 | 4, 7, 10, **13** | $\ell + nw = 1 + 12$ |
| $w = 3$, and the host waits each time | 1, 5, 9, 13 | 4, 8, 12, **16** | $n(\ell + w) = 4 \cdot 4$ |
"""

# %%
for work, waits in ((0.5, ()), (3, ()), (3, range(4))):
    asked, done = timeline([work] * 4, waits=waits)
    asked_at, done_at = ([end for _, end in row] for row in (asked, done))
    print(f"w = {work}: asked for at {asked_at}, done at {done_at}")

# %% [markdown]
r"""
### Sums

A float32 has 24 binary digits. Near 10⁸ that makes steps of 8: there is no number between 100,000,000 and
100,000,008. So

- $(10^8 + 1) - 10^8$: the first sum is rounded to $10^8$, and what is left is 0.
- $(10^8 - 10^8) + 1$ is 1.

The same three numbers, added in another order. Thousands of workers who add up an array must each take a part and
put the parts together; so they add in another order than one worker who goes along the row. **Equal bits are not
to be expected of two devices.**
"""

# %%
big, one = np.float32(1e8), np.float32(1)
print("(big + one) - big =", (big + one) - big)
print("(big - big) + one =", (big - big) + one)

# %% [markdown]
r"""
## The gradient check

`gradcheck` moves one number at a time and asks for the loss, twice for every parameter. It is about the worst
thing that one can do to a GPU, and need not be done there. The gradients have been checked on the CPU, in
float64. All that is left to ask is whether the other device finds the same: **the devices are checked against
each other.**

We take document 004's whole model, and compare the gradient of every parameter: the largest difference, relative
to the largest number in that gradient.
"""


# %%
def gradients(model, batch, dlogits):
    """Forward and back, once -> the gradients by name"""
    _, cache = model.forward(batch.source, batch.source_lengths, batch.y)
    model.backward(dlogits, None, cache)
    return model.grads


def apart(found, expected):
    """The largest difference of two arrays, relative to the largest number."""
    found, expected = (to_numpy(array).astype("float64") for array in (found, expected))
    return np.abs(found - expected).max() / np.abs(expected).max()


config = document("004", **SMALL)  # without an rng there is no dropout
batch = random_batch(config, length=10, B=4)
dlogits = rng.standard_normal((*batch.targets.shape, config.output_size))


def model_in(dtype):
    """Document 004's model, small, with the same parameters every time."""
    return Seq2Seq(config, np.random.default_rng(0), dtype="float64").astype(dtype)


def worst(grads, expected):
    return max((apart(grads[name], expected[name]), name) for name in expected)


expected = gradients(model_in("float64"), batch, dlogits)

device = Device()
there = DeviceBatch(*batch).for_model(None)
on_device = gradients(move(model_in("float64")), there, moved(dlogits))
in_float32 = gradients(model_in("float32"), batch, dlogits.astype("float32"))
for name, found in {"our device, float64": on_device, "CPU, float32": in_float32}.items():
    print(f"{name:20} against CPU, float64: at most {worst(found, expected)[0]:.0e} apart")

# %% [markdown]
r"""
Our device is NumPy underneath, and so it is nearer than a real one can be. The second row is the more
instructive one. It is what rounding does to float32, in a model of two layers over ten steps. Another order
of the same sums may do as much. So these are the tolerances of the library's tests
([test_devices.py](../tests/test_devices.py)): **1e-10 in float64, 1e-4 in float32.** Both leave room for
rounding, and the first leaves hardly any for a mistake.

For instance this one. A word that occurs five times in a batch gets the sum of five gradients. `dW[ids] += dx`
looks as if it did that, and does not: of places that are named several times, one gets its way. Let us make a
device whose `add.at` is so careless.
"""


# %%
class CarelessAdd:
    @staticmethod
    def at(target, ids, updates):
        target[ids] += updates


class CarelessDevice(Device):
    add = CarelessAdd


device = CarelessDevice()
careless = gradients(move(model_in("float64")), there, moved(dlogits))
wrong = [name for name in expected if apart(careless[name], expected[name]) > 1e-10]
print(f"{len(wrong)} of {len(expected)} parameters are wrong:", *wrong)
print(f"at worst {worst(careless, expected)[0]:.0%} apart")
device = Device()

# %% [markdown]
r"""
The comparison finds it, and says where: in the two tables of word vectors, and nowhere else. A batch in which no
word occurs twice would have found nothing. What chapter 3 said of sizes holds here as well.

## The same from minis2s

### Where a GPU answers

The switch of this notebook. `expect_device` looks whether there is a GPU, and says in one sentence what is
missing.
"""

# %%
try:
    backend.expect_device("gpu")
    DEVICE = "gpu"
except RuntimeError as missing:
    DEVICE = "cpu"
    print(missing)
print("DEVICE =", repr(DEVICE))

# %% [markdown]
r"""
On the command line `minis2s doctor` says more: these are its lines about GPUs.
"""

# %%
for name, fact in facts():
    if name in ("NumPy", "CuPy", "CUDA", "GPU"):
        print(f"{name:6} {fact}")

# %% [markdown]
r"""
### One switch moves everything

`to_device` is our `moved`, with CuPy's door in place of ours, and `Layer.to` is our `move`:
"""

# %%
print(inspect.getsource(Layer.to))

# %%
there = LSTM(D, H, np.random.default_rng(1), dtype="float64").to(DEVICE)
(their_hs, _), cache = there.forward(to_device(x, DEVICE))
their_dx, _ = there.backward(to_device(dhs, DEVICE), None, cache)
np.testing.assert_allclose(to_numpy(their_hs), hs, rtol=1e-10, atol=1e-10)
np.testing.assert_allclose(to_numpy(their_dx), dx, rtol=1e-10, atol=1e-10)
print(f"{type(their_hs).__module__}.{type(their_hs).__name__}, device_of says", device_of(their_hs))

# %% [markdown]
r"""
Parameters are drawn on the CPU and then moved: so both devices start from the same bits. A whole run follows,
then, as far as rounding lets it:
"""

# %%
config = document("004", **SMALL, dropout=0.0)
batch = random_batch(config, length=10, B=4)
losses = {}
for where in ("cpu", DEVICE):
    trainer = Trainer(model_in("float64").to(where), Adam(), teacher_forcing=1.0)
    losses[where] = backend.to_floats([trainer.step(batch).loss for _ in range(5)])
    print(where, np.array(losses[where]))
np.testing.assert_allclose(losses[DEVICE], losses["cpu"], rtol=1e-7)

# %% [markdown]
r"""
(Without a GPU both rows say `cpu`.) From the command line the same switch is

```
minis2s train dates --device gpu
minis2s translate --device gpu "March 3, 2031"
```

and a run that was begun on one device can be taken up on the other.

### Batches move in one place

A batch is made on the CPU, looked at there, and moved as it is ([batches.py](../minis2s/data/batches.py)):
"""

# %%
print(inspect.getsource(Batch.to))
print(inspect.getsource(Batch.for_model))

# %% [markdown]
r"""
Two things in it are not by chance. The ids are looked at *before* they move, for a reason that comes next. And
the lengths stay behind. What are they needed for? To steer the loop over time: up to which step is no row
finished? The host runs this loop. If the lengths lay on the device, it would have to wait for them, in every
layer. Only the mask that is made of them is moved, by `from_numpy(mask, like=x)`: to wherever `x` is.

### CuPy's traps

CuPy is NumPy on a GPU, nearly. Its differences are few, and most are
[written down](https://docs.cupy.dev/en/stable/user_guide/difference.html); but some of them make no noise.

| in CuPy | what the library does about it |
|---|---|
| A NumPy array does not mix with CuPy's: `TypeError`. The best of the traps: it is heard. (`np.tanh(x)` is handed on to CuPy; `np.zeros(3) + x` is refused.) | `array_module`, `from_numpy(array, like=…)`, one place where batches move. The linter forbids `import numpy` where computations are written. |
| An id out of range is no error: it wraps around, and some other word is read. | `Batch.for_model` looks at the ids on the CPU, and names the example. |
| `float(x)`, `int(x)`, `print(x)`, `if x > 0` wait until the device has caught up. | None of them in a step. `Trainer.read` asks later, for all numbers at once; instead of `if`, `where` and `minimum`. |
| Sums give arrays without axes, not numbers: no `range(x.max())`, no `zeros(x.sum())`. | Sizes come from shapes and from the lengths, which are on the CPU. |
| In `a[ids] = v` with repeated ids, it is undefined which one gets its way. In NumPy it is the last. | `scatter_add` for sums; assignments only to places that differ. |
| `cupy.scatter_add` is gone since version 8. | `xp.add.at`. |
| Its `Generator` has no `normal`, `choice`, `permutation`, `shuffle`. | NumPy's `Generator` draws, on the CPU; large masks are made of a key (`keep_mask`). |
| NaN or infinity as a whole number is whatever the device makes of it. | Nothing of the kind is converted. |
| A function that is fused must not branch, slice or multiply matrices. | `lstm_cell` slices; `lstm_gates` is fused. |

NumPy can show the second one, if told to wrap:
"""

# %%
W = np.arange(8.0).reshape(4, 2)  # four words
try:
    W[[1, 6]]
except IndexError as error:
    print("NumPy:", error)
print("NumPy, told to wrap:", np.take(W, [1, 6], axis=0, mode="wrap").tolist())

dW = np.zeros((4, 1))
dW[[2, 0, 2]] += 1  # word 2 occurs twice
print("dW[ids] += 1:", dW.ravel())
dW[...] = 0
backend.scatter_add(dW, np.array([2, 0, 2]), np.ones((3, 1)))
print("scatter_add: ", dW.ravel())

# %%
if DEVICE == "gpu":
    import cupy

    W = cupy.arange(8.0).reshape(4, 2)
    print("CuPy:", W[cupy.array([1, 6])].tolist())
    try:
        W + np.ones((4, 2))
    except TypeError as error:
        print("CuPy:", error)
    lacking = [name for name in ("normal", "choice") if not hasattr(cupy.random.Generator, name)]
    print("CuPy", cupy.__version__, "lacks", *lacking)
else:
    print("No GPU answers here: the lines above are NumPy's, and CuPy has not been asked.")

# %% [markdown]
r"""
A table of four words has no word 6. With wrapping it reads word 2, and trains on. The library looks first:
"""

# %%
model = Seq2Seq(config, np.random.default_rng(0))
batch = make_batch([Example([4, 5], [6]), Example([4, 51], [6])])
try:
    batch.for_model(model)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
### Who waits

The training step further up reported 0 waits. Loss and gradient norm of a step are left on the device, as
arrays without axes, and fetched when they are wanted: for the progress bar now and then, and at the end of an
epoch. What if one asked after every step?
"""

# %%
trainer = Trainer(move(Seq2Seq(config, np.random.default_rng(0))), Adam(), teacher_forcing=1.0)
batch = DeviceBatch(*random_batch(config, length=10, B=4))

device = Device()
losses = [float(trainer.step(batch).loss) for _ in range(8)]
print("float(loss) after every step:", device.waits, "waits")

device = Device()
losses = [trainer.step(batch).loss for _ in range(8)]
print("none in the steps:", device.waits, "waits")
losses = backend.to_floats(losses)
print("and to_floats, at the end:", device.waits, "wait, for", len(losses), "numbers")

# %% [markdown]
r"""
What must not be overlooked: a loss that is nan is noticed late, then. So on a GPU a step that is not finite has
to do no harm by itself, without anybody looking. The library multiplies nothing by zero (0 · nan is nan) but
chooses, with `where`; the parameters stay as they were, and `Trainer.read` says which step it was.
"""

# %%
print(inspect.getsource(Trainer.read))

# %% [markdown]
r"""
### Masks are made where they are used

Document 004's model, with 32 sentences of ten words in a batch, has 10 · 32 · (256 + 256 + 512 + 512) = 491,520
units that dropout may drop. Were they drawn by NumPy, the host would have to make half a million random numbers at
every step, and send them down the narrow road. Instead NumPy's generator draws one key of 64 bits, and the device
makes the masks from it:
"""

# %%
print(inspect.getsource(backend.keep_mask))
print(inspect.getsource(inspect.unwrap(backend.kept)))

# %% [markdown]
r"""
On the CPU, where nothing is moved, NumPy's own generator draws every number. So the two devices drop other units.
To compare them to the last digits, leave dropout out, as the gradient check above does.

## Worth a look

### How far apart two right answers may be

Add up N random numbers, once in order and once by halves, as many workers would: each adds two, then half of them
add two of what comes out, and so on. The error is measured against the exact sum; every point is the largest of
ten draws. The dotted lines are what the tests allow.
"""


# %%
def in_order(numbers):
    return np.cumsum(numbers)[-1]


def by_halves(numbers):
    while len(numbers) > 1:
        numbers = numbers[::2] + numbers[1::2]
    return numbers[0]


rng = np.random.default_rng(0)
sizes = [2**k for k in range(4, 21, 2)]
errors = {(dtype, add): [] for dtype in ("float32", "float64") for add in (in_order, by_halves)}
for N in sizes:
    for dtype in ("float32", "float64"):
        draws = [rng.random(N, dtype=dtype) for _ in range(10)]
        exact = [math.fsum(draw.tolist()) for draw in draws]
        for add in (in_order, by_halves):
            off = [abs(float(add(draw)) - total) / total for draw, total in zip(draws, exact)]
            errors[dtype, add].append(max(off))

with drawing((7.4, 3.9)) as figure:
    ax = figure.add_subplot()
    ways = {in_order: "in order", by_halves: "by halves"}
    looks = zip(errors.items(), COLOURS, DASHES, MARKERS)
    for ((dtype, add), found), colour, dash, marker in looks:
        look = {"color": colour, "linestyle": dash, "marker": marker}
        ax.plot(sizes, found, **look, label=f"{dtype}, {ways[add]}")
    for allowed, dtype in ((1e-4, "float32"), (1e-10, "float64")):
        ax.axhline(allowed, color="0.4", linestyle=":")
        ax.text(sizes[0], allowed * 1.6, f"allowed in {dtype}", fontsize=9)
    ax.set(xscale="log", xlabel="numbers added", ylabel="relative error")
    ax.set_xticks(sizes[::2], [f"{N:,}" for N in sizes[::2]])
    ax.minorticks_off()
    logarithmic(ax, [1e-17, 1e-2])
    ax.set_ylim(1e-17, 1e-2)
    ax.grid()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
figure

# %%
print(f"N = {sizes[-1]:,}")
for (dtype, add), found in errors.items():
    print(f"{dtype}, {ways[add]:9}: {found[-1]:.0e}")

# %% [markdown]
r"""
In order, the error of float32 grows with N: the longer the sum, the more is lost by each addition to it. By
halves it hardly grows at all, because a number goes through only 20 additions, not through a million. So the sum
of many workers is not only another one, it is the better one. And float64 is some hundred million times nearer,
in either order: that is why gradients are checked in it.

### What stirring does

Here are 64 · 64 places, row by row, and of each place's $z$ one bit: dark is 1. Above is the lowest bit, below the
highest one.
"""


# %%
def stages(key, places):
    """z after each formula of splitmix64"""
    z = key + places * np.uint64(0x9E3779B97F4A7C15)
    yield "κ + n γ", z
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    yield "stirred once", z
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    yield "twice", z
    yield "the last time", z ^ (z >> np.uint64(31))


with drawing((8.6, 4.7)) as figure:
    panels = figure.subplots(2, 4)
    for row, bit in zip(panels, (0, 63)):
        for ax, (name, z) in zip(row, stages(np.uint64(7), np.arange(64 * 64, dtype=np.uint64))):
            dark = (z >> np.uint64(bit)) & np.uint64(1)
            ax.imshow(dark.reshape(64, 64).astype(float), interpolation="nearest")
            ax.set(xticks=[], yticks=[], title=name if bit == 0 else "")
        row[0].set_ylabel("lowest bit" if bit == 0 else "highest bit")
figure

# %% [markdown]
r"""
At first the lowest bit is every other place, in stripes, and the highest one a weave: whoever dropped units
by these would drop the same pattern in every sentence. Stirred once, the highest bit looks like noise
already; in the lowest one a weave is still to be seen. Stirred twice, no pattern is left for the eye. The
last time leaves the upper bits as they are: the last two pictures below are the same. It is the upper half of
the bits that decides about a unit.

## The document's own code

### 003 §8: 计算资源的需求

The section says that models need much computing, and leaves it at that. How much is it for the largest model of
the five documents, the one of 004, with its vocabularies of 10,000? One step of training, with 32 sentences of ten
words:
"""

# %%
B = 32
result = step_on(the_device := Device(), document("004"), B=B)
launches, operations = sum(the_device.launches.values()), the_device.operations
numbers = Seq2Seq(document("004"), np.random.default_rng(0)).size

print(f"numbers to learn: {numbers:,}")
print(f"memory, with gradients and Adam's two moments: {4 * 4 * numbers / 1e6:.0f} MB")
print(f"operations in products of matrices: {operations:.1e}")
print(f"launches: {launches}")
print()
print("worked out, not measured:")
print(f"  one good core, 10¹¹ operations a second: {operations / 1e11 * 1e3:7.2f} ms")
print(f"  an H100's arithmetic:                    {operations / RATE * 1e3:7.2f} ms")
print(f"  the host, asking for it:                 {launches * LAUNCH * 1e3:7.2f} ms")
equal = B * launches * LAUNCH / (operations / RATE)
print(f"  these two are equal at about {equal:,.0f} sentences in a batch")

# %% [markdown]
r"""
So the section is right, and yet what a GPU is short of here is not arithmetic. It would be idle most of the time,
waiting for its host. The way out is not a larger GPU. It is fewer launches, or larger batches: up to some
hundreds of sentences each further one would cost next to nothing.

(Full use of the data sheet's numbers is never reached; the true shares are less extreme. That they are launches
rather than arithmetic which small recurrent networks wait for is old experience: see Appleyard and others below.)

### 003 §8: 更高效的注意力机制

The same section expects attention to become more efficient, and names self-attention. In which sense is it? We
count, for one layer of each, forward and backward:
"""

# %%
D, B = 64, 8
print("          LSTM                      self-attention")
print("   T   launches   operations     launches   operations")
for T in (10, 40, 160, 640):
    row = f"{T:4}"
    for make in (lambda rng: LSTM(D, D, rng), lambda rng: SelfAttention(D, rng)):
        device = Device()
        layer = move(make(np.random.default_rng(0)))
        x = moved(np.random.default_rng(1).standard_normal((T, B, D)).astype("float32"))
        (y, _), cache = layer.forward(x)
        layer.backward(y, None, cache)  # some gradient or other
        row += f"   {sum(device.launches.values()):8,}   {device.operations:10.1e}  "
    print(row.rstrip())

# %% [markdown]
r"""
The LSTM's launches grow with the sentence, for step $t$ must wait for step $t-1$. Self-attention asks for all
places at once, and its launches do not depend on T. That is its efficiency, and on a GPU it is a great one.

Operations are another matter. Forward, the LSTM multiplies each of its T·B inputs of size D, and each of its
states, by a matrix with 4D columns: $16 D^2$ operations for each place. Self-attention has three matrices with D
columns, $6 D^2$, and then compares each place with T others and takes their mean, $4 T D$. Backward is twice as
much for both. So they are even where $16 D^2 = 6 D^2 + 4TD$, which is $T = 2.5 D$. Here that is 160, and there the
table shows the same number twice. Below that self-attention is also less work; above it is more, and
it grows with the square of the length. (With several heads there is a fourth matrix, and it is 2 D: chapter 11.)

### 004: who is moved

In document 004 (实现) the device occurs in three places: `Seq2Seq` keeps it, makes `outputs` there, and is given it
at the end.

```python
outputs = torch.zeros(trg_len, batch_size, trg_vocab_size).to(self.device)
model = Seq2Seq(encoder, decoder, device=torch.device('cuda' if torch.cuda.is_available() else 'cpu'))
```

On a machine without a GPU this runs. On one with a GPU it does not: `device` is handed over and kept, but neither
the model nor the batch is ever moved. The encoder and the decoder compute on the CPU. Every step's logits are
copied into `outputs`, over the narrow road. Then the loss meets `output` on the GPU and `trg` on the CPU, and
PyTorch stops. (Tried without a GPU: with PyTorch's device "meta" in its place, forward runs and the loss stops.)
On our device:
"""

# %%
rng = np.random.default_rng(0)
device = Device()
logits = moved(rng.standard_normal((6, 4, 30)))
targets = rng.integers(1, 30, (6, 4))  # where they were made
try:
    SoftmaxCrossEntropy(ignore_index=0).forward(logits, targets)
except TypeError as error:
    print(error)
loss, _ = SoftmaxCrossEntropy(ignore_index=0).forward(logits, moved(targets))
print(f"{float(loss):.4f}")

# %% [markdown]
r"""
The right version needs two lines, one for the model, before the optimiser is made, and one for each batch:

```python
model = Seq2Seq(encoder, decoder, device).to(device)
src, trg = batch.src.to(device), batch.trg.to(device)
```

In `minis2s` the first is `model.to("gpu")`, and the second is not yours to forget: `for_model` asks the model
where it is.

One line more of its training loop belongs here:

```python
epoch_loss += loss.item()
```

`item()` is PyTorch's `float()`: at every step the host waits until the device has caught up. It is the fourth
picture at the beginning of this chapter. Where each step is large it costs little; but it need not be.

### 002 and 003: what stays behind

`SelfAttention` in 002, 5.3 makes `self.scale = torch.sqrt(torch.FloatTensor([hidden_size]))`, and `initHidden` in
003, 5.1 makes a state of `torch.zeros`. Neither is a parameter. So when the module is moved to a GPU both are
made, or stay, on the CPU, and the first step stops. Here are the two mended ways. A scale is a number, not an
array: a number meets arrays of every device. And an array that must be new is made where an old one is:
"""

# %%
print(inspect.getsource(Recurrent.zero_state))

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where. It has a device of its own, made like ours.

### 1. Whose module?

Write `array_module` for `DeviceArray`s and NumPy's arrays: give back the module whose functions take these
arrays. None and single numbers are passed over, be they Python's or NumPy's; where nothing else is left, NumPy is
the answer. No array of the one kind will come together with one of the other. Mind that NumPy's arrays, and even
its single numbers, also have an `__array_namespace__`.
"""


# %% exercise="module_of" points=2
def module_of(*arrays):
    """Arrays of one device, and None and numbers -> the module whose functions take them"""
    raise NotImplementedError


# %%
check.module_of(module_of)

# %% [markdown]
r"""
### 2. Predict, then run

Here is the elementwise part of a GRU's step. How many launches is it, unfused? Count with a pencil; then take away
the `#`.
"""


# %%
def gru_gates(a_r, a_z, a_n, u_n, h_prev):
    """Each (B,H) -> h (B,H)"""
    xp = array_module(a_r)
    r = 1 / (1 + xp.exp(-a_r))
    z = 1 / (1 + xp.exp(-a_z))
    n = xp.tanh(a_n + r * u_n)
    return (1 - z) * n + z * h_prev


# %% exercise="launches_of_gru_gates" points=1
launches_of_gru_gates = None

# %%
check.launches_of_gru_gates(launches_of_gru_gates)

# %%
device = Device()
h = gru_gates(*moved(list(rng.standard_normal((5, 4, 3)))))
# print(sum(device.launches.values()))

# %% [markdown]
r"""
### 3. Predict: from which size on?

An elementwise product reads two arrays of N float32 numbers and writes a third. One core of a CPU gets 20·10⁹
bytes a second from and to its memory, and a launch costs it nothing. For the GPU take `LAUNCH` and
`BANDWIDTH` from above, and let a launch and the work that it asks for be added (one single product, and one
waits for it). At which N do both take equally long? To within 5%.
"""

# %% exercise="size_where_both_are_equal" points=1
size_where_both_are_equal = None

# %%
check.size_where_both_are_equal(size_where_both_are_equal)

# %% [markdown]
r"""
### 4. Predict, then run

A float32 is 0, and you add 1 to it, again and again. At some number it stops growing. At which? (24 binary
digits.)
"""

# %% exercise="where_ones_stop" points=1
where_ones_stop = None

# %%
check.where_ones_stop(where_ones_stop)

# %%
total = np.float32(1)
while np.float32(total + 1) != total:
    total = np.float32(2 * total)  # growing in larger strides, so that it ends today
# print(f"{total:,.0f}")

# %% [markdown]
r"""
### 5. Find the planted bugs

This function works out the gradient of a table of word vectors, clipped. On the CPU it seems to work. There
are four mistakes in it, two of them in one line: one shows on the CPU as well, where a word occurs twice;
one, where the numbers are float32; one makes it stop on a device; and one makes the host wait there.
"""


# %%
def broken_table_gradient(ids, dx, V, max_norm):
    """ids (N,), dx (N,D) -> dW (V,D), shortened to max_norm if it is longer"""
    dW = np.zeros((V, dx.shape[1]))
    dW[ids] += dx
    norm = float((dW * dW).sum()) ** 0.5
    if norm > max_norm:
        dW *= max_norm / norm
    return dW


ids, dx = np.array([1, 3, 1]), np.ones((3, 2))
print(broken_table_gradient(ids, dx, 4, 100.0).tolist())
try:
    broken_table_gradient(moved(ids), moved(dx), 4, 100.0)
except (TypeError, IndexError) as error:
    print("on the device:", str(error)[:75])

# %% [markdown]
r"""
Word 1 occurs twice and should have got 2. Mend it. `array_module(dx)` has all that is needed: `zeros`, `add.at`,
`sqrt`, `minimum`. What does a factor do that is never larger than 1?
"""


# %% exercise="mended_table_gradient" points=3
def mended_table_gradient(ids, dx, V, max_norm):
    """ids (N,), dx (N,D) -> dW (V,D), shortened to max_norm if it is longer"""
    raise NotImplementedError


# %%
check.mended_table_gradient(mended_table_gradient)

# %% [markdown]
r"""
### 6. Four gates at once

There is a way to save launches without a compiler. Since $\sigma(a) = \tfrac12 \tanh(\tfrac12 a) + \tfrac12$,
all four parts of an LSTM's $a$ can go through *one* tanh. Let $s$ have $\tfrac12$ in the columns of the three
gates and 1 in those of the new content. Then with

$$t = \tanh(s \odot a) \qquad y = s \odot t + (1 - s)$$

$y$ has $i$, $f$, $g$ and $o$ side by side: with $1 - s$ worked out once, four launches for what took
thirteen. Write the way back. Where does $s$ come in twice?
"""


# %% exercise="gates_at_once_backward" points=2
def gates_at_once_backward(dy, t, s):
    """dy (B,4H), t (B,4H), s (4H,) -> da (B,4H)"""
    raise NotImplementedError


# %%
check.gates_at_once_backward(gates_at_once_backward)

# %% [markdown]
r"""
### 7. Normal numbers, each from its place

CuPy's `Generator` has no `normal` (but a `standard_normal`). Make one, of `splitmix64`. First, a number in
[0, 1) for each place: the upper 53 bits of $z_n$ (53 is what a float64 can hold), as a number, times
$2^{-53}$. Call it $u_n$. Then, by Box and Muller (1958), for $n = 0, \dots, N-1$

$$x_n = \sqrt{-2 \ln(1 - u_{2n})} \cdot \cos(2 \pi u_{2n+1})$$

are N independent normal numbers with mean 0 and variance 1. (Why $1 - u$?)
"""


# %% exercise="normals" points=2
def normals(key, N):
    """key a uint64 -> x (N,) float64"""
    raise NotImplementedError


# %%
check.normals(normals)

# %% [markdown]
r"""
## What to read next

- [CuPy's user guide](https://docs.cupy.dev/en/stable/user_guide/index.html): "Differences between CuPy and
  NumPy" and "Performance Best Practices", an evening for both.
- H. He, [Making deep learning go brrrr from first principles](https://horace.io/brrr_intro.html), 2022:
  compute, memory, overhead; how to know which of them one waits for.
- S. Williams, A. Waterman, D. Patterson, [Roofline](https://doi.org/10.1145/1498765.1498785), Communications
  of the ACM 52(4), 2009: operations against bytes, in one picture.
- J. Appleyard, T. Kočiský, P. Blunsom, [Optimizing performance of recurrent neural networks on
  GPUs](https://arxiv.org/abs/1604.01946), 2016: what can be done to an LSTM: products together, gates fused,
  layers side by side.
- G. Steele, D. Lea, C. Flood, [Fast splittable pseudorandom number
  generators](https://doi.org/10.1145/2660193.2660195), OOPSLA 2014: SplitMix64. J. Salmon and others,
  [Parallel random numbers: as easy as 1, 2, 3](https://doi.org/10.1145/2063384.2063405), SC 2011: random
  numbers from their places.
- D. Goldberg, [What every computer scientist should know about floating-point
  arithmetic](https://doi.org/10.1145/103162.103163), ACM Computing Surveys 23(1), 1991: the section on
  rounding error, and "Errors in summation" near the end.
- P. Micikevicius and others, [Mixed precision training](https://arxiv.org/abs/1710.03740), 2018, §3: float16
  for the products, float32 for the weights, and why the loss is multiplied by a large number first.
- The [array API standard](https://data-apis.org/array-api/latest/): `__array_namespace__`, and what every
  module of arrays should have.

This was the last chapter. What is left to do is to take a device, real or your own, and to train something.
"""
