# %% [markdown]
r"""
# 3 · LSTM

長短期記憶 · 长短期记忆 · long short-term memory

The plain recurrent layer of chapter 1 writes its whole memory anew at every step. An LSTM keeps a second
memory beside it, and at every step decides, number by number, what to keep, what to write and what to show.

At the end of this chapter you will have written one, forward and backward, in plain NumPy; you will have
derived every line of the backward pass from the chain rule; and you will have seen finite differences agree
with you to eight digits. You need Python and matrix products. You need not have seen backpropagation before:
what chapters 1 and 2 say of it is said here again, in short.
"""

# %%
import inspect

import numpy as np

from minis2s.exercises import check
from minis2s.figures.gate_activations import gate_activations
from minis2s.figures.gradient_distance import gradient_distance
from minis2s.functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from minis2s.gradcheck import gradcheck
from minis2s.nn import LSTM, lstm
from minis2s.plots import COLOURS, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 000 (繁) | 編碼器-解碼器的數學公式 | $h_t = f(x_t, h_{t-1})$, where $f$ may be an RNN, an LSTM or a GRU | what $f$ is when it is an LSTM |
| 000 (繁) | PyTorch 實現編碼器-解碼器模型 | `nn.LSTM` returns `h_n` and `c_n` | what `c_n` is, and how both are computed |
| 002 (简) | 2.2 编码器的公式表示 | $h_t = f(h_{t-1}, x_t)$ | the same |
| 002 (简) | 2.3 代码示例：简单的LSTM编码器 | an encoder that returns `hidden` | what is lost when `c_n` is not returned |

Both documents use the LSTM as a box with a name. This chapter opens the box. It comes after chapters 1 and 2
and before chapter 4, where the GRU does much the same with one memory.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 長短期記憶 | 长短期记忆 | long short-term memory, LSTM |
| 隱藏狀態 | 隐藏状态 | hidden state |
| 細胞狀態 | 细胞状态 | cell state, the cell |
| 輸入閘 | 输入门 | input gate |
| 遺忘閘 | 遗忘门 | forget gate |
| 輸出閘 | 输出门 | output gate |
| 候選內容 | 候选内容 | candidate, the new content |
| 權重、偏置 | 权重、偏置 | weights, bias |
| 時間步 | 时间步 | time step |
| 批次 | 批次 | batch |
| 逐元素相乘 | 逐元素相乘 | elementwise product |
| 損失 | 损失 | loss |
| 梯度 | 梯度 | gradient |
| 鏈式法則 | 链式法则 | chain rule |
| 隨時間反向傳播 | 随时间反向传播 | backpropagation through time, BPTT |
| 梯度消失 | 梯度消失 | vanishing gradient |
| 有限差分 | 有限差分 | finite difference |
"""

# %% [markdown]
r"""
## Symbols

| in 000 and 002 | here | in the code | what it is | shape |
|---|---|---|---|---|
| $x_t$ | $x_t$ | `x[t]` | the input at step $t$ | (B,D) |
| $h_t$ | $h_t$ | `h`, all of them `hs` | hidden state | (B,H), (T,B,H) |
| `c_n`, in code only | $c_t$ | `c` | cell state | (B,H) |
| $h_T$, $h_n$ | $h_T$ | `hT` | the last hidden state | (B,H) |
| $f$ | | `LSTM` | the recurrent function | |
| | $a_t$ | `a` | pre-activation, the four parts side by side | (B,4H) |
| | $i_t, f_t, g_t, o_t$ | `i`, `f`, `g`, `o` | input gate, forget gate, new content, output gate | (B,H) each |
| | $W_x$, $W_h$, $b$ | `Wx`, `Wh`, `b` | weights and bias | (D,4H), (H,4H), (4H,) |
| | $L$ | `loss` | the loss, one number | |
| | $dh_t$ | `dh` | $\partial L / \partial h_t$, the gradient of $L$ with respect to $h_t$ | as $h_t$ |

T is the number of steps, B the number of sequences in a batch, D the size of an input, H the size of the
state. Two letters have two meanings, and you will meet both:

- The documents' $f$ is the whole recurrent function. Here $f_t$ is the forget gate.
- In 002 §4, as in most texts on attention, $c_t$ is the *context vector*. Here it is the *cell*.
"""

# %% [markdown]
r"""
## The idea

A plain recurrent layer computes $h_t = \tanh(x_t W_x + h_{t-1} W_h + b)$. All that it knows of the past is
$h_{t-1}$, and at every step all of $h_{t-1}$ goes through a matrix and a tanh. To remember one number for
fifty steps it would have to pass it through fifty matrices and fifty tanhs, and get it out whole.

An LSTM adds a notepad, the cell $c_t$, in which a number stays until something is done to it. At each step,
and for every number in the notepad by itself:

- the **forget gate** $f_t$ says how much of the old number to keep;
- the **new content** $g_t$ is what one might write, and the **input gate** $i_t$ says how much of it to add;
- the **output gate** $o_t$ says how much of the notepad to read out. What is read out is the hidden state $h_t$.

A gate (閘 / 门) is a dimmer, not a switch: a number between 0 and 1 that something else is multiplied by. All
three gates and the new content are computed from the same two things, the input $x_t$ and what was read out
last, $h_{t-1}$.

