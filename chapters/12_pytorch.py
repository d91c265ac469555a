# %% [markdown]
r"""
# 12 · Against PyTorch

與 PyTorch 對照 · 与 PyTorch 对照 · same weights, same numbers, same speed?

Four of the five documents have code, and all of it is PyTorch's. The chapters before this one have built the same
models by hand. Here the two are laid side by side, with two questions.

**Same weights, same numbers?** We carry a model's weights over and compare everything: outputs, loss, each
gradient, and the weights after twenty steps of training. They agree to more than ten digits, once one knows what
is written the other way round over there, and what is there twice.

**Same speed?** A training step written straight from the equations is slow. We take it apart and change one thing
at a time. Every change is proved to leave the gradients as they are, and for every one we count what it saves.
How long it all takes is measured elsewhere, with care; how one measures with care is part of the chapter.

You need what chapter 3 says of the LSTM; what is used of chapters 4, 5, 7 and 9 is said again in short. You
need no PyTorch. Where it is not installed, the cells that ask it are passed over, and the text says what they
show.
"""

# %%
import inspect
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from minis2s.backend import scatter_add
from minis2s.bench import contestants, figures, race, textbook
from minis2s.bench.textbook import IN_WORDS, Ideas, Textbook
from minis2s.bench.workloads import BEST_FORM, STEP_LOOP, find
from minis2s.data.batches import Example, make_batch
from minis2s.exchange import DOCUMENT_004, from_torch, to_torch
from minis2s.exercises import check
from minis2s.functional import flush, row_blocks, transposed
from minis2s.machine import keep_freed_memory
from minis2s.models import Seq2Seq, SignalSeq2Seq, document
from minis2s.models.decoder import runs_of_known_inputs
from minis2s.nn import GRU, LSTM, Dropout, Embedding, Linear, MeanSquaredError, SoftmaxCrossEntropy
from minis2s.nn.lstm import lstm_cell, lstm_cell_backward
from minis2s.optim import SGD, Adam, clip_by_global_norm
from minis2s.packed import Packed
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing, logarithmic
from minis2s.replicas import Replicas
from minis2s.training import Trainer

np.set_printoptions(precision=4, suppress=True)

try:
    import torch
except ImportError:
    torch = None
    print(
        'PyTorch is not installed (pip install "minis2s[torch]"): every cell that begins'
        " with `if torch:` is passed over, and the text says what it shows."
    )

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 000 (繁) | PyTorch 實現編碼器-解碼器模型 | two `nn.LSTM`, a linear layer, squared error, Adam | the same weights in NumPy, the same numbers |
| 002 (简) | 3.2 解码器的公式表示 | $s_t = g(s_{t-1}, y_{t-1}, h_n)$ | that model in PyTorch, one call for all steps |
| 002 (简) | 6.2 Seq2Seq模型的完整实现 | a loop in which each output is the next input | why this loop must be one |
| 003 (简) | 4.2 解码器数学模型 | $W_{ys}$, $W_{ss}$, $W_{hs}$ | which rows of PyTorch's matrices they are |
| 003 (简) | 5.1 编码器实现, 5.2 解码器实现 | one word of one sentence at a time | the same numbers, all words at once |
| 003 (简) | 7. 工具和资源推荐 | PyTorch as a tool | what the tool does, and what it leaves to you |
| 004 (简) | Seq2Seq 模型的实现 | two layers, a loop, `clip_grad_norm_`, Adam | the same numbers; how much is computed, and where time goes |

It comes after chapters 3 to 9, whose layers it compares, and before chapter 13, where the same code runs on a GPU.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 深度學習框架 | 深度学习框架 | deep-learning framework |
| 自動微分 | 自动微分 | automatic differentiation, autograd |
| 權重、偏置 | 权重、偏置 | weights, bias |
| 捨入誤差 | 舍入误差 | rounding error |
| 單精度、雙精度 | 单精度、双精度 | single and double precision: float32, float64 |
| 非正規數 | 非规格化数 | denormal (subnormal) number |
| 下溢 | 下溢 | underflow |
| 矩陣乘法 | 矩阵乘法 | matrix product, GEMM |
| 逐元素運算 | 逐元素运算 | elementwise operation |
| 快取 | 缓存 | cache, here the processor's |
| 頻寬 | 带宽 | bandwidth, here of the memory |
| 算術強度 | 算术强度 | arithmetic intensity |
| 屋頂線模型 | 屋顶线模型 | roofline model |
| 執行緒 | 线程 | thread |
| 基準測試 | 基准测试 | benchmark |
| 預熱 | 预热 | warm-up |
| 中位數、四分位數 | 中位数、四分位数 | median, quartiles |
| 消融實驗 | 消融实验 | ablation: switch one thing at a time |
"""

# %% [markdown]
r"""
## Symbols

| in 003 and 004 | here | in the code | what it is | shape |
|---|---|---|---|---|
| $W_{xh}$, $W_{ys}$ | $W_x$ | `Wx` | weights of the input | (D,4H) |
| $W_{hh}$, $W_{ss}$ | $W_h$ | `Wh` | weights of the state | (H,4H) |
| $b_h$, $b_s$ | $b$ | `b` | bias | (4H,) |
| `nn.LSTM` | $W_{ih}$, $W_{hh}$ | `weight_ih_l0`, `weight_hh_l0` | PyTorch's weights | (4H,D), (4H,H) |
| `nn.LSTM` | $b_{ih}$, $b_{hh}$ | `bias_ih_l0`, `bias_hh_l0` | PyTorch's two biases | (4H,) each |
| | $a_t$, $da_t$ | `a`, `da` | pre-activations of the four gates, and their gradient | (B,4H) |
| | $X$, $dA$ | `X`, `dA` | the rows of all steps below each other | (TB,D), (TB,4H) |
| | $\eta$ | `lr` | learning rate | |
| | $I$ | `operations / bytes` | arithmetic intensity of a computation | |
| | $\pi$, $\beta$ | `PEAK`, `BANDWIDTH` | operations a second at best, bytes a second | |
| | $r_k$ | `ratios` | time of one program over that of the other, in round $k$ | |

B, T, D, H and V are, as always, batch, steps, input, state and vocabulary. Sizes of an LSTM are given; a
plain layer has H columns where it has 4H, a GRU 3H. Mind that 003 writes $W_{hh}$ for a matrix that stands
*before* a column $h$, as PyTorch does; ours stands *behind* a row $h$, and is that one transposed.
"""

# %% [markdown]
r"""
## The idea

Two programs compute the same function. One is PyTorch: you write the forward pass, and it keeps a record of every
operation, then walks back along the record. The other is ours: each backward pass was derived with a pencil and
written down. If both are right, then from the same weights, on the same batch, they must find the same numbers.
Not similar ones. The same, up to the last rounding.

That is a strong test, because they have little in common: other authors, another language, another order of work.
And it must come first. **A program that computes something else may be as fast as it likes.** So the order of this
chapter is the order of every honest benchmark: first the weights, then the numbers, and only then the clock.
"""

# %%
with drawing((8.6, 2.9)) as figure:
    ax = figure.add_subplot(xlim=(-0.9, 10.6), ylim=(-1.75, 1.6))
    ax.axis("off")
    PLACES = {
        "one set of weights,\none batch": (0, 0),
        "minis2s: NumPy,\nbackward passes by hand": (3.4, 0.95),
        "PyTorch: nn.LSTM,\nautograd": (3.4, -0.95),
        "outputs, loss,\nevery gradient,\nweights after 20 steps": (7, 0),
        "the clock": (10, 0),
    }
    look = {"boxstyle": "round,pad=0.5", "ec": "0.4", "fc": "white"}
    boxes = {}
    for number, (text, place) in enumerate(PLACES.items()):
        look["fc"] = "#DCEBF7" if number == 3 else "white"
        drawn = ax.text(*place, text, ha="center", va="center", bbox=look)
        boxes[number] = drawn.get_bbox_patch()
    ends = list(PLACES.values())
    for start, end, said in (
        (0, 1, "as they are"), (0, 2, "to_torch"), (1, 3, ""), (2, 3, ""), (3, 4, "equal?"),
    ):  # fmt: skip
        ways = {"patchA": boxes[start], "patchB": boxes[end], "shrinkA": 3, "shrinkB": 3}
        arrow = {"arrowstyle": "->", "color": "0.2"} | ways
        ax.annotate("", ends[end], ends[start], arrowprops=arrow)
        (x, y), (to_x, to_y) = ends[start], ends[end]
        if said == "equal?":
            ax.text(8.95, 0.18, said, ha="center")
        elif said:
            ax.text(1.25, 0.85 if to_y > y else -1.0, said, ha="center")
figure

# %% [markdown]
r"""
And then, how could the one be faster than the other? The multiplications are the same, and both leave them to
libraries that know the processor. What is left is everything around them. The general tool must be prepared
for everything: it keeps what might be needed, makes a new array for each result, and takes the way back in
the order in which the way forward came. Whoever writes the backward pass for one layer knows more: what will
be needed, what may be overwritten, which sums can wait. This is also all that one has: PyTorch's `nn.LSTM`,
given a whole sequence, is itself a backward pass that somebody wrote by hand, in C++.
"""

# %% [markdown]
r"""
## The equations

No equation of this chapter is a new one. Most of them say the same thing twice.

### A layer, written in two ways

Ours, for a batch of rows:

$$a_t = x_t W_x + h_{t-1} W_h + b \tag{1.1}$$

[PyTorch's manual](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html) writes one gate after
the other, for columns. This is the input gate; $f_t$, $g_t$ and $o_t$ are like it:

$$i_t = \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi})$$

It keeps the four parts on top of each other, in the order $i$, $f$, $g$, $o$, which is ours: `weight_ih_l0`
is (4H,D). Three things are to be done, then.

**Columns to rows.** For a column, $W x$; for a batch of rows, $X W^{\top}$. So

$$W_x = W_{ih}^{\top} \qquad W_h = W_{hh}^{\top}$$

**Order.** The same here. It is not so everywhere, and nothing warns you: all four parts have the same shape.

**Two biases, or one.** PyTorch adds two. Nothing but their sum can be noticed:

$$b = b_{ih} + b_{hh}$$

Why two, then? Because cuDNN, NVIDIA's library, has two, and PyTorch keeps its format ([issue
36905](https://github.com/pytorch/pytorch/issues/36905)). On the way back from PyTorch we take the sum. On the
way there we must choose, and choose $b_{ih} = b$, $b_{hh} = 0$.

### Where the second bias is not idle

In a GRU the state's part of the new content is multiplied by the reset gate $r_t$. With PyTorch's names,

$$n_t = \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn}))$$

and ours

$$n_t = \tanh(a_{x,n} + r_t \odot (h_{t-1} W_{h,n} + b_h)) \tag{4.3}$$

where $a_{x,n}$ is the part of $x_t W_x + b$ that belongs to $n$. Here $b_{hn}$ stands inside the brackets and
$b_{in}$ outside: they do different things. So our GRU has a second bias too, `bh`, of H numbers and not of
3H.

This is the form that resets *after* the product. The GRU of Cho et al. (2014) resets $h_{t-1}$ *before* it,
and that one PyTorch does not have: $(r \odot h) W$ and $r \odot (h W)$ are different functions of the same
weights (chapter 4).

### A step of Adam, written in two ways

With $m$ and $v$ as in the paper and $t$ the number of the step, PyTorch takes

$$p \leftarrow p - \frac{\eta}{1-\beta_1^t} \cdot \frac{m}{\sqrt{v} / \sqrt{1-\beta_2^t} + \varepsilon}$$

Multiply numerator and denominator of the second fraction by $\rho = \sqrt{1-\beta_2^t}$, which is one number
for all parameters:

$$p \leftarrow p - \frac{\eta \rho}{1-\beta_1^t} \cdot \frac{m}{\sqrt{v} + \varepsilon \rho}$$

This is ours. One division less for each parameter, and nothing else is changed. (It is the form that §2 of
the paper ends with; there the $\rho$ at $\varepsilon$ is left out.)

### What a product costs

Each of the N·M entries of (N,D) times (D,M) is a sum of D products: D multiplications and D additions.

$$\text{operations} = 2 N D M$$

What must be fetched and carried back, in float32, 4 bytes a number, if each number moves once:

$$\text{bytes} = 4 (N D + D M + N M)$$

Their quotient is the **arithmetic intensity** (算術強度 / 算术强度) of the product, operations for each byte moved:

$$I = \frac{\text{operations}}{\text{bytes}}$$

A processor does at most $\pi$ operations a second, and its memory gives at most $\beta$ bytes a second. Both
go on at the same time, so the slower of the two says how long it takes:

$$\text{time} \ge \max\left( \frac{\text{operations}}{\pi}, \frac{\text{bytes}}{\beta} \right)$$

Divide the operations by this time, and you have the speed that can be reached:

$$\text{operations a second} \le \min(\pi, \beta I)$$

Drawn over $I$ with logarithmic scales it is a slope, and then a flat: a roof. It is called the **roofline**
(屋頂線 / 屋顶线), after Williams, Waterman and Patterson (2009). What lies under the slope waits for memory; only
what lies under the flat uses the processor.

Let us put some things under it. For the processor we reckon with round numbers, 10¹¹ operations a second for
a core or two, and 10¹⁰ bytes a second; take your own if you know them. The sizes are document 004's, with 128
sentences of 25 words.
"""

# %%
PEAK, BANDWIDTH = 1e11, 1e10  # operations, bytes: each a second
T, B, E, H, V = 25, 128, 256, 512, 10_000


def product(N, D, M, moved=1):
    """(N,D) times (D,M) -> operations, bytes; moved: how often the result goes to or from memory"""
    return 2 * N * D * M, 4 * (N * D + D * M + moved * N * M)


THINGS = {
    "elementwise product, (B,H)": (B * H, 3 * 4 * B * H),
    "h Wh, one sentence": product(1, H, 4 * H),
    "h Wh, one step of the batch": product(B, H, 4 * H),
    "dWh += hᵀ da, one step": product(H, B, 4 * H, moved=4),
    "dWh += Hᵀ dA, all steps": product(H, T * B, 4 * H, moved=4),
    "logits of all steps": product(T * B, H, V),
}
for number, (name, (operations, bytes_moved)) in enumerate(THINGS.items(), 1):
    intensity = operations / bytes_moved
    speed = min(PEAK, BANDWIDTH * intensity) / PEAK
    print(f"{number}  {name:28} {operations:14,} operations, {intensity:6.2f} a byte: {speed:4.0%}")

# %%
with drawing((7.6, 3.5)) as figure:
    ax = figure.add_subplot(xscale="log", yscale="log", xlim=(0.05, 500), ylim=(3e8, 3e11))
    line = np.array([0.05, PEAK / BANDWIDTH, 500])
    ax.plot(line, np.minimum(PEAK, BANDWIDTH * line), color=COLOURS[0], linestyle=DASHES[0])
    for number, (operations, bytes_moved) in enumerate(THINGS.values(), 1):
        x = operations / bytes_moved
        y = min(PEAK, BANDWIDTH * x)
        ax.plot([x, x], [3e8, y], color="0.6", linestyle=DASHES[3], linewidth=1)
        ax.plot(x, y, color=COLOURS[1], marker=MARKERS[0], linestyle="none")
        ax.text(x, y * 1.25, str(number), ha="center")
    ax.set(xlabel="arithmetic intensity, operations a byte", ylabel="operations a second, at most")
    ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    logarithmic(ax, [3e8, 3e11])
    ax.minorticks_off()
    ax.grid()
figure

# %% [markdown]
r"""
Number 1, an elementwise product, cannot use one hundredth of the processor: whatever it does, it waits for
memory. A matrix times one row (2) is not much better, since each weight is fetched for two operations; with
128 rows (3) each weight that has been fetched is used 128 times. This is what a batch is for.

Numbers 4 and 5 are the same sum, the gradient of $W_h$. Step by step, the result is written, read again to be
added, and so is what it is added to: four times 4 MB for every step. In one product, four times for all
steps. For large H the intensity of a single step's sum is nearly
$2 B H \cdot 4H / (4 \cdot 4 \cdot H \cdot 4H) = B / 8$. With 128 sentences it is just beyond the corner; with
half as many it is not, and the processor waits. Of all steps together it is nearly $TB/8$. (What stays in a
cache is fetched more cheaply than this picture says. A matrix of 4 MB seldom does.)

### Numbers that are too small

A float32 is $\pm 1.\text{something} \cdot 2^e$ with 24 binary digits, and $e$ not below -126. What is smaller
than $2^{-126} \approx 1.2 \cdot 10^{-38}$ has no room for a smaller $e$, and so begins with zeros instead:
$0.01\ldots \cdot 2^{-126}$. These are the **denormal** numbers (非正規數 / 非规格化数). All of them are whole
multiples of the smallest one, $2^{-149} \approx 1.4 \cdot 10^{-45}$; below it there is only 0. They were a
good invention. But most processors compute with them on a detour that takes many times as long, on some a
hundred times.

Where would such numbers come from? From gradients that vanish. A factor of a half at every step, as an LSTM
has whose forget gates are at ½, brings a gradient of 1 there in 127 steps.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### A bias that is there twice

In $a_t = x_t W_x + h_{t-1} W_h + b_{ih} + b_{hh}$ a sum hands its gradient on to every term as it is (chapter 3,
rule 2). Each bias is used in every row of every step. So

$$db_{ih} = db_{hh} = \textstyle\sum_t \sum_{\text{rows}} da_t = db$$

Each of them gets the *whole* gradient, not half of it. What follows?

**Plain gradient descent.** Each of the two moves by $-\eta db$. Their sum moves by

$$\Delta(b_{ih} + b_{hh}) = -\eta db - \eta db = -2 \eta db$$

**Adam.** A step of Adam depends on a parameter's own gradients alone. Both have the same, so both move as
ours would; the sum moves twice as far.

**Clipping.** The norm is that of all gradients as one vector, and the $db$ of each recurrent layer is in it twice:

$$\lVert g \rVert^2 = \textstyle\sum \lVert dW \rVert^2 + 2 \sum \lVert db \rVert^2$$

So `nn.LSTM` is the same *function* as ours, but does not *learn* the same: it is as if biases had twice the
learning rate, and the norm that is clipped is larger. Neither is wrong. But whoever compares two trainings
must know it. To make them equal, hold one bias where it is: let the gradient of $b_{hh}$ be 0. It then adds
nothing to the norm, and stays 0. (In a GRU the part $b_{hn}$ must learn, of course.)

### All steps in one product

A weight's gradient is a sum over steps (chapter 3). Entry by entry,

$$(dW_x)_{dm} = \sum_t (x_t^{\top} da_t)_{dm} = \sum_t \sum_b (x_t)_{bd} (da_t)_{bm}$$

The double sum runs over all pairs $(t, b)$. Number these pairs by one number $n$; in memory they are the rows
of the (T,B,D) array, one after the other. With $X$ (TB,D) and $dA$ (TB,4H) for the same numbers in rows,

$$(dW_x)_{dm} = \sum_n X_{nd} (dA)_{nm} = (X^{\top} dA)_{dm}$$

So it is one product. Why is this allowed? Step $t-1$ of the way back needs $dh_{t-1} = da_t W_h^{\top}$ from
step $t$. It does not need $dW_x$. **What nobody waits for can be put off.** The same holds for $x_t W_x$ on
the way forward, where all $x_t$ are known, and for $dx_t = da_t W_x^{\top}$ on the way back.

### A factor that is the same at every step

Additive attention (chapter 9) scores source position $i$ at step $t$ by

$$z_{ti} = \tanh(q_t + k_i) \qquad e_{ti} = \textstyle\sum_a v_a z_{tia}$$

Going back, $e_{ti}$ is a sum over $a$, so $dz_{tia} = de_{ti} v_a$; and through the tanh $q_t + k_i$ gets
$de_{ti} v_a (1 - z_{tia}^2)$. The key $k_i$ is met by every step, so its gradients are summed:

$$(dk_i)_a = \sum_t de_{ti} v_a (1 - z_{tia}^2) = v_a \sum_t de_{ti} (1 - z_{tia}^2)$$

$v_a$ does not depend on $t$ and goes before the sum. Before, there were T·S·B·A multiplications by it; now
there are S·B·A. The same goes for $dq_t$, where the sum is over $i$.

### A batch in two parts

The loss is a mean over the $n$ real tokens of the batch. A sum over all sentences is the sum over the first
half of them and the sum over the second:

$$L = \frac{1}{n} \sum_{\text{tokens}} \mathrm{nll} = \frac{1}{n} \sum_{\text{first half}} \mathrm{nll} + \frac{1}{n} \sum_{\text{second half}} \mathrm{nll}$$

The sentences do not meet anywhere in the model. So two workers can take a half each, go forward and back, and
at the end their gradients are added. One thing only must be shared: both divide by $n$ of the *whole* batch.
If each divided by its own tokens, a short half would count too much: that is the mean of means of chapter 5.
"""

# %% [markdown]
r"""
## By hand

### PyTorch's layer, as its manual has it

Here is an LSTM in NumPy, in PyTorch's layout and by PyTorch's names: matrices before columns, therefore
transposed for rows, and two biases.
"""


# %%
def lstm_of_the_manual(x, state):
    """x (T,B,D), the arrays of an nn.LSTM by name -> hs (T,B,H)"""
    W_ih, W_hh = state["weight_ih_l0"], state["weight_hh_l0"]  # (4H,D), (4H,H)
    b_ih, b_hh = state["bias_ih_l0"], state["bias_hh_l0"]  # (4H,), (4H,)
    h = c = np.zeros((x.shape[1], W_hh.shape[1]))
    hs = []
    for x_t in x:
        a = x_t @ W_ih.T + b_ih + h @ W_hh.T + b_hh  # (B,4H)
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (a_i, a_f, a_o))
        c = f * c + i * np.tanh(a_g)
        h = o * np.tanh(c)
        hs.append(h)
    return np.stack(hs)


# %% [markdown]
r"""
The way over is four lines: two transposes, and the bias once.
"""


# %%
def lstm_to_pytorch(P):
    """P: Wx (D,4H), Wh (H,4H), b (4H,) -> PyTorch's four arrays by name"""
    return {
        "weight_ih_l0": P["Wx"].T,
        "weight_hh_l0": P["Wh"].T,
        "bias_ih_l0": P["b"],
        "bias_hh_l0": np.zeros_like(P["b"]),
    }


rng = np.random.default_rng(0)
layer = LSTM(5, 3, rng, dtype="float64")
layer.params["b"][...] = rng.standard_normal(12)
x = rng.standard_normal((6, 4, 5))  # T, B, D

(hs, _), _ = layer.forward(x)
state = lstm_to_pytorch(layer.params)
np.testing.assert_allclose(lstm_of_the_manual(x, state), hs, rtol=1e-12)

shared = state | {"bias_ih_l0": state["bias_ih_l0"] - 7, "bias_hh_l0": state["bias_hh_l0"] + 7}
np.testing.assert_allclose(lstm_of_the_manual(x, shared), hs, rtol=1e-12)
print({name: array.shape for name, array in state.items()})

# %% [markdown]
r"""
The last comparison took 7 from the one bias and gave it to the other, and nothing was noticed. Now PyTorch
itself, in float64 (`.double()`):
"""

# %%
if torch:
    theirs = torch.nn.LSTM(5, 3).double()
    theirs.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    their_hs, _ = theirs(torch.tensor(x))
    print("torch.nn.LSTM is off by at most", f"{np.abs(their_hs.detach().numpy() - hs).max():.0e}")

# %% [markdown]
r"""
### A whole model

A document's model is an encoder, a decoder and the parts inside. [exchange.py](../minis2s/exchange.py) knows
for every layer what we just did for one, and puts the names of the parts before those of the arrays. `rename`
says what the document calls something that has another name here: 004 calls its output layer `fc_out`.
"""

# %%
print(DOCUMENT_004)
SIZES = {"input_size": 13, "output_size": 11, "embedding_size": 5, "hidden_size": 6}
model = Seq2Seq(document("004", **SIZES, dropout=0.0), np.random.default_rng(0), "float64")
state = to_torch(model, rename=DOCUMENT_004)
for name, array in state.items():
    print(f"{name:28} {array.shape}")

# %% [markdown]
r"""
These are the names and the shapes that the model of document 004 has in PyTorch. Let us build it there. It
fits on a page, and with it three other documents' models: 001's and the one that 003 calls a direct
connection (附录, A1) differ from it by their cell; 002, 3.2 and 003, 4.2 add $h_n$ to the decoder's input at
every step. The decoder's inputs are known (teacher forcing, chapter 7), so one call does for all steps.
"""