Here is one step as a picture. (The next cell only draws it; read on below.)
"""

# %%
NODES = {  # name: x, y, what is written there
    "c_prev": (0, 3, "$c_{t-1}$"), "keep": (2, 3, "×"), "+": (4.2, 3, "+"), "c": (9.4, 3, "$c_t$"),
    "write": (4.2, 2.05, "×"), "tanh": (7.6, 2.1, "tanh"), "show": (7.6, 1.1, "×"),
    "f": (2, 1.1, "$f_t$: keep"), "i": (3.4, 1.1, "$i_t$: write"), "g": (5, 1.1, "$g_t$: new"),
    "o": (6.4, 1.1, "$o_t$: show"), "h": (9.4, 1.1, "$h_t$"), "h_prev": (0, 0.35, "$h_{t-1}$"),
    "x": (0, -0.45, "$x_t$"), "a": (4.2, 0, "$a_t$"), "on_c": (7.6, 3, ""),
}  # fmt: skip
FORWARD = (
    "c_prev keep, keep +, + c, f keep, i write, g write, write +, on_c tanh, tanh show, o show, "
    "show h, h_prev a, x a, a f, a i, a g, a o"
)


def draw_cell(back="", said=()):
    """The cell as a graph of its equations; beside it the way of gradients, and notes."""
    with drawing((8.8, 3.7)) as figure:
        ax = figure.add_subplot(xlim=(-0.5, 9.9), ylim=(-0.75, 3.8), aspect="equal")
        ax.axis("off")
        boxes = {}
        for name, (x, y, label) in NODES.items():
            look = {"boxstyle": "round,pad=0.4", "ec": "0.4"}
            look["fc"] = "#DCEBF7" if ":" in label else "white"
            look = {"bbox": look} if label else {}
            text = ax.text(x, y, label, ha="center", va="center", parse_math=True, **look)
            boxes[name] = text.get_bbox_patch()

        def arrow(start, end, aside=0.0, **look):
            (x, y, _), (to_x, to_y, _) = NODES[start], NODES[end]
            dx, dy = (-1.5 * aside, 0) if x == to_x else (0, aside)
            ends = {} if aside else {"patchA": boxes[start], "patchB": boxes[end]}
            look = {"arrowstyle": "->", "shrinkA": 2, "shrinkB": 2} | look | ends
            ax.annotate("", (to_x + dx, to_y + dy), (x + dx, y + dy), arrowprops=look)

        for step in FORWARD.split(", "):
            start, end = step.split()
            memory = NODES[start][1] == NODES[end][1] == NODES["c"][1]
            arrow(start, end, color="0.2", lw=3 if memory else 1)
        for step in filter(None, back.split(", ")):
            look = {"color": COLOURS[1], "lw": 1.6, "linestyle": "--", "shrinkA": 8, "shrinkB": 8}
            arrow(*step.split(), aside=0.3, **look)
        for x, y, label in said:
            ax.text(x, y, label, color=COLOURS[1], parse_math=True, ha="center")
    return figure


draw_cell()

# %% [markdown]
r"""
The thick line on top is the notepad. On its way from $c_{t-1}$ to $c_t$ a number meets a multiplication and
an addition, and nothing else: no matrix, no tanh. That is the whole trick. Where $f_t$ is 1 and $i_t$ is 0,
the number stays what it was, for as long as the gates say so; and, as we shall see, the gradient on its way
back meets the same two things and passes as easily.
"""

# %% [markdown]
r"""
## The equations

One matrix product gives the pre-activations of all four parts at once:

$$a_t = x_t W_x + h_{t-1} W_h + b \tag{1.1}$$

$x_t$ is (B,D) and $W_x$ is (D,4H), so $x_t W_x$ is (B,4H); so is $h_{t-1} W_h$, (B,H) times (H,4H); and $b$,
(4H,), is added to every row. Every row is one sequence of the batch. Cut $a_t$ into four pieces of H columns
each, $a_i$, $a_f$, $a_g$, $a_o$, in this order. Then

$$i_t = \sigma(a_i) \tag{3.1}$$

$$f_t = \sigma(a_f) \tag{3.2}$$

$$g_t = \tanh(a_g) \tag{3.3}$$

$$o_t = \sigma(a_o) \tag{3.4}$$

$$c_t = f_t \odot c_{t-1} + i_t \odot g_t \tag{3.5}$$

$$h_t = o_t \odot \tanh(c_t) \tag{3.6}$$

Here $\sigma(a) = 1 / (1 + e^{-a})$ is the sigmoid, which lies between 0 and 1, as a dimmer should; tanh lies
between -1 and 1, so that content may be added or taken away. Both work on each number by itself. $\odot$ is
the elementwise product, `*` in NumPy.

The numbers in brackets are those in [the library's own file](../minis2s/nn/lstm.py): each line of code that
computes an equation ends with its number.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### What we want

A training step needs to know, for every number in the network: if it were a little larger, how much larger
would the loss be? The loss $L$ is a single number. So for an array such as $W_x$, (D,4H), the answer is an
array of the same shape. Its entry in row $d$ and column $m$ is $\partial L / \partial (W_x)_{dm}$: the change
of $L$ for each unit of change of that one entry, as long as the change is small. It is called the gradient
(梯度) of $L$ with respect to $W_x$, and we write it $dW_x$. It is one name; nothing is multiplied. In the code
it is `dWx`.

We walk through the equations from the last to the first. At each one we know the gradients of what comes out
of it, and want the gradients of what goes in. Five rules are enough for that.

### Rule 1: a function of each number by itself

Let $y = \varphi(x)$. Raise $x$ by a tiny $\varepsilon$: $y$ rises by $\varphi'(x)\varepsilon$. For each unit
that $y$ rises $L$ rises by $dy$. So $L$ rises by $dy \cdot \varphi'(x)\varepsilon$, which means

$$dx = dy \odot \varphi'(x)$$

This is the chain rule (鏈式法則 / 链式法则). We need it for two functions.

The sigmoid. With $\sigma = 1/(1+e^{-x})$ the derivative is

$$\sigma' = \frac{e^{-x}}{(1+e^{-x})^2} = \frac{1}{1+e^{-x}} \cdot \frac{e^{-x}}{1+e^{-x}} = \sigma(1-\sigma)$$

since $1-\sigma = e^{-x}/(1+e^{-x})$. So $dx = dy \odot y \odot (1-y)$: the output alone is enough, the input
may be forgotten.

The tanh. Write $\tanh = s/k$ with $s = \sinh x$ and $k = \cosh x$; each is the other's derivative. By the
rule for quotients

$$\tanh' = \frac{k \cdot k - s \cdot s}{k^2} = 1 - \tanh^2$$

So $dx = dy \odot (1-y^2)$; again the output is enough.

### Rule 2: sums

Let $y = u + v$. Raise $u$ by $\varepsilon$: $y$ rises by $\varepsilon$. The same for $v$. So $du = dy$ and
$dv = dy$: an addition hands the gradient on to both, as it is.

### Rule 3: elementwise products

Let $y = u \odot v$. Raise $u$ by $\varepsilon$: $y$ rises by $v\varepsilon$. So

$$du = dy \odot v \qquad dv = dy \odot u$$

Each side gets the gradient times the *other* side.

### Rule 4: what is used twice

Let $x$ be used in two places, $u(x)$ and $v(x)$. Raise $x$ by $\varepsilon$. $L$ changes because $u$ changes,
and it changes again because $v$ changes. For tiny changes the two effects add up (what one does to the other
is of the size of $\varepsilon^2$, and vanishes):

$$dx = (\text{what comes back through } u) + (\text{what comes back through } v)$$

**Where a value fans out, its gradients are summed.** This is the rule that is most often forgotten. We shall
need it for $c_t$, for $h_t$ and for the weights.

### Rule 5: matrix products

Let $Y = X W$ with $X$ (N,D), $W$ (D,M) and so $Y$ (N,M). In numbers:

$$Y_{nm} = \sum_{d} X_{nd} W_{dm}$$

Where does one entry $X_{nd}$ get used? In row $n$ of $Y$, once in every column $m$, and there it is
multiplied by $W_{dm}$. Each use gives $dY_{nm} W_{dm}$ (rule 3), and the M uses are summed (rule 4):

$$dX_{nd} = \sum_{m} dY_{nm} W_{dm} = \sum_{m} dY_{nm} (W^{\top})_{md}$$

and this is a matrix product again: $dX = (dY) W^{\top}$. The shapes fit: (N,M) times (M,D) is (N,D), the
shape of $X$.

Where does one entry $W_{dm}$ get used? In column $m$ of $Y$, once in every row $n$, and there it is
multiplied by $X_{nd}$. So

$$dW_{dm} = \sum_{n} X_{nd} dY_{nm} = \sum_{n} (X^{\top})_{dn} dY_{nm}$$

that is, $dW = X^{\top} (dY)$, (D,N) times (N,M), which is (D,M), the shape of $W$.

Last, a bias $b$ (M,) that is added to each of the N rows is used N times: $db_m = \sum_n dY_{nm}$.

If you forget which is which: there is only one way to multiply that gives the right shape.

Let us not believe it, but look. Below, $L = \sum_{nm} r_{nm} Y_{nm}$ with some fixed numbers $r$, so that
$dY = r$.
"""

# %%
rng = np.random.default_rng(0)
X, W, r = rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
dX, dW = r @ W.T, X.T @ r

higher = W.copy()
higher[1, 2] += 1e-6  # one entry of W a little larger
rise = (r * (X @ higher)).sum() - (r * (X @ W)).sum()
print(f"dW[1, 2] by the rule   {dW[1, 2]:.6f}")
print(f"dW[1, 2] by trying it  {rise / 1e-6:.6f}")

# %% [markdown]
r"""
### One step back

Now take step $t$. Two gradients are handed to us:

- $dh_t$, the gradient of $L$ with respect to $h_t$, with every use of $h_t$ already in it (how it gets there
  comes below);
- $dc_t^{\mathrm{next}}$, the part of the gradient of $c_t$ that comes back from step $t+1$, where $c_t$ was
  used in equation (3.5).

We walk from (3.6) up to (1.1). A prime beside the number means: the derivative of this equation.

**Equation (3.6)**, $h_t = o_t \odot \tanh(c_t)$, is a product. By rule 3 its left side gets

$$do_t = dh_t \odot \tanh(c_t) \tag{3.6'}$$

and its right side, $\tanh(c_t)$, gets $dh_t \odot o_t$; through the tanh, by rule 1, $c_t$ gets
$dh_t \odot o_t \odot (1 - \tanh^2(c_t))$.

But $c_t$ is used twice: here, and in step $t+1$. The picture shows both ways back.
"""

# %%
draw_cell(
    "h show, show tanh, tanh on_c, c on_c, on_c +, + keep, keep c_prev",
    [
        (8.5, 3.5, "1: from step $t+1$"),
        (8.5, 1.58, "2: through $h_t$"),
        (5.9, 3.5, "$dc_t$ = 1 + 2"),
        (1, 3.5, "$dc_t\\odot f_t$"),
    ],
)

# %% [markdown]
r"""
So rule 4 says: sum.

$$dc_t = dc_t^{\mathrm{next}} + dh_t \odot o_t \odot (1 - \tanh^2(c_t))$$

**Equation (3.5)**, $c_t = f_t \odot c_{t-1} + i_t \odot g_t$. The sum hands $dc_t$ on to both products (rule
2); each product gives each side the gradient times the other side (rule 3):

$$df_t = dc_t \odot c_{t-1} \tag{3.5'}$$

$$di_t = dc_t \odot g_t$$

$$dg_t = dc_t \odot i_t$$

$$dc_{t-1}^{\mathrm{next}} = dc_t \odot f_t$$

The last line is what step $t-1$ will be handed. Look at it for a moment: the gradient goes back along the
notepad by being multiplied by the forget gate, and by nothing else.

**Equations (3.4) to (3.1)** are functions of each number by itself (rule 1):

$$da_o = do_t \odot o_t \odot (1 - o_t) \tag{3.4'}$$

$$da_g = dg_t \odot (1 - g_t^2) \tag{3.3'}$$

$$da_f = df_t \odot f_t \odot (1 - f_t) \tag{3.2'}$$

$$da_i = di_t \odot i_t \odot (1 - i_t) \tag{3.1'}$$

Forward, $a_t$ was cut into four pieces. Backward, the four pieces are put side by side again:
$da_t = [da_i, da_f, da_g, da_o]$, (B,4H).

**Equation (1.1)**, $a_t = x_t W_x + h_{t-1} W_h + b$: two matrix products and a bias (rules 2 and 5).

$$dh_{t-1}^{\mathrm{next}} = da_t W_h^{\top} \tag{1.1'}$$

$$dx_t = da_t W_x^{\top}$$

$$dW_x = x_t^{\top} da_t \qquad dW_h = h_{t-1}^{\top} da_t \qquad db = \textstyle\sum_{\text{rows}} da_t$$

With shapes: $da_t W_h^{\top}$ is (B,4H) times (4H,H), so (B,H), as $h_{t-1}$ is. $x_t^{\top} da_t$ is (D,B)
times (B,4H), so (D,4H), as $W_x$ is; the B sequences of the batch all use the same $W_x$, and this product
has summed over them already.

### All steps back

One step is done. What joins the steps is rule 4, twice more.

**The hidden state is used twice.** $h_t$ goes to whoever looks at the outputs (a loss at step $t$, a decoder,
another layer), and it goes into (1.1) of step $t+1$. Call the first part $dh_t^{\mathrm{out}}$. So before
step $t$ is taken back,

$$dh_t = dh_t^{\mathrm{out}} + dh_t^{\mathrm{next}}$$

At the last step there is no step $t+1$, and both "next" parts are 0, unless someone has used $h_T$ or $c_T$,
as a decoder does.

**The weights are used T times.** The same $W_x$ stands in every step. Imagine for a moment that every step
had a copy of its own. Each copy would have the gradient that we just wrote down. To raise $W_x$ is to raise
all the copies at once, so the effects add up:

$$dW_x = \sum_{t} x_t^{\top} da_t \qquad dW_h = \sum_{t} h_{t-1}^{\top} da_t \qquad db = \sum_{t} \sum_{\text{rows}} da_t$$

To walk back like this, from step T to step 1, is backpropagation through time (隨時間反向傳播 / 随时间反向传播). There is
nothing more to it.

### Why the notepad helps

In a plain recurrent layer, $h_t = \tanh(a_t)$, one step back is, by rules 1 and 5,
$dh_{t-1} = (dh_t \odot (1-h_t^2)) W_h^{\top}$: a factor of at most 1 and a matrix, at every step. After fifty
steps the gradient has gone through fifty matrices, and has almost surely vanished or exploded (梯度消失 / 梯度爆炸).
In the LSTM there is also the way along the notepad, where after $k$ steps the gradient has been multiplied
by

$$f_t \odot f_{t-1} \odot \cdots \odot f_{t-k+1}$$

and the network can learn to hold these numbers near 1. It need not: where they are small, this gradient
vanishes as well. (There are other ways back, too, through the gates; they go through $W_h$, as in a plain
layer.)
"""

# %% [markdown]
r"""
## By hand

Write the sentence, then the line that mirrors it. First one step forward.
"""


# %%
def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    """x (B,D), h_prev (B,H), c_prev (B,H) -> h (B,H), c (B,H), cache"""
    a = x @ Wx + h_prev @ Wh + b  # (1.1)  (B,4H)
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)  # four times (B,H)
    i = 1 / (1 + np.exp(-a_i))  # (3.1)  what to write
    f = 1 / (1 + np.exp(-a_f))  # (3.2)  what to keep
    g = np.tanh(a_g)  # (3.3)  the new content
    o = 1 / (1 + np.exp(-a_o))  # (3.4)  what to show
    c = f * c_prev + i * g  # (3.5)
    h = o * np.tanh(c)  # (3.6)
    return h, c, (x, h_prev, c_prev, i, f, g, o, c)


# %% [markdown]
r"""
The cache holds what the way back will need: what stood on the right-hand sides above. It is returned, and not
kept somewhere, so that a step can be taken many times before any is taken back.

Now the same step backward: the same lines in reverse order, each name with a `d`.
"""


# %%
def lstm_step_backward(dh, dc_next, Wx, Wh, cache):
    """dh (B,H), dc_next (B,H) -> the gradients of x, h_prev, c_prev, Wx, Wh, b"""
    x, h_prev, c_prev, i, f, g, o, c = cache
    do = dh * np.tanh(c)  # (3.6)'
    dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)  # c is used twice: sum
    df = dc * c_prev  # (3.5)'
    di = dc * g
    dg = dc * i
    dc_prev = dc * f
    da_o = do * o * (1 - o)  # (3.4)'
    da_g = dg * (1 - g**2)  # (3.3)'
    da_f = df * f * (1 - f)  # (3.2)'
    da_i = di * i * (1 - i)  # (3.1)'
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)  # (B,4H)
    dh_prev = da @ Wh.T  # (1.1)'  (B,H)
    dx = da @ Wx.T  # (B,D)
    dWx = x.T @ da  # (D,4H)
    dWh = h_prev.T @ da  # (H,4H)
    db = da.sum(axis=0)  # (4H,)
    return dx, dh_prev, dc_prev, dWx, dWh, db


# %% [markdown]
r"""
Last, all steps: forward from the first to the last, backward from the last to the first.
"""


# %%
def lstm_forward(x, h0, c0, Wx, Wh, b):
    """x (T,B,D), h0 (B,H), c0 (B,H) -> hs (T,B,H), cT (B,H), a cache for every step"""
    h, c, hs, caches = h0, c0, [], []
    for x_t in x:
        h, c, cache = lstm_step(x_t, h, c, Wx, Wh, b)
        hs.append(h)
        caches.append(cache)
    return np.stack(hs), c, caches


def lstm_backward(dhs, dcT, Wx, Wh, caches, step_backward=lstm_step_backward):
    """What reaches each h from outside, dhs (T,B,H), and the last c, dcT (B,H)
    -> the gradients of x, h0, c0, Wx, Wh, b
    """
    dh_next, dc_next = np.zeros_like(dcT), dcT
    dxs, dWx, dWh, db = [], np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    for dh_out, cache in zip(dhs[::-1], caches[::-1]):
        dh = dh_out + dh_next  # h is used twice: sum
        dx, dh_next, dc_next, *dweights = step_backward(dh, dc_next, Wx, Wh, cache)
        dxs.append(dx)
        dWx, dWh, db = dWx + dweights[0], dWh + dweights[1], db + dweights[2]  # used T times: sum
    return np.stack(dxs[::-1]), dh_next, dc_next, dWx, dWh, db


# %% [markdown]
r"""
## With a pencil

Let us do two steps by hand: one sequence, $B = D = H = 1$, so that every array is a number. Two facts make it
easy:

$$\sigma(\ln 3) = \tfrac34 \qquad \tanh(\ln 3) = \tfrac{9-1}{9+1} = 0.8$$

Take $x_1 = 1$, $x_2 = 0$, $h_0 = c_0 = 0$, $b = 0$; let all four numbers in $W_x$ be $\ln 3$; and let the
four numbers in $W_h$ be 0, 0, 1, 0, so that $h$ is heard by the new content alone. The loss is $L = h_2$.
Everything is written with four digits; if you round at every line, the last one may differ.

**Forward.** In step 1 all four pre-activations are $\ln 3$. In step 2 they are 0, but for $a_g = h_1 = 0.4028$.

| | $i_t$ | $f_t$ | $g_t$ | $o_t$ | $c_t = f_t c_{t-1} + i_t g_t$ | $h_t = o_t \tanh(c_t)$ |
|---|---|---|---|---|---|---|
| step 1 | 0.75 | 0.75 | 0.8 | 0.75 | 0.75 · 0 + 0.75 · 0.8 = **0.6** | 0.75 · 0.5370 = **0.4028** |
| step 2 | 0.5 | 0.5 | 0.3823 | 0.5 | 0.5 · 0.6 + 0.5 · 0.3823 = **0.4912** | 0.5 · 0.4551 = **0.2276** |

**Backward, step 2.** $L = h_2$, so $dh_2 = 1$; nothing comes from a step 3, so $dc_2^{\mathrm{next}} = 0$.

- $do = 1 \cdot 0.4551$ and $dc = 0 + 1 \cdot 0.5 \cdot (1 - 0.4551^2) = 0.3964$
- $df = 0.3964 \cdot 0.6 = 0.2379$, $di = 0.3964 \cdot 0.3823 = 0.1516$, $dg = 0.3964 \cdot 0.5 = 0.1982$; to
  step 1: $dc_1^{\mathrm{next}} = 0.3964 \cdot 0.5 = 0.1982$
- $da_i = 0.1516 \cdot \tfrac14 = 0.0379$, $da_f = 0.2379 \cdot \tfrac14 = 0.0595$,
  $da_g = 0.1982 \cdot (1 - 0.3823^2) = 0.1692$, $da_o = 0.4551 \cdot \tfrac14 = 0.1138$
- to step 1: $dh_1^{\mathrm{next}} = da \cdot W_h^{\top} = 0.1692$, since only the third number in $W_h$ is
  not 0

**Backward, step 1.** Nobody else looks at $h_1$, so $dh_1 = 0.1692$.

- $do = 0.1692 \cdot 0.5370 = 0.0909$ and
  $dc = 0.1982 + 0.1692 \cdot 0.75 \cdot (1 - 0.5370^2) = 0.1982 + 0.0903 = 0.2885$: here are the two ways
  into $c_1$
- $df = 0.2885 \cdot 0 = 0$, $di = 0.2885 \cdot 0.8 = 0.2308$, $dg = 0.2885 \cdot 0.75 = 0.2164$
- $da_i = 0.2308 \cdot \tfrac{3}{16} = 0.0433$, $da_f = 0$, $da_g = 0.2164 \cdot 0.36 = 0.0779$,
  $da_o = 0.0909 \cdot \tfrac{3}{16} = 0.0170$

**The weights.** $dW_x = x_1 da_1 + x_2 da_2 = da_1$, and $dW_h = h_0 da_1 + h_1 da_2 = 0.4028 da_2$.

The same by the functions above:
"""

# %%
Wx = np.full((1, 4), np.log(3))
Wh = np.array([[0.0, 0, 1, 0]])
x = np.array([1.0, 0]).reshape(2, 1, 1)  # (T,B,D)
nothing = np.zeros((1, 1))

hs, c2, caches = lstm_forward(x, nothing, nothing, Wx, Wh, np.zeros(4))
dhs = np.array([0.0, 1]).reshape(2, 1, 1)  # L = h_2
dx, dh0, dc0, dWx, dWh, db = lstm_backward(dhs, nothing, Wx, Wh, caches)

pencil = {
    "h": ([0.4028, 0.2276], hs),
    "c2": ([0.4912], c2),
    "dWx": ([0.0433, 0, 0.0779, 0.0170], dWx),
    "dWh": ([0.0153, 0.0240, 0.0682, 0.0458], dWh),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:4} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

# %% [markdown]
r"""
## The gradient check

How do we know that the five rules were applied without a slip? We ask the forward pass, which is much harder
to get wrong. Move one number by a little, up and down, and see what the loss does:

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \varepsilon) - L(w - \varepsilon)}{2\varepsilon}$$

This is a finite difference (有限差分). By pencil, $dW_x$ begins with 0.0433:
"""


# %%
def loss(w):
    """L = h_2, with another first number in Wx."""
    moved = Wx.copy()
    moved[0, 0] = w
    hs, _, _ = lstm_forward(x, nothing, nothing, moved, Wh, np.zeros(4))
    return hs[1, 0, 0]


epsilon, w = 1e-5, Wx[0, 0]
print(f"dWx[0, 0]  backward {dWx[0, 0]:.9f}")
print(f"  finite difference {(loss(w + epsilon) - loss(w - epsilon)) / (2 * epsilon):.9f}")

# %% [markdown]
r"""
`gradcheck` does this for every number of every parameter and every input. It takes any class that has
`params`, `grads`, `forward` and `backward`. As the loss it uses $L = \sum r \odot h$ with random numbers $r$,
so that every output counts and none like another: with ones instead of random numbers, mistakes could cancel
out.
"""


# %%
class LSTMByHand:
    """The functions above as a layer.  x (T,B,D), h0 (B,H), c0 (B,H) -> hs (T,B,H), cache"""

    step_backward = staticmethod(lstm_step_backward)

    def __init__(self, D, H, rng):
        shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x, h0, c0):
        hs, _, caches = lstm_forward(x, h0, c0, **self.params)
        return hs, caches

    def backward(self, dhs, caches):
        Wx, Wh = self.params["Wx"], self.params["Wh"]
        dcT = np.zeros_like(dhs[0])
        dx, dh0, dc0, dWx, dWh, db = lstm_backward(dhs, dcT, Wx, Wh, caches, self.step_backward)
        for name, grad in {"Wx": dWx, "Wh": dWh, "b": db}.items():
            self.grads[name] += grad
        return dx, dh0, dc0


T, B, D, H = 4, 3, 5, 2  # all different, so that no wrong axis fits by chance
rng = np.random.default_rng(0)
by_hand = LSTMByHand(D, H, rng)
inputs = rng.standard_normal((T, B, D)), rng.standard_normal((B, H)), rng.standard_normal((B, H))
print(gradcheck(by_hand, *inputs))

# %% [markdown]
r"""
Every row passes. The third column is the largest error in that array, relative to the gradient itself. It may
be 1e-6; about 1e-9 is as near as finite differences come.

Does the check notice a mistake? Let us plant one: a step backward that forgets what comes back along the
notepad, as if `dc_next +` were missing.
"""


# %%
def forgetful_step_backward(dh, dc_next, Wx, Wh, cache):
    """As lstm_step_backward, without the way along the cell."""
    return lstm_step_backward(dh, np.zeros_like(dc_next), Wx, Wh, cache)


class ForgetfulLSTM(LSTMByHand):
    step_backward = staticmethod(forgetful_step_backward)


planted = ForgetfulLSTM(D, H, np.random.default_rng(0))
print(gradcheck(planted, *inputs))

# %% [markdown]
r"""
It fails everywhere, and for each array it says where the error is largest, what we have there, and what
should be there. Would we have noticed without it? Compare the two gradients as directions: the cosine of the
angle between them is 1 where they agree and 0 where they have nothing to do with each other.
"""

# %%
directions = []
for network in (by_hand, planted):
    hs, cache = network.forward(*inputs)
    network.backward(np.ones_like(hs), cache)  # L is the sum of all h
    grads = np.concatenate([grad.ravel() for grad in network.grads.values()])
    directions.append(grads / np.linalg.norm(grads))
print(f"cosine: {directions[0] @ directions[1]:.2f}")

# %% [markdown]
r"""
A network with this mistake would still train: its gradient points nearly the right way. The loss would go
down, and nobody would ask why it does not go further. That is how wrong gradients live for years in published
code. So we check.

Would every check notice this mistake? Not one over a single step, where nothing comes back along the notepad:
"""

# %%
one_step = inputs[0][:1], *inputs[1:]
print("T = 1:", "passes" if gradcheck(planted, *one_step).passed else "fails")
print("T = 4:", "passes" if gradcheck(planted, *inputs).passed else "fails")

# %% [markdown]
r"""
A gradient check is only as good as its sizes: take more than one step, more than one sequence, sizes that
differ, and starting states that are not 0.
"""

# %% [markdown]
r"""
## The same from minis2s

`minis2s.nn.LSTM` has the same parameters, under the same names. Give it ours, and it gives the same outputs
and the same gradients.
"""

# %%
layer = LSTM(D, H, np.random.default_rng(1), dtype="float64")
layer.load(by_hand.params)

x, h0, c0 = inputs
hs, cT, caches = lstm_forward(x, h0, c0, **by_hand.params)
(their_hs, (their_hT, their_cT)), cache = layer.forward(x, (h0, c0))
np.testing.assert_allclose(their_hs, hs, rtol=1e-12)
np.testing.assert_allclose(their_cT, cT, rtol=1e-12)

dhs, dcT = rng.standard_normal(hs.shape), rng.standard_normal(cT.shape)
Wx, Wh = by_hand.params["Wx"], by_hand.params["Wh"]
dx, dh0, dc0, dWx, dWh, db = lstm_backward(dhs, dcT, Wx, Wh, caches)
their_dx, (their_dh0, their_dc0) = layer.backward(dhs, (np.zeros_like(dcT), dcT), cache)
ours = {"dx": dx, "dh0": dh0, "dc0": dc0, "dWx": dWx, "dWh": dWh, "db": db}
theirs = {"dx": their_dx, "dh0": their_dh0, "dc0": their_dc0}
theirs |= {f"d{name}": grad for name, grad in layer.grads.items()}
for name, grad in ours.items():
    np.testing.assert_allclose(theirs[name], grad, rtol=1e-9, atol=1e-12)
    print(f"{name:4} {grad.shape!s:10} the same")

# %% [markdown]
r"""
And this is how it is written there, line for line as above; what is different is that the products with $W_x$
and $W_h$ are elsewhere, in [recurrent.py](../minis2s/nn/recurrent.py), because every recurrent layer has
them. (`@fused` does nothing on a processor; on a GPU it makes one kernel of the whole function, chapter 13.)
"""

# %%
print(inspect.getsource(lstm.lstm_gates_backward))

# %% [markdown]
r"""
Two things the library does differently. Its sigmoid is $(1 + \tanh(a/2))/2$, which is the same number, but
cannot overflow where $a$ is far below 0. And, for speed: only $h_{t-1}$ must be waited for. So it computes
$x_t W_x$ for all $t$ in one large product before the loop, and $dW_x$ in one large product after it: with the
T·B rows of all steps below each other, $X^{\top} dA$ *is* the sum over steps and rows.
"""

# %%
das = rng.standard_normal((T, B, 4 * H))  # any numbers will do to see it
X, dA = x.reshape(T * B, D), das.reshape(T * B, 4 * H)
np.testing.assert_allclose(X.T @ dA, sum(x[t].T @ das[t] for t in range(T)))

# %% [markdown]
r"""
## Worth a look

### What gates do

A small LSTM has been trained for a few seconds to say, after each character, how many brackets are open.
Nobody told it to count; here is how it does. Look at the first row of each panel, unit 1, which holds the
count.
"""

# %%
gate_activations()

# %% [markdown]
r"""
- Its cell, the dashed line on top, goes up at each `(` and down at each `)`. Between two brackets it stays
  where it is. Outside of all brackets, at both ends of the line, it sinks somewhat below 0, which does no
  harm: no bracket is open there, and lower than none is none.
- Its forget gate, inside the brackets, is near 1: keep.
- Its input gate opens at brackets and is nearly closed between them. The new content is 1 at `(` and -1 at
  `)`. So $i_t \odot g_t$ adds a piece at the one and takes a piece away at the other.

This is what "keep, write, show" looks like when it has been learnt.
"""

# %% [markdown]
r"""
### How far a gradient gets

Here are six layers before any training. The loss looks at the last step only; the curve says how much of its
gradient is left $k$ steps back.
"""

# %%
gradient_distance()

# %% [markdown]
r"""
The scale is logarithmic, so a straight line is a constant factor a step, which is written beside it. Compare
the three LSTMs. All that differs is where the bias of the forget gate starts, and so how near to 1 the forget
gates are. At 0 they are about ½, and the gradient dies nearly as fast as in a plain layer. At 1, where
`minis2s` starts, a tenth of it is left after 13 steps: enough to learn from, and to move the bias further up
if the task needs it. At 3 nearly all of it arrives. The plain layer can also be made to keep its gradient,
with larger weights; but then it explodes.
"""

# %% [markdown]
r"""
## The document's own code

### 000 and 002: one formula, and what it leaves to the code

Both documents write $h_t = f(x_t, h_{t-1})$ and say that $f$ may be an LSTM. For the plain layer and the GRU
that is exact. For the LSTM the state is the pair, and the formula is

$$(h_t, c_t) = f(x_t, (h_{t-1}, c_{t-1}))$$

The code of 000 (PyTorch 實現) does it right: its encoder returns `h_n, c_n`, and its decoder starts from both.
The encoder in 002, 2.3, reads

```python
_, (hidden, _) = self.lstm(x)
return hidden
```

The second `_` is the notepad. It is thrown away here, and whoever goes on from `hidden` starts with an empty
one. Does it matter? Read ten steps in one go; then read the same ten in two halves, once handing on the pair
and once handing on $h$ alone.
"""

# %%
rng = np.random.default_rng(0)
encoder = LSTM(20, 50, rng, dtype="float64")  # the sizes of 002, 2.3
x = rng.standard_normal((10, 1, 20))

(_, (h, _)), _ = encoder.forward(x)
(_, (h_half, c_half)), _ = encoder.forward(x[:5])
(_, (h_pair, _)), _ = encoder.forward(x[5:], (h_half, c_half))
(_, (h_alone, _)), _ = encoder.forward(x[5:], (h_half, np.zeros_like(c_half)))


def moved(h_now, h):
    return np.linalg.norm(h_now - h) / np.linalg.norm(h)


print(f"handing on (h, c): h is off by {moved(h_pair, h):.0%}")
print(f"handing on h only: h is off by {moved(h_alone, h):.0%}")

# %% [markdown]
r"""
With the pair nothing is lost. The right version of 2.3 returns both, `return hidden, cell`. In `minis2s` the
state is one tuple, so that half of it cannot be lost by accident:
"""

# %%
try:
    encoder.forward(x[5:], h_half)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
002 prints the shape `(1, batch_size, hidden_size)`. The leading 1 counts layers and directions; our $h_T$ is
(B,H), and chapter 6 has layers and directions.

### 000: zeros are not nothing

000 says (優勢) that sequences may have any length. In a batch, short sequences must be filled up, usually with
zeros, and its code does not say where each one ends. One might hope that zeros do nothing. Look at (1.1):
$x_t = 0$ leaves $h_{t-1} W_h + b$, and so the gates go on keeping, writing and showing.
"""

# %%
encoder = LSTM(10, 20, rng, dtype="float64")  # the sizes of 000
x = rng.standard_normal((3, 5, 10))
padded = np.concatenate([x, np.zeros_like(x)])  # three steps more, all zeros

(_, (h, _)), _ = encoder.forward(x)
(_, (h_padded, _)), _ = encoder.forward(padded)
(_, (h_told, _)), _ = encoder.forward(padded, lengths=np.full(5, 3))
print(f"three zero steps more:       h is off by {moved(h_padded, h):.0%}")
print(f"the same, told the lengths:  h is off by {moved(h_told, h):.0%}")

# %% [markdown]
r"""
With `lengths` a row's state is carried unchanged past its end. How, and what its gradient does there, is in
chapter 6. (With PyTorch's LSTM, whose parameters start elsewhere, it is 75% on average.)

What else happens when the code of 000 and 002 is run has to do with decoders and attention, and is told in chapters 5 to 11.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the section above. Write one step of the backward pass, as `minis2s` cuts it: from $dh$ and what comes
back along the cell to $da$ and to what goes on along the cell. `sigmoid_backward(dy, y)` and
`tanh_backward(dy, y)` are rule 1, with `y` the output; or write it out.
"""


# %% exercise="lstm_cell_backward" points=3
def lstm_cell_backward(dh, dc, cache):
    """dh (B,H), dc (B,H), cache (c_prev, i, f, g, o, tanh_c) -> da (B,4H), dc_prev (B,H)"""
    raise NotImplementedError


# %%
check.lstm_cell_backward(lstm_cell_backward)

# %% [markdown]
r"""
### 2. Predict, then run

Let all weights and biases be 0, but for the bias of the forget gate, which is 1. So
$f_t = \sigma(1) \approx 0.731$ at every step. Which share of the gradient of $c_{20}$ arrives at $c_0$? Write a
number; to within a tenth of it will do. Only then take away the first `#` in the cell after the check.
"""

# %% exercise="share_after_20_steps" points=1
share_after_20_steps = None

# %%
check.share_after_20_steps(share_after_20_steps)

# %%
layer = LSTM(1, 1, np.random.default_rng(0), forget_bias=1.0, dtype="float64")
for name in ("Wx", "Wh"):
    layer.params[name][...] = 0
_, cache = layer.forward(np.zeros((20, 1, 1)))
_, (dh0, dc0) = layer.backward(None, (np.zeros((1, 1)), np.ones((1, 1))), cache)
# print(dc0)

# %% [markdown]
r"""
And the other way round: with which bias of the forget gate would *half* of it arrive after 20 steps? To
within 0.1.
"""

# %% exercise="bias_that_keeps_half" points=1
bias_that_keeps_half = None

# %%
check.bias_that_keeps_half(bias_that_keeps_half)

# %% [markdown]
r"""
### 3. Find the planted bugs

This backward pass over all steps has two mistakes. Its gradient check is below it.
"""


# %%
def broken_lstm_backward(dhs, Wx, Wh, caches):
    """dhs (T,B,H), caches of lstm_forward -> the gradients of x, h0, c0, Wx, Wh, b"""
    T, B, H = dhs.shape
    dh, dc = np.zeros((B, H)), np.zeros((B, H))
    dxs, dWx, dWh, db = [None] * T, np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H)
    for t in reversed(range(T)):
        x, h_prev, c_prev, i, f, g, o, c = caches[t]
        dh = dh + dhs[t]
        do = dh * np.tanh(c)
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da_i, da_f = dc * g * i * (1 - i), dc * c * f * (1 - f)
        da_g, da_o = dc * i * (1 - g**2), do * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dWx, dWh, db = dWx + x.T @ da, dWh + (o * np.tanh(c)).T @ da, db + da.sum(axis=0)
        dxs[t], dh, dc = da @ Wx.T, da @ Wh.T, dc * f
    return np.stack(dxs), dh, dc, dWx, dWh, db


class BrokenLSTM(LSTMByHand):
    def backward(self, dhs, caches):
        Wx, Wh = self.params["Wx"], self.params["Wh"]
        dx, dh0, dc0, dWx, dWh, db = broken_lstm_backward(dhs, Wx, Wh, caches)
        for name, grad in {"Wx": dWx, "Wh": dWh, "b": db}.items():
            self.grads[name] += grad
        return dx, dh0, dc0


print(gradcheck(BrokenLSTM(D, H, np.random.default_rng(0)), *inputs))

# %% [markdown]
r"""
Every row fails, so one of the mistakes is where everything passes through. Mend that one first, and the check
will show which single row the other one spoils. Copy the body into the stub below and mend it there.
"""


# %% exercise="mended_lstm_backward" points=2
def mended_lstm_backward(dhs, Wx, Wh, caches):
    """dhs (T,B,H), caches of lstm_forward -> the gradients of x, h0, c0, Wx, Wh, b"""
    raise NotImplementedError


# %%
check.mended_lstm_backward(mended_lstm_backward)

# %% [markdown]
r"""
### 4. Coupled gates

Why decide twice, what to keep and what to write? Let what is written take the place of what is forgotten:
$i_t = 1 - f_t$ (Greff et al. 2017 found that little is lost). There are three parts, $a_t = [a_f, a_g, a_o]$,
and

$$c_t = f_t \odot c_{t-1} + (1 - f_t) \odot g_t$$

The rest is as before. Write the backward pass of one step. Which rule do you need for $df_t$ that you did not
need before?
"""


# %% exercise="coupled_cell_backward" points=2
def coupled_cell_backward(dh, dc, cache):
    """dh (B,H), dc (B,H), cache (c_prev, f, g, o, tanh_c) -> da (B,3H), dc_prev (B,H)"""
    raise NotImplementedError


# %%
check.coupled_cell_backward(coupled_cell_backward)

# %% [markdown]
r"""
### 5. Peepholes

The gates of (3.1), (3.2) and (3.4) cannot see the notepad: they hear only $x_t$ and $h_{t-1}$, and where the
output gate was closed $h_{t-1}$ says nothing of $c_{t-1}$. Gers and Schmidhuber (2000) let them look through
peepholes, with one weight for each unit, $p$ (3,H), rows $p_i$, $p_f$, $p_o$:

$$i_t = \sigma(a_i + p_i \odot c_{t-1})$$

$$f_t = \sigma(a_f + p_f \odot c_{t-1})$$

$$o_t = \sigma(a_o + p_o \odot c_t)$$

and the other equations as before. Mind that the output gate looks at the *new* cell. Write the step forward,
with a cache of your own, and then the step backward. In how many places is $c_t$ used now? And $c_{t-1}$?
"""


# %% exercise="peephole_cell" points=1
def peephole_cell(a, c_prev, p):
    """a (B,4H), c_prev (B,H), p (3,H) -> h (B,H), c (B,H), cache"""
    raise NotImplementedError


# %%
check.peephole_cell(peephole_cell)


# %% exercise="peephole_cell_backward" points=4
def peephole_cell_backward(dh, dc, cache):
    """dh (B,H), dc (B,H), your own cache -> da (B,4H), dc_prev (B,H), dp (3,H)"""
    raise NotImplementedError


# %%
check.peephole_cell_backward(peephole_cell, peephole_cell_backward)

# %% [markdown]
r"""
## What to read next

- S. Hochreiter, J. Schmidhuber, [Long short-term memory](https://doi.org/10.1162/neco.1997.9.8.1735), Neural
  Computation 9(8), 1997: §3 on why gradients vanish, §4 on the cell and its gates. There is no forget gate
  yet: $f = 1$, always.
- F. Gers, J. Schmidhuber, F. Cummins, [Learning to forget](https://doi.org/10.1162/089976600300015015),
  Neural Computation 12(10), 2000: the forget gate, and why its bias should start above 0.
- F. Gers, J. Schmidhuber, Recurrent nets that time and count, IJCNN 2000: peepholes.
- R. Pascanu, T. Mikolov, Y. Bengio, [On the difficulty of training recurrent neural
  networks](https://arxiv.org/abs/1211.5063), 2013, §2: gradients that vanish and explode.
- R. Jozefowicz, W. Zaremba, I. Sutskever, [An empirical exploration of recurrent network
  architectures](https://proceedings.mlr.press/v37/jozefowicz15.html), 2015: ten thousand cells tried, and a
  forget bias of 1.
- K. Greff et al., [LSTM: a search space odyssey](https://arxiv.org/abs/1503.04069), 2017, §II: all equations
  with peepholes, forward and backward; then which parts matter.
- A. Karpathy, J. Johnson, L. Fei-Fei, [Visualizing and understanding recurrent
  networks](https://arxiv.org/abs/1506.02078), 2016, §4: cells that count, in larger models.

Next is chapter 4, the GRU: one memory instead of two, and two gates instead of three.
"""