# %%
if torch:

    class Side(torch.nn.Module):
        """What encoder and decoder share; the decoder has an output layer on top."""

        def __init__(self, config, V, more=0, output=False):
            super().__init__()
            E, H = config.embedding_size, config.hidden_size
            self.embedding = torch.nn.Embedding(V, E, padding_idx=0)
            kind = getattr(torch.nn, config.cell.upper())  # nn.RNN, nn.LSTM or nn.GRU
            self.rnn = kind(E + more, H, config.layers)
            if output:
                self.fc_out = torch.nn.Linear(H, V)

    class TorchModel(torch.nn.Module):
        """source (S,B) ids, y (T,B) ids -> logits (T,B,V)"""

        def __init__(self, config):
            super().__init__()
            self.tells_every_step = config.context == "every step"
            more = config.hidden_size if self.tells_every_step else 0
            self.encoder = Side(config, config.input_size)
            self.decoder = Side(config, config.output_size, more, output=True)

        def forward(self, source, y):
            _, state = self.encoder.rnn(self.encoder.embedding(source))
            x = self.decoder.embedding(y)
            if self.tells_every_step:
                h_n = state[0] if isinstance(state, tuple) else state  # (layers,B,H)
                x = torch.cat([x, h_n[-1].expand(len(x), -1, -1)], dim=2)
            features, _ = self.decoder.rnn(x, state)
            return self.decoder.fc_out(features)


def in_pytorch(model):
    """PyTorch's model with the weights of ours."""
    theirs = TorchModel(model.config).to(getattr(torch, str(model.dtype)))
    state = to_torch(model, rename=DOCUMENT_004)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return theirs


if torch:
    print(in_pytorch(model))

# %% [markdown]
r"""
`load_state_dict` is strict: it would have complained of a name that is missing, of one too many, and of a
shape that does not fit. What it cannot complain of is a number in the wrong place.
"""

# %% [markdown]
r"""
## With a pencil

### Two biases, the same sum

Take a GRU with $H = 1$ and $h_{t-1} = 0$, its reset gate at $r = \tfrac12$, no input. Let the two biases of
the new content sum to $\ln 3$, in two ways:

| | $b_{in}$ | $b_{hn}$ | $b_{in} + r b_{hn}$ | $n = \tanh(\ldots)$ |
|---|---|---|---|---|
| all in the first | $\ln 3$ | 0 | $\ln 3$ | $\tfrac{9-1}{9+1} = $ **0.8** |
| all in the second | 0 | $\ln 3$ | $\tfrac12 \ln 3$ | $\tfrac{3-1}{3+1} = $ **0.5** |

The same sum, and two different numbers. An exchange that adds up *all* biases, as is right for an LSTM, is
wrong for a GRU, and wrong by an amount that no shape shows.
"""

# %%
gru = GRU(1, 1, np.random.default_rng(0), dtype="float64")
for param in gru.params.values():
    param[...] = 0  # so that r = z = 1/2
for in_first, in_second in ((1, 0), (0, 1)):
    gru.params["b"][2], gru.params["bh"][0] = in_first * np.log(3), in_second * np.log(3)
    (hs, _), _ = gru.forward(np.zeros((1, 1, 1)))
    print(f"n = {2 * hs[0, 0, 0]:.1f}")  # h = (1 - z) n + z 0 = n / 2

# %% [markdown]
r"""
### A step with one bias, and with two

A model with one weight and one bias has the gradients $dW = 1$ and $db = 2$. Ours has the norm
$\sqrt{1 + 4} = 2.236$. PyTorch's, with two biases, has $\sqrt{1 + 4 + 4} = 3$. Clipped to a norm of 1, ours leaves
$dW = 1 / 2.236 = 0.447$ and PyTorch's $dW = 1/3 = 0.333$. Then gradient descent with $\eta = 0.1$:

| | $dW$, clipped | $db$, clipped | $W$ moves by | the biases' sum moves by |
|---|---|---|---|---|
| one bias | 0.447 | 0.894 | -0.0447 | -0.0894 |
| two biases | 0.333 | 0.667 each | -0.0333 | -0.0667 · 2 = **-0.1333** |
"""

# %%
for biases in (["b"], ["b_ih", "b_hh"]):
    params = {name: np.zeros(1) for name in ("W", *biases)}
    grads = {"W": np.array([1.0])} | {name: np.array([2.0]) for name in biases}
    norm = clip_by_global_norm(grads, 1.0)
    SGD(0.1).update(params, grads)
    W, *b = (param[0] for param in params.values())
    print(f"norm {norm:.3f}: W moves by {W:.4f}, the biases' sum by {sum(b):.4f}")

# %% [markdown]
r"""
### The way down

Halve 1 again and again, in float32. After 126 halvings we are at $2^{-126}$, the smallest normal number. The
127th is the first denormal one, the 149th the last; half of that would be $2^{-150}$, lies exactly between
$2^{-149}$ and 0, and is rounded to 0, the even one of the two.

And now multiply by 0.6. At $2^{-149}$ the next number would be $0.6 \cdot 2^{-149}$. It lies between 0 and
$2^{-149}$, and nearer to the latter: **it is rounded up to where it was.** With any factor above ½ the
smallest denormal number never dies.
"""

# %%
tiny, smallest = np.finfo("float32").tiny, np.finfo("float32").smallest_subnormal
x, halvings = np.float32(1), Counter()
while x > 0:
    x = x * np.float32(0.5)
    halvings["normal" if x >= tiny else "denormal" if x > 0 else "zero"] += 1
print(dict(halvings))
print(f"{smallest:.1e} · 0.6 = {smallest * np.float32(0.6):.1e}")
print(f"{smallest:.1e} · 0.5 = {smallest * np.float32(0.5):.1e}")

# %% [markdown]
r"""
## The gradient check

Chapter 2 asks finite differences whether a gradient is right. Here the judge is another program, and it is a
sharper one: finite differences agree to eight or nine digits at best, two exact programs to fifteen.

### Loss and every gradient

One batch of random words. Some targets are padding, which does not count (`ignore_index=0`, as in 004). The
sources are all of one length. (Where they are not, PyTorch wants `pack_padded_sequence` and we want
`lengths`: chapter 6.)
"""


# %%
def random_batch(rng):
    """source (S,B), y (T,B), targets (T,B) of random words, two of the targets padded"""
    source, y, targets = (rng.integers(1, 11, (T, 4)) for T in (7, 6, 6))
    targets[4:, 1] = 0
    return source, y, targets


def our_step(model, source, y, targets):
    """Forward, loss, backward -> logits, loss; the gradients are left in model.grads"""
    loss = SoftmaxCrossEntropy(ignore_index=0)
    (logits, _), cache = model.forward(source, None, y)
    L, loss_cache = loss.forward(logits, targets)
    model.zero_grad()
    model.backward(loss.backward(1.0, loss_cache), None, cache)
    return logits, float(L)


def their_step(theirs, source, y, targets):
    """The same; the gradients are left in each parameter's .grad"""
    source, y, targets = map(torch.from_numpy, (source, y, targets))
    logits = theirs(source, y)
    L = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
    theirs.zero_grad()
    L.backward()
    return logits.detach().numpy(), L.item()


def in_their_layout(model, arrays):
    """Arrays by our names, such as gradients, by PyTorch's names and in its shapes."""
    carrier = deepcopy(model)
    carrier.load(arrays)
    return to_torch(carrier, rename=DOCUMENT_004)


def apart(found, expected):
    """The largest difference, relative to the largest number."""
    return np.abs(found - expected).max() / np.abs(expected).max()


# %% [markdown]
r"""
Gradients travel by the same road as weights: what is transposed there is transposed here. Of the two biases
our $db$ goes to the first; the second one's gradient should be equal to it, as we have derived.
"""

# %%
batch = random_batch(np.random.default_rng(1))
logits, L = our_step(model, *batch)
if torch:
    theirs = in_pytorch(model)
    their_logits, their_L = their_step(theirs, *batch)
    print(f"logits: {apart(their_logits, logits):.0e} apart;  loss: {L:.15f}")
    print(f"                              PyTorch's: {their_L:.15f}")

    grads = in_their_layout(model, model.grads)
    for name, parameter in theirs.named_parameters():
        ours = grads[name.replace("bias_hh", "bias_ih")]
        found = apart(parameter.grad.numpy(), ours)
        assert found < 1e-10, name
        print(f"{name:28} {ours.shape!s:9} {found:.0e} apart")

# %% [markdown]
r"""
The third column is the rounding of float64 and nothing else. In this comparison there is no tolerance to
argue about.

### A planted error

Not everybody keeps the gates in this order; the exchange format ONNX, for one, has $i$, $o$, $f$, $g$. Let
somebody believe that PyTorch's is $i$, $f$, $o$, $g$. The shapes fit; `load_state_dict` says nothing. What does
the loss say?
"""


# %%
def with_other_order(state, H):
    """The same arrays, the last two of the four gates exchanged."""
    order = np.r_[0 : 2 * H, 3 * H : 4 * H, 2 * H : 3 * H]
    return {name: array[order] if ".rnn." in name else array for name, array in state.items()}


if torch:
    wrong = with_other_order(state, model.config.hidden_size)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in wrong.items()})
    _, their_L = their_step(theirs, *batch)
    print(f"loss: {L:.4f}, PyTorch's {their_L:.4f}")
    for name, parameter in list(theirs.named_parameters())[:4]:
        ours, found = grads[name.replace("bias_hh", "bias_ih")], parameter.grad.numpy()
        place = tuple(map(int, np.argwhere(~np.isclose(found, ours, rtol=1e-10))[0]))
        print(f"{name}{list(place)} is {found[place]:.1e}, should be {ours[place]:.1e}")

# %% [markdown]
r"""
The two losses are less than a thousandth apart: an untrained model knows next to nothing, in whatever order
its gates are. Trained weights would have shown it. But one would rather know before. The gradients say it at
once.

(Without PyTorch the manual's LSTM tells the same. Exercise 4 has a broken exchange for you to mend.)

### The other documents

The same for the other models that are written with these parts, the plain layer and the GRU among them; and
for 000, which is over vectors and has a squared error. 000 calls its parts otherwise; `rename` again.
"""

# %%
NAMES_000 = {"encoder": "encoder.rnn", "decoder": "decoder.rnn", "output": "decoder.fc"}
signals = SignalSeq2Seq(document("000"), np.random.default_rng(0), "float64")  # its own sizes
rng = np.random.default_rng(2)
source, targets = rng.standard_normal((2, 3, 5, 10))
y = np.concatenate([np.zeros_like(targets[:1]), targets[:-1]])  # shifted, see chapter 7

(outputs, _), cache = signals.forward(source, None, y)
L, loss_cache = MeanSquaredError().forward(outputs, targets)
doutputs, _ = MeanSquaredError().backward(1.0, loss_cache)
signals.zero_grad()
signals.backward(doutputs, None, cache)

if torch:

    class TorchSignals(torch.nn.Module):
        """Two nn.LSTM and a linear layer, the batch first, as in 000."""

        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = torch.nn.Module(), torch.nn.Module()
            self.encoder.rnn = torch.nn.LSTM(10, 20, batch_first=True)
            self.decoder.rnn = torch.nn.LSTM(10, 20, batch_first=True)
            self.decoder.fc = torch.nn.Linear(20, 10)

        def forward(self, source, y):
            _, state = self.encoder.rnn(source)
            return self.decoder.fc(self.decoder.rnn(y, state)[0])

    theirs = TorchSignals().double()
    arrays = to_torch(signals, rename=NAMES_000)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    source, y, targets = (torch.from_numpy(a.swapaxes(0, 1)) for a in (source, y, targets))
    their_L = torch.nn.functional.mse_loss(theirs(source, y), targets)
    their_L.backward()
    carrier = deepcopy(signals)
    carrier.load(signals.grads)
    grads = to_torch(carrier, rename=NAMES_000)
    worst = max(
        apart(parameter.grad.numpy(), grads[name.replace("bias_hh", "bias_ih")])
        for name, parameter in theirs.named_parameters()
    )
    assert abs(L - their_L.item()) < 1e-10 and worst < 1e-10
    print(f"000: loss {abs(L - their_L.item()):.0e} apart, gradients {worst:.0e}")

# %%
WORDS = ("001", "002 §3", "003 §4.2", "003 §9 direct", "004")


def model_of(name, dtype="float64"):
    return Seq2Seq(document(name, **SIZES, dropout=0.0), np.random.default_rng(0), dtype)


def their_gradients(theirs, cell):
    """By name; the second bias where it is only the first again is left out."""
    grads = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    if cell != "gru":
        return {name: grad for name, grad in grads.items() if "bias_hh" not in name}
    H = SIZES["hidden_size"]
    return {name: g[2 * H :] if "bias_hh" in name else g for name, g in grads.items()}


if torch:
    for name in WORDS:
        ours = model_of(name)
        theirs = in_pytorch(ours)
        (_, L), (_, their_L) = our_step(ours, *batch), their_step(theirs, *batch)
        grads, cell = in_their_layout(ours, ours.grads), ours.config.cell
        worst = max(
            apart(grad, grads[key][-len(grad) :])  # of a GRU's second bias the last part
            for key, grad in their_gradients(theirs, cell).items()
        )
        assert abs(L - their_L) < 1e-10 and worst < 1e-10
        print(f"{name:14} {cell:4}  loss {abs(L - their_L):.0e} apart, gradients {worst:.0e}")

# %% [markdown]
r"""
In `002 §3` and `003 §4.2` the decoder reads $[y_{t-1} ; h_n]$ side by side. Then
$[y ; h_n] W = y W_1 + h_n W_2$ with $W_1$ the upper rows of $W$ and $W_2$ the lower ones: these are the
$W_{ys}$ and $W_{hs}$ of 003, 4.2, and in PyTorch the left and the right columns of `weight_ih_l0`.

### Twenty steps of Adam, clipped

If one step is the same, are twenty? Each step starts from where the last one ended, so that a small
difference in one of them would be carried on. A hook holds the second bias, as derived above: a function that
PyTorch calls with a gradient, and whose result takes the gradient's place. The clipping norm is so low that
it is exceeded at every step.
"""


# %%
def hold_second_biases(theirs, cell, H):
    """Of bias_hh only what no other bias can do learns: b_hn of a GRU."""
    for name, parameter in theirs.named_parameters():
        if "bias_hh" in name:
            learns = torch.zeros_like(parameter)
            if cell == "gru":
                learns[2 * H :] = 1
            parameter.register_hook(lambda grad, learns=learns: grad * learns)


def train_both(ours, theirs, steps=20, lr=0.01, clip=0.1):
    """-> largest differences of the losses, and of the parameters in the end; smallest norm"""
    rng = np.random.default_rng(3)
    adam, their_adam = Adam(lr), torch.optim.Adam(theirs.parameters(), lr)
    losses, norms = [], []
    for _ in range(steps):
        batch = random_batch(rng)
        _, L = our_step(ours, *batch)
        norms.append(clip_by_global_norm(ours.grads, clip))
        adam.update(ours.params, ours.grads)

        _, their_L = their_step(theirs, *batch)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        their_adam.step()
        losses.append(abs(L - their_L))
    back = deepcopy(ours)
    from_torch(back, theirs.state_dict(), rename=DOCUMENT_004)  # adds the two biases
    moved = max(np.abs(back.params[name] - param).max() for name, param in ours.params.items())
    return max(losses), moved, min(norms)


if torch:
    for held in (True, False):
        print("second bias", "held:" if held else "free:")
        for name in WORDS:
            ours = model_of(name)
            theirs = in_pytorch(ours)
            if held:
                hold_second_biases(theirs, ours.config.cell, ours.config.hidden_size)
            loss_apart, params_apart, norm = train_both(ours, theirs)
            assert norm > 0.1 and (params_apart < 1e-10) == held
            print(f"  {name:14} losses {loss_apart:.0e} apart, parameters {params_apart:.0e}")

# %% [markdown]
r"""
With the second bias held, twenty steps end at the same weights, to more than ten digits: forward, loss,
backward, clipping and Adam are the same, for a plain layer, an LSTM and a GRU. With it free they are, after
twenty steps of about 0.01, a tenth apart. Nothing is broken there; it is another training.

### What differs

**The order of sums.** In float32 there are seven digits, and a sum that is taken in another order differs in
the last of them. So equality means less there. Which of the two is nearer to the truth? We have it, from
float64:
"""

# %%
truth = model_of("004")
our_step(truth, *batch)
expected = in_their_layout(truth, truth.grads)
ours = model_of("004", "float32")
our_step(ours, *batch)
grads = in_their_layout(ours, ours.grads)
names = [name for name in expected if "bias_hh" not in name]
worst = max(apart(grads[n], expected[n]) for n in names)
print(f"ours in float32:      {worst:.0e} from float64")
if torch:
    theirs = in_pytorch(ours)
    their_step(theirs, *batch)
    found = their_gradients(theirs, "lstm")
    worst = max(apart(found[n], expected[n]) for n in names)
    print(f"PyTorch's in float32: {worst:.0e} from float64")
    worst = max(apart(found[n], grads[n]) for n in names)
    print(f"from each other:      {worst:.0e}")

# %% [markdown]
r"""
Both are as near as float32 comes, and about as far from each other as from the truth. This is why gradients
are checked in float64: in float32 a small mistake and a rounding cannot be told apart.

**Another road.** PyTorch keeps its record as a graph, an entry for every operation. Let us count the entries for a
layer of three steps:
"""


# %%
def record_of(output):
    """The operations that PyTorch will walk back through, by name"""
    seen, names, ahead = set(), Counter(), [output.grad_fn]
    while ahead:
        entry = ahead.pop()
        if entry is not None and entry not in seen:
            seen.add(entry)
            names[entry.name().removesuffix("0")] += 1
            ahead += [earlier for earlier, _ in entry.next_functions]
    del names["torch::autograd::AccumulateGrad"]  # the ends: one for each parameter
    return names


if torch:
    for dtype in (torch.float64, torch.float32):
        hs, _ = torch.nn.LSTM(4, 5).to(dtype)(torch.zeros(3, 2, 4, dtype=dtype))
        names = record_of(hs)
        print(f"{dtype}: {sum(names.values()):2} entries, such as {next(iter(names))}")

# %% [markdown]
r"""
In float64 every gate of every step has its entry, and autograd walks back through them. In float32 (on
Intel's and AMD's processors at least) the whole layer is a single entry: the backward pass of Intel's oneDNN
library, which somebody derived with a pencil. So the comparison in float64 has judged the one, and that in
float32 the other. It is the other that we shall race against.

**The GRU's form.** A GRU as Cho et al. (2014) define it has no twin in PyTorch, and the exchange says so
rather than give numbers that mean something else:
"""

# %%
try:
    to_torch(GRU(5, 3, np.random.default_rng(0), reset_after=False))
except ValueError as error:
    print(error)

# %% [markdown]
r"""
**Dropout.** Both drop with probability $p$ and divide what is kept by $1 - p$, at the same places: after the
embedding, and between the layers. But the random numbers come from two generators. No seed makes them the
same, so comparisons are made with $p = 0$. What can be compared is how many are dropped, and that the mean
stays 1:
"""

# %%
ones = np.ones((200, 500))
dropped, _ = Dropout(0.3).forward(ones, np.random.default_rng(0))
print(f"minis2s: {(dropped == 0).mean():.3f} dropped, mean {dropped.mean():.3f}")
if torch:
    torch.manual_seed(0)
    their_dropped = torch.nn.Dropout(0.3)(torch.from_numpy(ones)).numpy()
    print(f"PyTorch: {(their_dropped == 0).mean():.3f} dropped, mean {their_dropped.mean():.3f}")

# %% [markdown]
r"""
**Where training starts.** Weights that are carried over start the same. Weights that each side draws for
itself do not:
"""

# %%
rng = np.random.default_rng(0)
layers = {
    "LSTM(256, 512)": (LSTM(256, 512, rng), lambda nn: nn.LSTM(256, 512)),
    "Embedding(1000, 256)": (Embedding(1000, 256, rng), lambda nn: nn.Embedding(1000, 256)),
    "Linear(512, 1000)": (Linear(512, 1000, rng), lambda nn: nn.Linear(512, 1000)),
}
for name, (ours, make) in layers.items():
    spread = {key: round(float(param.std()), 3) for key, param in ours.params.items()}
    print(f"{name:21} minis2s: {spread}")
    if torch:
        drawn = {key: p.detach() for key, p in make(torch.nn).named_parameters()}
        spread = {key.removesuffix("_l0"): round(p.std().item(), 3) for key, p in drawn.items()}
        print(f"{'':21} PyTorch: {spread}")
forget = layers["LSTM(256, 512)"][0].params["b"][512:1024]
print(f"bias of our forget gates: {forget.min():.0f} to {forget.max():.0f}, of the others 0")

# %% [markdown]
r"""
The matrices have the same spread, $U(-1/\sqrt{H}, 1/\sqrt{H})$. The biases have not: PyTorch draws both of
them as it draws the weights, so that their sum is about 0 for all four gates; we start at 0, and the forget
gate at 1, so that it remembers before it has learnt to (chapter 3). (0.433 is no spread of random numbers: it
is that of three zeros and a one.) PyTorch's word vectors are ten times as long as ours.

And **biases count twice** in what `clip_grad_norm_` measures, as we have seen.
"""

# %% [markdown]
r"""
## The same from minis2s

The numbers are the same. Now to the second question, and to what stands behind the answer, whatever it is on your
machine.

### A step as a textbook writes it

Here is a training step for the model of 004, written line by line from the equations: everything in the loop
over time, each result a new array, each weight gradient added at every step. It is in the library for this
purpose ([textbook.py](../minis2s/bench/textbook.py)), with switches, `self.ideas`, for nine ideas. For now
all of them are off; read past them.
"""

# %%
print(inspect.getsource(Textbook.lstm))
print(inspect.getsource(Textbook.lstm_backward))
for name, words in IN_WORDS.items():
    print(f"{name:22}{words}")

# %% [markdown]
r"""
The first thing, always: does it compute the same? Here are the gradients of the textbook's step, with each of
its ideas by itself, against those of `minis2s`. (The model is a small 004, without dropout, and the
difference is relative to the largest number of each array.)
"""

# %%
workload = find("004").tiny().comparable()


def gradients_of(ideas, dtype):
    contestant = Textbook(workload, dtype, ideas)
    contestant.step()
    return contestant.gradients()


expected = {dtype: contestants.make("minis2s", workload, dtype) for dtype in ("float64", "float32")}
for contestant in expected.values():
    contestant.step()
print(f"{'':22} float64  float32")
for idea in ("", *Ideas._fields):
    ideas = Ideas(**{idea: True}) if idea else Ideas()
    worst = []
    for dtype, contestant in expected.items():
        found, wanted = gradients_of(ideas, dtype), contestant.gradients()
        worst.append(max(apart(found[name], wanted[name]) for name in wanted))
    assert worst[0] < 1e-12 and worst[1] < 1e-4
    print(f"{idea or 'none of them':22} {worst[0]:.0e}    {worst[1]:.0e}")

# %% [markdown]
r"""
Every row computes the same. And so does PyTorch, in both of the forms that will be timed, the document's loop
and the best that we could make of it ([rivals.py](../minis2s/bench/rivals.py)):
"""

# %%
if torch:
    for form, found in contestants.differences([STEP_LOOP, BEST_FORM], workload, "float64").items():
        print(f"{form}: {found:.0e} apart")

# %% [markdown]
r"""
### A speedometer that is no clock

Times are different on every machine and every day. Counts are not. So let us make an array that counts what
is done with it: how many functions of NumPy are called, how many operations the matrix products take, how
many numbers the elementwise functions make or read, and how many bytes go through all of them. (You need not
read the next cell to follow; it stands here so that you can count programs of your own.)
"""


# %%
class Tally:
    """What was done: calls by name, operations of products, other numbers, bytes, float64 calls"""

    def __init__(self):
        self.calls, self.operations, self.numbers, self.bytes, self.wide = Counter(), 0, 0, 0, 0

    def add(self, name, inputs, result):
        arrays = [array for array in (*inputs, result) if isinstance(array, np.ndarray)]
        self.calls[name] += 1
        self.bytes += sum(array.nbytes for array in arrays)
        self.wide += any(array.dtype == "float64" for array in arrays)
        if name == "matmul" and arrays[-1].ndim > 1:
            self.operations += 2 * result.size * inputs[0].shape[-1]
        else:
            self.numbers += max((array.size for array in arrays), default=0)


class Counted(np.ndarray):
    """An array whose functions are counted, and whose results are counted arrays again."""

    tally, inside = Tally(), False

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):  # x + y, x @ y, np.exp
        inputs = [bare(x) for x in inputs]
        if out:
            options["out"] = tuple(bare(x) for x in out)
        result = getattr(ufunc, method)(*inputs, **options)
        if not Counted.inside:
            Counted.tally.add(ufunc.__name__, inputs, result)
        return out[0] if out else counted(result)

    def __array_function__(self, function, types, arguments, options):  # np.concatenate, np.split
        within, Counted.inside = Counted.inside, True  # what it calls in turn is not counted
        try:
            result = super().__array_function__(function, types, arguments, options)
        finally:
            Counted.inside = within
        if not within:
            Counted.tally.calls[function.__name__] += 1
        return counted(result)


def bare(x):
    return x.view(np.ndarray) if isinstance(x, Counted) else x


def counted(x):
    return x.view(Counted) if type(x) is np.ndarray else x


def counting(function, *arrays):
    """Call it with counted arrays -> the Tally"""
    Counted.tally = Tally()
    function(*map(counted, arrays))
    return Counted.tally


a = np.ones((3, 4), "float32")
tally = counting(lambda a: 1 / (1 + np.exp(-a @ a.T)), a)
print(dict(tally.calls), "operations:", tally.operations, "other numbers:", tally.numbers)

# %% [markdown]
r"""
A product of (3,4) and (4,3) is 2 · 3 · 4 · 3 = 72 operations, and each of the four others makes or reads at
most 12 numbers: 12 for the minus sign in front of `a`, and three times 9.

Now a whole training step. All parameters become counted arrays, and with them everything that is computed
from them.
"""


# %%
def counted_step(contestant):
    """One training step of the textbook or of minis2s -> its Tally"""
    contestant.step()  # the first step also makes what the later ones keep
    if isinstance(contestant, Textbook):
        for arrays in (contestant.params, contestant.m, contestant.v):
            arrays |= {name: counted(array) for name, array in arrays.items()}
    else:
        packed = contestant.packed if hasattr(contestant, "packed") else contestant.trainer.packed
        packed.params, packed.grads = counted(packed.params), counted(packed.grads)
        for path, leaf in contestant.model.leaves():
            for own, views in zip((leaf.params, leaf.grads), packed.views):
                for name in own:
                    own[name] = views[path + name] = counted(own[name])
    empty, asarray = np.empty, np.asarray  # arrays that are made new are to be counted as well
    with (
        mock.patch.object(np, "empty", lambda *size, **options: counted(empty(*size, **options))),
        mock.patch.object(np, "asarray", lambda *x, **options: counted(asarray(*x, **options))),
    ):
        return counting(contestant.step)


smaller = {"input_size": 1000, "output_size": 1000, "embedding_size": 64, "hidden_size": 128}
small = find("004").comparable()
small = replace(small, model=small.model | smaller, batch=32)
rows = ["textbook", *(f"textbook with {n}" for n in range(1, len(Ideas._fields) + 1)), "minis2s"]
tallies = {name: counted_step(contestants.make(name, small, "float32")) for name in rows}

print("one idea more a row    calls  products  operations    others  moved   in float64")
for label, tally in zip(["as in the textbook", *Ideas._fields, "minis2s"], tallies.values()):
    print(
        f"{label:20} {sum(tally.calls.values()):7,} {tally.calls['matmul']:9}"
        f" {tally.operations / 1e9:9.2f}·10⁹ {tally.numbers / 1e6:6.1f}·10⁶"
        f" {tally.bytes / 1e6:5.0f} MB {tally.wide:7,}"
    )
assert tallies["textbook"].operations == small.flops()

# %% [markdown]
r"""
(25 steps, 32 sentences, a quarter of the document's state and a tenth of its vocabularies. "Others" are the
numbers of all elementwise functions together. The last line says that the operations are exactly those that a
formula gives for this model, product by product, forward and twice that back.)

Look down the columns. **The operations hardly change.** No product is spared; every multiplication of the
textbook's step is in the last row as well. What changes is the rest: fewer products and calls, fewer bytes,
no float64. That is what nearly all of the ideas are about. (Some rows have *more* calls than the row above.
`loss_in_place` calls once for each block, so that the bytes which it moves stay in a cache; the count of
bytes does not know of caches. `rows_without_repeats` adds in several rounds. And the last switch is an
insurance: it costs a little always, and saves much where gradients vanish.) One after the other, then, in the
order of the switches.
"""

# %% [markdown]
r"""
### 1. Numbers that make others wide: `plain_scalars`

NumPy adds float32 to float32 in float32. But if one of the two is float64, the result is; and a scalar of
NumPy's counts like an array. The number of tokens, `np.sum(targets != 0)`, is an `np.int64`, which float32
cannot hold exactly. So:
"""

# %%
a = np.ones((2, 3), "float32")
for n in (np.int64(7), np.float64(0.5), np.float32(0.5), 7, 0.5):
    print(f"float32 array / {type(n).__name__:8} is {(a / n).dtype}")

# %% [markdown]
r"""
One division by the number of tokens, and the gradient of the logits is float64; and from there on everything
that it meets, through all layers to the word vectors. That is the last column of the table: thousands of
calls on numbers of twice the size, with products at half the speed. Nothing warns. The cure is `int(n)`:
Python's own numbers take the array's type.

### 2. A sigmoid by way of tanh: `sigmoid_by_tanh`

Multiply numerator and denominator of the sigmoid by $e^{x/2}$:

$$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^{x/2}}{e^{x/2} + e^{-x/2}}$$

And the numerator is half of $(e^{x/2} + e^{-x/2}) + (e^{x/2} - e^{-x/2})$. So

$$\sigma(x) = \frac12 \left( 1 + \frac{e^{x/2} - e^{-x/2}}{e^{x/2} + e^{-x/2}} \right) = \frac{1 + \tanh(x/2)}{2}$$

The same number, by another road. On that road nothing overflows, so that one need not look at each $x$ first
and choose between two formulas (which is slow); no division is needed (which is slow); and it can be done in
place.
"""

# %%
x = np.linspace(-200, 200, 9, dtype="float32")
with np.errstate(over="raise"):
    try:
        textbook.sigmoid_by_exp(x)
    except FloatingPointError as error:
        print("1 / (1 + exp(-x)):", error)
    print("(1 + tanh(x/2)) / 2:", textbook.sigmoid_by_tanh(x))
x = np.random.default_rng(0).standard_normal((50, 40))
np.testing.assert_allclose(textbook.sigmoid_by_tanh(x), textbook.sigmoid_by_exp(x), rtol=1e-12)

# %% [markdown]
r"""
In the table this row is like the one above it: as many calls, as many bytes. What it saves is within the
calls, and only a clock can see that.

### 3. Inputs of all steps at once: `inputs_at_once`

In (1.1) only $h_{t-1}$ has to be waited for. All $x_t W_x$ are one product of (TB,D) rows before the loop, and all
$dx_t = da_t W_x^{\top}$ one after it. The same operations, in a T-th of the calls; and $W_x$ is fetched once.

### 4. Weight gradients of all steps at once: `weights_at_once`

The derivation above, and numbers 4 and 5 under the roof.
"""

# %%
rng = np.random.default_rng(0)
T, B, D, H = 25, 16, 20, 30
x, das = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, 4 * H))
Wx = rng.standard_normal((D, 4 * H))


def at_every_step(x, das, Wx):
    dWx = np.zeros_like(Wx)
    for x_t, da in zip(x, das):
        dWx += x_t.T @ da
    return np.stack([x_t @ Wx for x_t in x]), dWx, np.stack([da @ Wx.T for da in das])


def at_once(x, das, Wx):
    X, dA = x.reshape(T * B, D), das.reshape(T * B, 4 * H)
    return (X @ Wx).reshape(T, B, -1), X.T @ dA, (dA @ Wx.T).reshape(T, B, -1)


for many, one in zip(at_every_step(x, das, Wx), at_once(x, das, Wx)):
    np.testing.assert_allclose(one, many, rtol=1e-10, atol=1e-10)
for function in (at_every_step, at_once):
    tally = counting(function, x, das, Wx)
    print(f"{function.__name__:14} {dict(tally.calls)}, {tally.bytes / 1e6:.1f} MB")

# %% [markdown]
r"""
75 products have become three, and a third of the bytes is left.

### 5. Logits of all steps at once: `logits_at_once`

The output layer takes two fifths of all operations in document 004's model, and its matrix is the largest. It
reads $s_t$, and nobody waits for its result, if the next input is known. So all T·B rows go through it in one
product; and its weight gradient is one product, too.

And if the next input is *not* known, because the decoder is to be fed its own word? Then step $t$ must have
its logits before step $t + 1$ can begin. But only there. Between two such places the inputs are known, and
the steps are one run:
"""

# %%
for share in (1.0, 0.5, 0.0):
    runs = runs_of_known_inputs(8, share, np.random.default_rng(0))
    print(f"teacher forcing {share}: {runs}")

# %% [markdown]
r"""
With a teacher all the time it is one run, without one it is as many as there are steps.

### 6. The loss, in place and in blocks: `loss_in_place`

The logits are the largest array of all: 25 · 128 rows of 10,000 numbers, 128 MB. A textbook makes of them,
one after the other: the logits less their maximum, the exponentials, the probabilities, a one-hot array,
logarithms, a product, the difference. Each is another 128 MB, written to memory and read from it again.

What is needed of all this? The gradient is $(p - \text{one-hot}) / n$ (chapter 5), of the same shape as the
logits; the logits themselves nobody needs any more. So let the gradient take their place: subtract,
exponentiate, divide, all in place. One-hot subtracts 1 at one place a row: an indexed subtraction. And do not
pass over the whole array five times: take as many rows as fit into a cache, do all five things to them, and
go on to the next rows. This is the library's function; `row_blocks` gives the slices.
"""

# %%
print(inspect.getsource(SoftmaxCrossEntropy.overwrite))

# %% [markdown]
r"""
The same numbers, and how much memory at its highest, in units of the logits:
"""


# %%
def memory(function, *arguments):
    """The most bytes that it has in hand at once, beside what it was given."""
    tracemalloc.start()
    function(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


rng = np.random.default_rng(0)
logits = rng.standard_normal((400, 5000)).astype("float32")
targets = rng.integers(0, 5000, 400)
loss = SoftmaxCrossEntropy()


def forward_and_backward(logits, targets):
    L, cache = loss.forward(logits, targets)
    return L, loss.backward(1.0, cache)


def overwritten(logits, targets):
    return loss.overwrite(logits, targets), logits


ways = {
    "a textbook, one-hot": lambda *inputs: textbook.cross_entropy_one_hot(*inputs, 400),
    "forward, backward": forward_and_backward,
    "overwrite": overwritten,
}
expected = forward_and_backward(logits, targets)
for name, way in ways.items():
    L, dlogits = way(logits.copy(), targets)
    np.testing.assert_allclose(L, expected[0], rtol=1e-5)
    np.testing.assert_allclose(dlogits, expected[1], rtol=1e-4, atol=1e-9)
    given = logits.copy()
    print(f"{name:20} {memory(way, given, targets) / logits.nbytes:4.1f} times the logits")
block = row_blocks(logits)[0]
print(f"a block: {block.stop} rows, {logits[block].nbytes / 1024:.0f} KB")

# %% [markdown]
r"""
The textbook needs five times the memory of the logits besides the logits themselves. `overwrite` needs next
to none.

### 7. Rows without repeats: `rows_without_repeats`

A word that occurs five times in a batch gets five gradients added to its row. `dW[ids] += dx` does not do
that: of equal ids only one gets its way. NumPy's `np.add.at` does, but goes along the rows one by one. The
library sorts the ids, and adds in rounds: first the first occurrence of each id, then the second of those
that have one, and so on. In each round no id occurs twice, so that the quick indexed addition is right.
"""

# %%
rng = np.random.default_rng(0)
ids, dx = rng.integers(0, 50, 60), rng.standard_normal((60, 4))
ids[:9] = 7  # a frequent word
tables = {name: np.zeros((50, 4)) for name in ("add.at", "in rounds", "dW[ids] += dx")}
np.add.at(tables["add.at"], ids, dx)
scatter_add(tables["in rounds"], ids, dx)
tables["dW[ids] += dx"][ids] += dx
for name, table in tables.items():
    wrong = np.abs(table - tables["add.at"]).max(axis=1) > 1e-12
    print(f"{name:14} {wrong.sum():2} of 50 rows are wrong")

# %% [markdown]
r"""
The rows that are wrong in the last line are those of all words that occur more than once.

### 8. Adam in place: `adam_in_place`

Written from the paper, Adam makes a dozen new arrays of the size of each parameter, and passes over memory as
often. Ours writes into $m$, $v$ and $p$ themselves; one array of the size of a block holds the step; and, as
with the loss, a block goes through all lines while it is in the cache. And there is a division less, as we
have seen.
"""

# %%
print(inspect.getsource(Adam.update_one))

# %%
params = {"W": rng.standard_normal((1000, 2000))}
grads = {"W": rng.standard_normal((1000, 2000))}


def adam_of_the_paper(p, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return p, m, v


p, m, v = params["W"], *np.zeros((2, 1000, 2000))
for t in (1, 2, 3):
    p, m, v = adam_of_the_paper(p, grads["W"], m, v, t)
adam = Adam(1e-3)
for _ in range(3):
    adam.update(params, grads)
np.testing.assert_allclose(params["W"], p, rtol=1e-12)
size = params["W"].nbytes
of_the_paper = memory(adam_of_the_paper, p, grads["W"], m, v, 4)
print(f"of the paper: {of_the_paper / size:.2f} times the parameters")
print(f"in place:     {memory(adam.update, params, grads) / size:.2f}")

# %% [markdown]
r"""
### 9. Denormals flushed: `denormals_flushed`

Here is an LSTM that begins as PyTorch's does, with two random biases and no bias of 1 for the forget gate, so
that all its gates are about ½. It reads 400 word vectors, and only the last state is looked at. On the way
back we count, at each step, which share of $dc$ is denormal.
"""


# %%
def vanishing(flushing, T=400, B=8, D=16, H=64):
    """The largest |dc|, and the share of it that is denormal, of every step back; and dWh"""
    rng = np.random.default_rng(0)
    layer = LSTM(D, H, rng, forget_bias=0.0)
    Wx, Wh = layer.params["Wx"], layer.params["Wh"]
    b = rng.uniform(-(H**-0.5), H**-0.5, (2, 4 * H)).sum(axis=0).astype("float32")
    x = (0.1 * rng.standard_normal((T, B, D))).astype("float32")
    h = c = np.zeros((B, H), "float32")
    caches = []
    for x_t in x:
        h_prev = h
        h, c, cache = lstm_cell(x_t @ Wx + h @ Wh + b, c)
        caches.append((h_prev, cache))

    dh, dc = rng.standard_normal((B, H)).astype("float32"), np.zeros((B, H), "float32")
    largest, share, dWh = [], [], np.zeros_like(Wh)
    for h_prev, cache in reversed(caches):
        da, dc = lstm_cell_backward(dh, dc, cache)
        dWh += h_prev.T @ da
        dh = da @ Wh.T
        if flushing:
            flush(dh), flush(dc)
        largest.append(np.abs(dc).max())
        share.append(((dc != 0) & (np.abs(dc) < tiny)).mean())
    return np.array(largest), np.array(share), dWh


as_it_is, flushed = vanishing(False), vanishing(True)
for name, (_, share, _) in {"as it is": as_it_is, "flushed": flushed}.items():
    steps = np.flatnonzero(share)
    print(f"{name:9} {share.mean():4.0%} of all dc are denormal", end="")
    print(f", from step {steps[0] + 1} on; the last: {share[-1]:.0%}" if len(steps) else "")
print("dWh the same, bit for bit:", np.array_equal(as_it_is[2], flushed[2]))

# %%
with drawing((8.6, 3.2)) as figure:
    left, right = figure.subplots(1, 2)
    k = np.arange(1, 401)
    for number, (name, found) in enumerate({"as it is": as_it_is, "flushed": flushed}.items()):
        largest = np.where(found[0] > 0, found[0], np.nan)
        look = {"color": COLOURS[number], "linestyle": DASHES[number], "label": name}
        left.plot(k, largest, **look)
        right.plot(k, found[1], **look)
    left.set_yscale("log")
    left.axhspan(smallest, tiny, color="0.88")
    left.text(395, 3e-42, "denormal", va="center", ha="right")
    left.set(xlabel="steps back", title="the largest |dc|", ylim=(1e-46, 1e3))
    left.set_yticks([1e-45, 1e-30, 1e-15, 1], ["10⁻⁴⁵", "10⁻³⁰", "10⁻¹⁵", "1"])
    left.minorticks_off()
    right.set(xlabel="steps back", title="share of dc that is denormal", ylim=(-0.03, 1.03))
    right.legend()
figure

# %% [markdown]
r"""
The gradient falls by a constant factor at each step, into the grey zone, and from about step 200 to step 230
all of it is denormal. Then most of it is 0. But not the rest: as the pencil has shown, where the forget gate
is above ½ the smallest denormal number stays what it is, for ever. About a third of $dc$ is like this to the
end, and the processor takes its detour for each of them, in every product and every sum. Longer sentences
make it worse. PyTorch meets the same numbers: they are in the model, not in the program.

`flush` adds $10^{-13}$ and takes it away again. Next to $10^{-13}$ the float32 numbers have a distance of
$2^{-67} \approx 7 \cdot 10^{-21}$, so that the sum is rounded to a multiple of that, and what was smaller
than half of it is gone. What was $10^{-6}$ comes back as it was. The gradient of the weights is the same to
the last bit: what is missing was too small to be noticed in any sum.
"""

# %%
x = np.array([1, 1e-6, 1e-12, 1e-18, 1e-21, 1e-40], "float32")
for before, after in zip(x, flush(x.copy())):
    print(f"{before:.0e} -> {after:.7g}")

# %% [markdown]
r"""
(In the flushed curve you see the same trick of rounding as in the other: it does not reach 0 but stays at about
$10^{-20}$, where a multiple of $2^{-67}$ is rounded to itself. It does no harm there. These are normal numbers.)

PyTorch has a switch for it, `torch.set_flush_denormal(True)`. It is the processor's own switch. And that
means it is for everything that runs in this thread, whoever wrote it:
"""

# %%
if torch:
    x = np.array([1e-40], "float32")
    print(f"NumPy says {(x * np.float32(2))[0]:.0e}")
    torch.set_flush_denormal(True)
    doubled = x * np.float32(2)
    torch.set_flush_denormal(False)
    print(f"after that line, NumPy says {doubled[0]:.0e}")

# %% [markdown]
r"""
### 10. Keys once, and $v$ taken out of the loop

These were the textbook's nine switches. The library does five things more.

In additive attention $h_i U$ does not depend on $t$, so it is computed once a sentence and not at every step
(Bahdanau et al. say so in their appendix). And $v$ goes before the sum on the way back, as derived above.
Both, beside the way that does it step by step:
"""

# %%
rng = np.random.default_rng(0)
T, S, B, H, A = 12, 10, 4, 6, 8
hs, U = rng.standard_normal((S, B, H)), rng.standard_normal((H, A))
qs, v = rng.standard_normal((T, B, A)), rng.standard_normal(A)
des = rng.standard_normal((T, S, B))  # the gradients of the scores


def step_by_step(hs, U, qs, v, des):
    scores, dU, dhs = [], np.zeros_like(U), np.zeros_like(hs)
    for q, de in zip(qs, des):
        z = np.tanh(q + hs @ U)  # (S,B,A)
        scores.append(z @ v)
        dz = de[:, :, None] * v * (1 - z**2)
        dU += hs.reshape(S * B, H).T @ dz.reshape(S * B, A)
        dhs += dz @ U.T
    return np.stack(scores), dU, dhs


def keys_once(hs, U, qs, v, des):
    keys, scores, dkeys = hs @ U, [], np.zeros((S, B, A))
    for q, de in zip(qs, des):
        z = np.tanh(q + keys)
        scores.append(z @ v)
        dkeys += de[:, :, None] * (1 - z**2)  # v is left out
    dkeys *= v  # and comes in once
    return np.stack(scores), hs.reshape(S * B, H).T @ dkeys.reshape(S * B, A), dkeys @ U.T


arrays = hs, U, qs, v, des
for plain, clever in zip(step_by_step(*arrays), keys_once(*arrays)):
    np.testing.assert_allclose(clever, plain, rtol=1e-10, atol=1e-10)
for function in (step_by_step, keys_once):
    tally = counting(function, *arrays)
    products = tally.calls["matmul"]
    print(f"{function.__name__:13} {products} products, {tally.operations:,} operations")

# %% [markdown]
r"""
Here something *is* computed less. It is the only one of the fourteen that spares products.

### 11. The transpose, laid out once

`Wh.T` costs nothing: it is the same memory, read the other way round. But the way back multiplies by it at
every step, and a small product is quicker when both matrices lie in memory as they are read. So it is laid
out anew once a pass, if there are steps enough to pay for it.
"""

# %%
print(inspect.getsource(transposed))
Wh = np.ones((3, 12))
for times in (1, 100):
    WhT = transposed(Wh, times)
    assert np.array_equal(WhT, Wh.T)
    where = "the same memory" if np.shares_memory(WhT, Wh) else "laid out anew"
    print(f"for {times:3} products: {where}")

# %% [markdown]
r"""
### 12. All parameters in one array

The optimiser and the norm treat all numbers alike; so the library lays all parameters end to end in one
array, and all gradients in another ([packed.py](../minis2s/packed.py)). The layers' own are views of them.
For a model with many small matrices it is one call instead of dozens.
"""

# %%
model = Seq2Seq(document("004", **SIZES), np.random.default_rng(0))
packed = Packed(model)
assert all(np.shares_memory(param, packed.params) for param in model.params.values())
one_by_one = model.params, model.grads
end_to_end = {"all": packed.params}, {"all": packed.grads}
for name, (params, grads) in {"one by one": one_by_one, "end to end": end_to_end}.items():
    adam = Adam()
    adam.update(params, grads)
    params, grads = ({n: counted(a) for n, a in arrays.items()} for arrays in (params, grads))
    Counted.tally = Tally()
    clip_by_global_norm(grads, 1.0)
    adam.update(params, grads)
    print(f"{name}: {len(params):2} arrays, {sum(Counted.tally.calls.values()):3} calls")

# %% [markdown]
r"""
### 13. Freed memory is kept

A training step makes and frees the same large arrays again and again. By default the C library gives large
pieces back to the system at once, and the next step gets fresh ones. A fresh page of memory must be found and
filled with zeros when it is touched first: a page fault, which takes longer than the arithmetic on its
thousand numbers. One line asks the C library to keep what it has. The faults can be counted, in a process of
its own:
"""

# %%
print(inspect.getsource(inspect.unwrap(keep_freed_memory)))

PROGRAM = """
import numpy as np
from minis2s.machine import keep_freed_memory
try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:
    raise SystemExit("this system does not count page faults")

def steps(n=20):
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(n):
        x = np.ones(1 << 21, "float32")  # 8 MB
        y = 2 * x
        del x, y
    return getrusage(RUSAGE_SELF).ru_minflt - before

steps()
print("page faults in 20 steps:", steps())
kept = keep_freed_memory()
steps()
print("and with memory kept:   ", steps() if kept else "this C library cannot")
"""
print(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True).stdout)

# %% [markdown]
r"""
Hundreds of faults a step, and next to none with that line (on Linux, with its usual C library).

### 14. Two threads, half a batch each

A second core helps BLAS with large products and with nothing else: everything elementwise runs on one core. But
NumPy lets go of Python's lock while it computes. So two threads can take half of the sentences each and keep two
cores busy with everything; BLAS then gets one thread in each. Each half has gradients of its own, and at the end
they are added ([replicas.py](../minis2s/replicas.py); on the command line it is `minis2s train --threads 2`). By
the derivation above the sum must be the whole batch's gradient:
"""

# %%
print(inspect.getsource(Replicas.run))

# %%
rng = np.random.default_rng(0)
lengths = rng.integers(1, 9, (10, 2))
examples = [
    Example(rng.integers(4, 13, S).tolist(), rng.integers(4, 11, T).tolist())  # ids
    for S, T in lengths
]
batch, found = make_batch(examples), {}
for threads in (1, 2):
    trainer = Trainer(model_of("004"), Adam(), clip=1e9, threads=threads)
    result = trainer.step(batch)
    found[threads] = {name: grad.copy() for name, grad in trainer.model.grads.items()}
    print(f"{threads} thread{'s' * (threads > 1)}: loss {result.loss:.12f}")
worst = max(apart(found[2][name], grad) for name, grad in found[1].items())
print(f"gradients {worst:.0e} apart; tokens: {batch.tokens},", end=" ")
print("in the halves:", [part.tokens for _, part in batch.split(2)])

# %% [markdown]
r"""
### What costs what

What does a step wait for, then? There are three prices. An *operation* in a large product costs a
hundred-billionth of a second. A *byte* that goes through memory costs ten times that. And a *call* of a NumPy
function costs about half a microsecond before anything is computed: NumPy must look at types and shapes, find
the right loop, make a new array. All three are round numbers; `timeit` tells you yours. Let us hold them
against the counts, for 004's model and for that of 000.
"""

# %%
CALL = 0.5e-6  # seconds
# import timeit; x = np.ones((5, 20), "float32")
# print(timeit.timeit(lambda: np.tanh(x), number=100_000) / 100_000)  # a call, on your machine

published, signals_000 = find("004").comparable(), find("000").comparable()
print("      operations       calls   operations a call    a product  a call")
for name, workload, counted_on in (
    ("004", published, replace(published.tiny(), source_length=25, target_length=25)),
    ("000", signals_000, signals_000),
):
    calls = sum(counted_step(contestants.make("minis2s", counted_on, "float32")).calls.values())
    operations = workload.flops()
    print(
        f"{name} {operations:15,} {calls:9,} {operations / calls:15,.0f}"
        f"   {operations / PEAK * 1e3:10,.3f} {calls * CALL * 1e3:8.3f}   ms, worked out"
    )

# %% [markdown]
r"""
(The calls of 004 are counted on a small model with the same 25 steps. A large one makes some more: its loss
and its Adam go in more blocks.)

The two models are at the two ends. In 004 the calls cost next to nothing beside the products. What can be
gained there is gained by moving fewer bytes, by fewer and larger products, and by never using float64. In 000
it is the other way round: the arithmetic of all its products takes a few microseconds, and the calls many
times that. There, only fewer calls help. And there a framework is at a disadvantage: each of its operations
has more to decide, and something to record, and all that for a hundred numbers.

So one cannot say of a program that it is fast. One can say: at these sizes, it is short of this.
"""

# %% [markdown]
r"""
## Worth a look

### How to hold the watch

To time two programs seems easy: run the one, run the other, divide. But a machine has weather. It grows warm
and slows down, and somebody else wants the processor for a moment. Let us make such weather and hold two
programs into it, A and B, of which A truly takes 0.9 of B's time. On two thousand days each is timed twenty
times, in three ways:

- all of A, then all of B; the mean of the one over the mean of the other;
- in turns, A B A B; again the means;
- in turns; each A is divided by the B right after it, and of the twenty ratios the median is taken.
"""


# %%
def weather(rng, turns):
    """How many times as slow as at its best the machine is, turn by turn"""
    drift = np.exp(np.cumsum(0.05 * rng.standard_normal(turns)))  # slowly up or down
    return drift * (1 + rng.exponential(1.0, turns) * (rng.random(turns) < 0.1))  # and bumps


A, B, ROUNDS = 0.9, 1.0, 20


def one_day(rng):
    """The ratio A / B, found in the three ways"""
    slow = weather(rng, 2 * ROUNDS)
    before, after = A * slow[:ROUNDS], B * slow[ROUNDS:]
    a, b = A * slow[::2], B * slow[1::2]
    return before.mean() / after.mean(), a.mean() / b.mean(), np.median(a / b)


rng = np.random.default_rng(0)
WAYS = ("first all A, then all B: means", "in turns: means", "in turns: median of pairs")
days = dict(zip(WAYS, np.array([one_day(rng) for _ in range(2000)]).T))
for way, found in days.items():
    low, high = np.quantile(found, [0.05, 0.95])
    print(f"{way:31} 9 days of 10: {low:.2f} to {high:.2f}", end=";  ")
    print(f"A seems slower: {(found > 1).mean():4.0%}")

# %%
with drawing((8.8, 2.9)) as figure:
    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
    slow, turn = weather(np.random.default_rng(6), 2 * ROUNDS), np.arange(2 * ROUNDS)
    for number, (name, start, takes) in enumerate((("A", 0, A), ("B", 1, B))):
        look = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": "none"}
        left.plot(turn[start::2], takes * slow[start::2], **look, label=name)
    left.set(xlabel="turn", ylabel="time", title="One day, A and B in turns", ylim=(0, None))
    left.legend(ncols=2)
    for y, found in enumerate(days.values()):
        lowest, low, middle, high, highest = np.quantile(found, [0.05, 0.25, 0.5, 0.75, 0.95])
        right.plot([lowest, highest], [y, y], color="0.6", linestyle="-", linewidth=1)
        right.plot([low, high], [y, y], color=COLOURS[0], linestyle="-", linewidth=5)
        right.plot(middle, y, color="white", marker=MARKERS[0], markeredgecolor=COLOURS[5])
    right.axvline(A, color=COLOURS[1], linestyle=DASHES[1], zorder=0)
    right.set_yticks(range(3), [way.replace(": ", ":\n") for way in WAYS])
    right.set(ylim=(2.6, -0.6), xlabel="A / B", title="What two thousand days say")
figure

# %% [markdown]
r"""
On the right the dashed line is the truth. The thick bar holds half of all days, the thin one nine of ten. One
after the other, one day in three says that A is the *slower* one. In turns the drift falls on both alike; but
a bump that hits one of them is still in its mean. In pairs and with a median, a bump spoils one ratio of
twenty, and the median does not look at it.

So this is how `minis2s bench` does it:

- **Gradients first.** Nothing is timed whose gradients are not those of `minis2s`, at full size.
- **The same.** Weights, batch, float32, and as many threads for BLAS on either side. The processes are told
  so before NumPy or PyTorch begin.
- **A process each**, so that nobody inherits memory, caches or settings of another. (Think of the processor's
  switch.)
- **Warm-up.** The first steps make buffers and touch new memory; they are run and not counted.
- **In turns, in pairs, medians,** and beside each median the quartiles of the ratios. If 1 lies between them,
  one cannot say which is the faster one.
- **The best opponent.** PyTorch is timed as the documents loop, and also in the best form we know: whole
  sequences, one output layer for all steps, its fused Adam; where gradients vanish, also with its denormal
  switch on.

The turns are taken in [race.py](../minis2s/bench/race.py), and what happens in one is in
[worker.py](../minis2s/bench/worker.py); both are short.

The fused Adam is another program for the same step. Does it compute the same?
"""

# %%
if torch:
    ends = []
    for is_fused in (False, True):
        theirs = in_pytorch(model_of("004"))
        their_adam = torch.optim.Adam(theirs.parameters(), 0.01, fused=is_fused)
        for _ in range(5):
            their_step(theirs, *random_batch(np.random.default_rng(4)))
            their_adam.step()
        ends.append(torch.cat([p.detach().flatten() for p in theirs.parameters()]).numpy())
    print(f"after 5 steps: {np.abs(ends[0] - ends[1]).max():.0e} apart")

# %% [markdown]
r"""
### Same speed?

The times below are not of this notebook. They were measured once, on the machine that the first line names,
when nothing else was running on it, and are kept in the repository. On yours they are others: run the
command.
"""

# %%
RESULTS = Path("../figures/results")


def measured(name, command):
    """What the command has left in figures/results, or None"""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        print(f"There is no figures/results/{name}.json here. This measures it:\n\n    {command}")
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    versions = ", ".join(f"{key} {value}" for key, value in found["versions"].items())
    print(f"{found['machine']}; {found['threads']} threads, {found['dtype']}, ", end="")
    print(f"{found['rounds']} rounds\n{versions}\n")
    return found


def milliseconds(found, name):
    if name not in found:
        return " " * 8
    time = 1e3 * race.median(found[name]["seconds"])
    return f"{time:8,.0f}" if time >= 100 else f"{time:8.3g}"


def ratio(found, name, other):
    """The median of the ratios in pairs, and their quartiles"""
    low, middle, high = race.quartiles(race.paired(found, name, other))
    return f"{middle:5.2f} [{low:.2f}, {high:.2f}]"


training = measured("bench", "minis2s bench --json figures/results/bench.json")
if training:
    print(f"{'ms a training step':43}{'minis2s':>8}{'PyTorch':>9}{'ratio':>7}", end="")
    print(f"{'':14}memory  ratio, split")
    for row in training["training"]:
        found = row["contestants"]
        split = next((name for name in found if name.startswith("minis2s split")), None)
        for rival in (name for name in row["limits"] if name in found):
            share = found["minis2s"]["bytes"] / found[rival]["bytes"]
            print(
                f"{row['name']:15} {rival:26} {milliseconds(found, 'minis2s')}"
                f" {milliseconds(found, rival)} {ratio(found, 'minis2s', rival)} {share:5.2f}",
                f" {ratio(found, split, rival)}" if split else "",
            )

# %%
rows = training["training"] if training else []
compared = [row for row in rows if set(row["limits"]) & set(row["contestants"])]
figures.ratios(compared) if compared else None

# %% [markdown]
r"""
How to read it. Each line is a workload and a form of PyTorch. The *ratio* is the time of `minis2s` over PyTorch's:
below 1 `minis2s` took less, above 1 it took more. In brackets are the quartiles; in the figure they are the line
through the dot, and the short upright strokes are what the library had set itself to reach. *memory* is also a
ratio: of what the processes had in hand at most. *split* (the triangle) is the same step with each batch shared
among Python's threads, as in section 14.

What to look for:

- **The documents' loop against the best form** of the same model (`004`, two lines). That is PyTorch against
  PyTorch: how much of the difference is due to the loop, and none of it to the library?
- **The tiny model** (`000`), where nobody waits for arithmetic.
- **One LSTM layer** (`lstm-T25`, `-T100`, `-T400`), the same model on longer and longer sentences. On short
  ones PyTorch's `nn.LSTM` is at its best: a whole layer is one function, written in C++ for that purpose,
  while ours calls NumPy some fifty times a step, forward and back. On long ones gradients vanish. What
  denormals cost PyTorch is the difference between the two lines of `lstm-T400`.
- **Where a ratio is above 1.** It is in the table because it was measured.

### What each idea buys

The textbook's step again, one idea more a row, each measured against the row above it in turns. Both models
are without attention; `004` is the document's, `lstm-T400` has one layer and sentences of 400 words.
"""

# %%
ablation = measured("ablation", "minis2s bench ablation --json figures/results/ablation.json")
ORDER = ["as in the textbook", *Ideas._fields]
for row in ablation["ablation"] if ablation else ():
    found = row["contestants"]
    names = [name for name in found if name != "minis2s"] + ["minis2s"]
    print(f"{row['name']:22} ms a step   times as fast as the row above   as the first")
    for label, name, before in zip([*ORDER, "minis2s"], names, [None, *names]):
        gains = "" if before is None else ratio(found, before, name)
        whole = race.median(race.paired(found, names[0], name))
        print(f"  {label:20} {milliseconds(found, name)}   {gains:30} {whole:8.2f}")
    print()

# %%
if ablation:
    with drawing((8.8, 3.4)) as figure:
        panels = figure.subplots(1, len(ablation["ablation"]), sharey=True, squeeze=False)[0]
        for ax, row in zip(panels, ablation["ablation"]):
            found = row["contestants"]
            names = [name for name in found if name != "minis2s"] + ["minis2s"]
            for y, name in enumerate(names):
                low, middle, high = (1e3 * t for t in race.quartiles(found[name]["seconds"]))
                number = int(name == "minis2s")
                bar = {"color": COLOURS[number], "hatch": "////" * number, "alpha": 0.75}
                ax.barh(y, middle, height=0.7, edgecolor="white", **bar)
                ax.plot([low, high], [y, y], color=COLOURS[5], linestyle="-")
            ax.set(title=row["name"], xlabel="ms a step", ylim=(len(names) - 0.4, -0.6))
            ax.set_yticks(range(len(names)), [*ORDER, "minis2s"])
            ax.tick_params(axis="y", length=0)
figure if ablation else None

# %% [markdown]
r"""
Hold the table against the counts above. Which switch moves the time most in the one model, and which in the
other? A switch that saves bytes should show where the arrays are large. And no idea is good by itself. "Output
layer once for all times" is one large product in place of many small ones, and here the step takes *longer*
with it: the logits of all times come in one array, in 004 of 128 MB, and a cross-entropy with one-hot vectors
makes several more of that size, all of them new in every step. Only the next row, which makes none of them,
turns the loss into a gain. Not even float32 helps always: in `lstm-T400` it makes the step slower than float64
did, for its denormals begin at $10^{-38}$, which a vanishing gradient soon reaches, and those of float64 at
$10^{-308}$. The last one can show on long sentences only; if nothing is seen of it there, the processor has no
detour for denormals, or a short one. A row in whose brackets 1 lies has bought nothing that could be measured
at these sizes; it may still be there for others, or because the code is no longer for it.

And on your own machine? Let it do nothing else, and give it some minutes:

```
minis2s bench 004 lstm-T25                # two workloads, against PyTorch where it is installed
minis2s bench ablation                    # what each idea buys
minis2s bench --profile 004               # where the time of our own step goes
minis2s bench 000 --rounds 15             # more rounds, narrower quartiles
```
"""

# %% [markdown]
r"""
## The document's own code

This section mends nothing. It is about loops: the documents' code has three kinds of them, and they differ in
what they must wait for.

### 004: a loop, and when it need not be one

In 004 (实现) the decoder is called for one word at a time, in a loop over $t$. After each step a lot decides
whether the next word is the target's or the decoder's own best guess. So before step $t$ its input may not be
known, and a loop is the plain way to write it. But whether a *lot* says "target" can be known before. Draw
all lots first, and the sentence falls into runs with known inputs, each of which is one call; only between
runs does one wait for a guess.

Here are both ways, in PyTorch, with the same lots. A hook counts how often the decoder's LSTM is called.
"""


# %%
def loop_of_004(theirs, source, target, forced):
    """One step after the other, as in 004; forced[t]: whether step t is fed the target's word"""
    _, state = theirs.encoder.rnn(theirs.encoder.embedding(source))
    fed, outputs = target[0], []
    for t in range(1, len(target)):
        features, state = theirs.decoder.rnn(theirs.decoder.embedding(fed)[None], state)
        outputs.append(theirs.decoder.fc_out(features[0]))
        fed = target[t] if t + 1 < len(target) and forced[t] else outputs[-1].argmax(dim=1)
    return torch.stack(outputs)


def runs_of_004(theirs, source, target, runs):
    """The same, each run in one call"""
    _, state = theirs.encoder.rnn(theirs.encoder.embedding(source))
    outputs = []
    for start, stop in runs:
        fed = target[start:stop].clone()
        if start > 0:
            fed[0] = outputs[-1][-1].argmax(dim=1)
        features, state = theirs.decoder.rnn(theirs.decoder.embedding(fed), state)
        outputs.append(theirs.decoder.fc_out(features))
    return torch.cat(outputs)


model = model_of("004")
rng = np.random.default_rng(5)
for param in model.params.values():
    param *= 4  # so that it has opinions: an untrained model nearly always guesses the same
source, target = rng.integers(1, 13, (7, 4)), rng.integers(1, 11, (26, 4))
for share in (1.0, 0.5):
    runs = runs_of_known_inputs(25, share, np.random.default_rng(0))
    forced = {t: all(t != start for start, _ in runs[1:]) for t in range(1, 25)}
    (ours, _), _ = model.forward(source, None, target[:-1], share, np.random.default_rng(0))
    line = f"teacher forcing {share}: {len(runs):2} runs for 25 steps"
    if torch:
        theirs, calls = in_pytorch(model), Counter()
        count = partial(calls.update, ["decoder"])
        theirs.decoder.rnn.register_forward_hook(lambda *_, count=count: count())
        inputs = torch.from_numpy(source), torch.from_numpy(target)
        for name, way in (
            ("loop", loop_of_004(theirs, *inputs, forced)),
            ("runs", runs_of_004(theirs, *inputs, runs)),
        ):
            found = apart(way.detach().numpy(), ours)
            assert found < 1e-10
            line += f";  {name}: {found:.0e} from ours"
        line += f";  {calls['decoder']} calls together"
    print(line)

# %% [markdown]
r"""
The same logits, from the loop, from the runs, and from `minis2s`, which does it in runs
([decoder.py](../minis2s/models/decoder.py)). With a teacher all the time the loop calls the decoder 25 times
and the runs once: 26 together. At one half it is as many runs as there are guesses, and one. And 004's loop
has a price beside the calls: in each one the output layer meets 128 rows instead of all 3,200, and its weight
gradient of 512 times 10,000 numbers is added up 25 times.

But the loop is right whatever the lots say. This is its virtue, and a good reason to write it first, and to
test the other against it.

### 003: one word of one sentence

In 003 (5.1 and 5.2) encoder and decoder take one word, `view(1, 1, -1)`, and are called once a word (chapter
6 says what happens with more). In the encoder all words are known before. So its loop can be opened
altogether, and over a batch as well:
"""

# %%
rng = np.random.default_rng(0)
encoder = LSTM(5, 6, rng, dtype="float64")
x = rng.standard_normal((7, 4, 5))  # seven words, four sentences

one_by_one = []
for b in range(4):
    state = None
    for t in range(7):
        (h, state), _ = encoder.forward(x[t : t + 1, b : b + 1], state)
    one_by_one.append(state[0])
(_, (h, c)), _ = encoder.forward(x)
print("28 calls and 1 call:", f"{apart(np.concatenate(one_by_one), h):.0e} apart")

# %% [markdown]
r"""
The decoder's loop in 003 can be opened where it is trained with a teacher, as in 004, and cannot be where it
writes by itself.

### 002: a loop that must be one

In 002, 6.2 each output *is* the next input, always (`decoder_input = output`; chapter 7 says what else
happens there). Step $t$ needs all of step $t-1$, the output layer included, and nothing of it can be done
before. Decoding is like that, in every library. What can be done is to have many sentences side by side:
under the roof, number 3 instead of number 2.

### 000: nothing to open

In 000 the decoder gets the whole target at once, and `nn.LSTM` is called once. That is the best form already;
in the benchmark it differs from the one as published by its fused Adam alone. (That the target is not shifted
is another matter; see chapter 7. Above we shifted it.) And at 5 sentences of 3 vectors it is the calls that
count.
"""

# %% [markdown]
r"""
## Exercises

### 1. From a blank page

Close the section above. Here are the inputs, the states before each step, and the gradients $da_t$ of all
steps of an LSTM. Write the gradients of $W_x$, $W_h$ and $b$, in **two** products. The check counts them.
"""


# %% exercise="weight_gradients_at_once" points=2
def weight_gradients_at_once(x, h_prevs, das):
    """x (T,B,D), h_prevs (T,B,H), das (T,B,4H) -> dWx (D,4H), dWh (H,4H), db (4H,)"""
    raise NotImplementedError


# %%
check.weight_gradients_at_once(weight_gradients_at_once)

# %% [markdown]
r"""
### 2. Predict, then run

One step of an LSTM layer, forward: 128 sentences, inputs of 256 numbers, a state of 512. How many operations
are in its two products together? To within a hundredth. Only then take away the `#`.
"""

# %% exercise="operations_of_lstm_step" points=1
operations_of_lstm_step = None

# %%
check.operations_of_lstm_step(operations_of_lstm_step)

# %%
layer = LSTM(256, 512, np.random.default_rng(0))
state = {name: counted(array) for name, array in lstm_to_pytorch(layer.params).items()}
x = np.zeros((1, 128, 256), "float32")
tally = counting(lambda x: lstm_of_the_manual(x, state), x)
# print(f"{tally.operations:,}")

# %% [markdown]
r"""
### 3. Predict, then run

PyTorch's LSTM starts with both biases of some gate at 0. In the first step the gradient of that gate's $a$
sums up to 0.3. Adam has a learning rate of 0.001, and nothing is clipped. Where is $b_{ih} + b_{hh}$ after
this step? To five decimals.
"""

# %% exercise="sum_after_first_step" points=1
sum_after_first_step = None

# %%
check.sum_after_first_step(sum_after_first_step)

# %%
biases = {"b_ih": np.zeros(1), "b_hh": np.zeros(1)}
Adam(0.001).update(biases, {name: np.array([0.3]) for name in biases})
# print(biases["b_ih"] + biases["b_hh"])

# %% [markdown]
r"""
### 4. Find the planted bugs

This exchange has two mistakes. Nothing that it returns has a wrong name or a wrong shape.
"""


# %%
def broken_lstm_to_pytorch(P):
    """P: Wx (D,4H), Wh (H,4H), b (4H,) -> PyTorch's four arrays by name"""

    def rows(array):
        i, f, g, o = np.split(array.T, 4)
        return np.concatenate([i, f, o, g])

    return {
        "weight_ih_l0": rows(P["Wx"]),
        "weight_hh_l0": rows(P["Wh"]),
        "bias_ih_l0": rows(P["b"]),
        "bias_hh_l0": rows(P["b"]),
    }


rng = np.random.default_rng(0)
layer = LSTM(5, 3, rng, dtype="float64")
x = rng.standard_normal((6, 4, 5))
(hs, _), _ = layer.forward(x)
through = lstm_of_the_manual(x, broken_lstm_to_pytorch(layer.params))
print(f"hs[0, 0] here   {hs[0, 0]}\nhs[0, 0] there  {through[0, 0]}")

# %% [markdown]
r"""
Mend it.
"""


# %% exercise="mended_lstm_to_pytorch" points=2
def mended_lstm_to_pytorch(P):
    """P: Wx (D,4H), Wh (H,4H), b (4H,) -> PyTorch's four arrays by name"""
    raise NotImplementedError


# %%
check.mended_lstm_to_pytorch(mended_lstm_to_pytorch)

# %% [markdown]
r"""
### 5. A GRU, back

And the other way, where it is harder. The four arrays are those of an `nn.GRU`, both biases with numbers in
them, gates in the order $r$, $z$, $n$. Return ours: $W_x$, $W_h$, $b$ with 3H numbers, and `bh` with H. Which
biases may be added up?
"""


# %% exercise="gru_from_pytorch" points=2
def gru_from_pytorch(weight_ih, weight_hh, bias_ih, bias_hh):
    """(3H,D), (3H,H), (3H,), (3H,) -> Wx (D,3H), Wh (H,3H), b (3H,), bh (H,)"""
    raise NotImplementedError


# %%
check.gru_from_pytorch(gru_from_pytorch)

# %% [markdown]
r"""
### 6. Predict, then run

A gradient of 1, in float32, is multiplied by 0.6 at each step back. After how many steps is it denormal for
the first time? One more or less will do.
"""

# %% exercise="step_that_turns_denormal" points=1
step_that_turns_denormal = None

# %%
check.step_that_turns_denormal(step_that_turns_denormal)

# %%
x, steps = np.float32(1), 0
while x >= tiny:
    x, steps = x * np.float32(0.6), steps + 1
# print(steps)

# %% [markdown]
r"""
### 7. Find the planted bugs

Somebody has timed two programs in turns, `ours[k]` and `theirs[k]` in round `k`, and the first few rounds
were meant to be warm-up. This is how the ratio was worked out. There are two mistakes; below you see what
comes of them when both programs take the same time in every round.
"""


# %%
def broken_ratio(ours, theirs, warm_up):
    """Times of each round (K,), how many rounds are warm-up -> the quartiles of the ratio (3,)"""
    quarters = [0.25, 0.5, 0.75]
    return np.quantile(ours, quarters) / np.quantile(theirs, quarters[::-1])


takes = weather(np.random.default_rng(1), 20)
print(broken_ratio(takes, takes, 3))


# %% exercise="mended_ratio" points=1
def mended_ratio(ours, theirs, warm_up):
    """Times of each round (K,), how many rounds are warm-up -> the quartiles of the ratio (3,)"""
    raise NotImplementedError


# %%
check.mended_ratio(mended_ratio)

# %% [markdown]
r"""
### 8. A loss without logits

`overwrite` lets the gradient take the place of the logits. One can go further: the logits of all rows need
never exist at once. Take a block of rows through everything, output layer, loss, and the output layer's own
backward pass, and forget it before the next one is begun. Then the memory for 3,200 rows of 10,000 logits is
that for `rows` of them.

$$a = s W + b \qquad L = \frac{1}{N} \sum_n \left( \log \sum_j e^{a_{nj}} - a_{n,\text{target}} \right)$$

Return $L$ and the gradients of $s$, $W$ and $b$. The check looks how many rows of logits there are at once.
Mind what is divided by N, and what is summed over blocks. And let no exponential overflow.
"""


# %% exercise="loss_in_blocks" points=4
def loss_in_blocks(s, W, b, targets, rows):
    """s (N,H), W (H,V), b (V,), targets (N,), rows at once -> L, ds (N,H), dW (H,V), db (V,)"""
    raise NotImplementedError


# %%
check.loss_in_blocks(loss_in_blocks)

# %% [markdown]
r"""
## What to read next

- S. Williams, A. Waterman, D. Patterson, [Roofline: an insightful visual performance model for multicore
  architectures](https://doi.org/10.1145/1498765.1498785), Communications of the ACM 52(4), 2009: the roof,
  and what can be done under it.
- U. Drepper, [What every programmer should know about memory](https://lwn.net/Articles/250967/), 2007, §3 on
  caches and §6 on what programmers can do.
- D. Goldberg, [What every computer scientist should know about floating-point
  arithmetic](https://doi.org/10.1145/103162.103163), ACM Computing Surveys 23(1), 1991: rounding, and why
  there are denormal numbers.
- A. Paszke and others, [PyTorch: an imperative style, high-performance deep learning
  library](https://arxiv.org/abs/1912.01703), 2019, §4 and §5: what the general tool does for its speed.
- J. Appleyard, T. Kočiský, P. Blunsom, [Optimizing performance of recurrent neural networks on
  GPUs](https://arxiv.org/abs/1604.01946), 2016: products together, work put off; the same ideas on another
  machine.
- D. Kingma, J. Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015, §2 and algorithm 1.
- [PyTorch's pages on `nn.LSTM`](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html) and
  [`nn.GRU`](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html): the formulas, with both
  biases, and a note on the GRU's form.

Next is chapter 13: the same code on a GPU, where a call costs many times as much, and all of this is true
again with other numbers.
"""
