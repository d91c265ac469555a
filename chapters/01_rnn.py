# %% [markdown]
r"""
# 1 · The recurrent cell

循環單元 · 循环单元 · the recurrent cell

A sentence comes one word at a time, and nobody says beforehand how long it will be. What reads it has a fixed
size. So it reads a word, changes what it has in mind, and reads the next. What it has in mind is called its
state; the rule by which a word changes it is called its cell. This chapter is about the plainest cell there is.

At the end you will have written it in two lines of NumPy, have run it over a sequence, and have derived the
gradient of one step from nothing but the slope of a curve. You need Python and matrix products. All other
mathematics of these chapters begins here, so this one goes slowly; chapter 2 then walks the same steps back
through time.
"""

# %%
import inspect

import numpy as np

from minis2s.exercises import check
from minis2s.figures.saturation import saturation
from minis2s.functional import relu, sigmoid
from minis2s.gradcheck import gradcheck
from minis2s.nn import LSTM, RNN, rnn
from minis2s.plots import COLOURS, DASHES, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 001 (繁) | 1. 編碼器（Encoder） | $h_t = f(W \cdot [h_{t-1}, x_t] + b)$, from $h_0 = 0$ | the shapes; what $W$ consists of; which $f$; the gradient |
| 003 (简) | 4.1 编码器数学模型 | $h_t = f(W_{xh}x_t + W_{hh}h_{t-1} + b_h)$ | the same; why it is the same formula |

Both sections give one line for the encoder (編碼器 / 编码器), and it is the line of this chapter. It comes after the
map, chapter 0. Chapter 2 goes on where it ends. What a *decoder* does with the state, and the output $y_t$ of
001 §2 and 003 §4.2, are in chapters 5 and 7.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 循環神經網絡 | 循环神经网络 | recurrent neural network, RNN |
| 序列 | 序列 | sequence |
| 時間步 | 时间步 | time step |
| 隱藏狀態 | 隐藏状态 | hidden state |
| 向量、矩陣 | 向量、矩阵 | vector, matrix |
| 列（台灣） | 行 | row |
| 行（台灣） | 列 | column |
| 形狀 | 形状 | shape |
| 批次 | 批次 | batch |
| 權重、偏置 | 权重、偏置 | weights, bias |
| 激活函數 | 激活函数 | activation function |
| 雙曲正切 | 双曲正切 | hyperbolic tangent, tanh |
| 飽和 | 饱和 | saturation |
| 展開 | 展开 | unrolling |
| 前向傳播 | 前向传播 | forward pass |
| 反向傳播 | 反向传播 | backward pass, backpropagation |
| 損失 | 损失 | loss |
| 梯度 | 梯度 | gradient |
| 鏈式法則 | 链式法则 | chain rule |
| 有限差分 | 有限差分 | finite difference |
| 不動點 | 不动点 | fixed point |

Mind the rows and columns. In Taiwan a row is a 列 and a column a 行; on the mainland it is the other way round.
If you read both scripts, look at the shape and not at the word.
"""

# %% [markdown]
r"""
## Symbols

| in 001 §1 | in 003 §4.1 | here | in the code | what it is | shape |
|---|---|---|---|---|---|
| $x_t$ | $x_t$ | $x_t$ | `x[t]` | the input at step $t$ | (B,D) |
| $h_t$ | $h_t$ | $h_t$ | `h`, all of them `hs` | the hidden state after step $t$ | (B,H) |
| $h_0 = 0$ | | $h_0$ | `h0` | the state before the first step | (B,H) |
| $h_T$ | $h_N$, in 4.2 | $h_T$ | `hT` | the state after the last step; 001 calls it 上下文向量, the context vector | (B,H) |
| $W$, its last D columns | $W_{xh}$ | $W_x$ | `Wx` | weights, from the input to the state | (D,H) |
| $W$, its first H columns | $W_{hh}$ | $W_h$ | `Wh` | weights, from the state to the next state | (H,H) |
| $b$ | $b_h$ | $b$ | `b` | bias | (H,) |
| $f$ | $f$ | $\tanh$ | `tanh` | activation function | |
| | | $a_t$ | `a` | pre-activation, what the tanh is taken of | (B,H) |
| | | $L$ | `loss` | the loss, one number | |
| | | $dh_t$ | `dh` | the gradient of $L$ with respect to $h_t$ | as $h_t$ |

T is the number of steps (003 calls it N), B the number of sequences in a batch, D the size of an input, H the
size of the state. "(B,D)" means: an array of B rows and D columns.

A subscript of two letters in 003 says from where to where: $W_{xh}$ leads from $x$ to $h$, $W_{hh}$ from $h$ to
the next $h$. The documents write a vector as a column and put the matrix before it; the code and these
chapters write it as a row and put the matrix behind it. Why, and what changes, is said below.
"""

# %% [markdown]
r"""
## The idea

You have written many recurrent programs. This is one:
"""

# %%
total = 0
for x in [3, 1, 4]:
    total = total + x
print(total)

# %% [markdown]
r"""
Something comes in at every step, `x`. Something is kept from step to step, `total`: the state. One and the
same rule makes the new state from the old one and the input. Three numbers or three million, the program is no
longer for it, and at any moment `total` is all that it knows of what has been.

A recurrent network is this loop with two changes.

- The state is not one number but a row of H numbers, called units, so that it can hold more than a total.
- The rule is not written by us. It has a fixed form, with weights in it, and training chooses the weights.

A total does not know in which order things came: "dog bites man" and "man bites dog" add up to the same. The
rule below can tell. It changes the old state before it adds the new word, so that what came first has been
changed more often than what came last.

Here is the same picture twice: on the left as the loop that it is, on the right unrolled (展開 / 展开), each turn
of the loop drawn beside the one before. (The next cell only draws it; read on below.)
"""

# %%
HEAD = {"arrowstyle": "->", "shrinkA": 1, "shrinkB": 1}


def draw_graph(size, nodes, forward, back="", said=()):
    """Boxes at nodes[name] = x, y, label; arrows "from to, …"; beside them, dashed, those back."""
    with drawing(size) as figure:
        ax = figure.add_subplot(aspect="equal")
        ax.axis("off")
        boxes = {}
        for name, (x, y, label) in nodes.items():
            look = {"boxstyle": "round,pad=0.35", "ec": "0.4" if label else "none"}
            look["fc"] = "#DCEBF7" if label in ("cell", "tanh", "×", "+") else "white"
            text = ax.text(x, y, label, ha="center", va="center", parse_math=True, bbox=look)
            boxes[name] = text.get_bbox_patch()
        for start, end in map(str.split, filter(None, forward.split(","))):
            ends = {"patchA": boxes[start], "patchB": boxes[end], "color": "0.2"}
            ax.annotate("", nodes[end][:2], nodes[start][:2], arrowprops=HEAD | ends)
        for start, end in map(str.split, filter(None, back.split(","))):
            ends = np.array([nodes[end][:2], nodes[start][:2]], dtype=float)
            dx, dy = ends[0] - ends[1]
            side = 0.2 if dy >= 0 else -0.2  # above what leads up, below what leads down
            ends += side * np.array([dy, -dx]) / np.hypot(dx, dy)
            look = {"color": COLOURS[1], "linestyle": "--", "lw": 1.6, "shrinkA": 13, "shrinkB": 13}
            ax.annotate("", *ends, arrowprops=HEAD | look)
        for x, y, label in said:
            ax.text(x, y, label, color=COLOURS[1] if back else "0.25", parse_math=True, ha="center")
        xs, ys, _ = zip(*nodes.values())
        ax.set(xlim=(min(xs) - 0.6, max(xs) + 0.6), ylim=(min(ys) - 0.4, max(ys) + 0.5))
    return figure


nodes = {"x": (0, 0, "$x_t$"), "cell": (0, 1, "cell"), "h": (0, 2, "$h_t$")}
nodes |= {"right": (1, 2, ""), "below": (1, 1, ""), "h0": (3, 1, "$h_0$")}
for t in (1, 2, 3):
    nodes[f"cell{t}"] = (3 + 2 * t - 1, 1, "cell")
    nodes[f"x{t}"] = (3 + 2 * t - 1, 0, f"$x_{t}$")
    nodes[f"h{t}"] = (3 + 2 * t, 1, f"$h_{t}$")
draw_graph(
    (8.4, 2.7),
    nodes,
    "x cell,cell h,h right,right below,below cell,"
    "h0 cell1,x1 cell1,cell1 h1,h1 cell2,x2 cell2,cell2 h2,h2 cell3,x3 cell3,cell3 h3",
    said=[(1.5, 1.4, "$h_{t-1}$")],
)

# %% [markdown]
r"""
All cells on the right are one and the same, with the same weights. That is why a network with a fixed number of
weights can read a sequence of any length.
"""

# %% [markdown]
r"""
## The equations

### One number

Let input and state be one number each. The cell is

$$h_t = \tanh(w_x x_t + w_h h_{t-1} + b)$$

- $w_x$ says how much the news counts, and in which direction;
- $w_h$ says how much the memory counts;
- $b$, the bias (偏置), is what is left when both are silent;
- $\tanh$ is the activation function (激活函數 / 激活函数) that the documents call $f$. It is

$$\tanh(a) = \frac{e^{a} - e^{-a}}{e^{a} + e^{-a}}$$

which is 0 at 0, rises with slope 1 there, and comes ever nearer to 1 on the right and to -1 on the left. So a
state, whatever happens, lies between -1 and 1. (With $w_x = w_h = 1$, $b = 0$ and no tanh it would be the running
total again.)

### A row of numbers

Now let the input have D numbers and the state H. Every unit of the state has its own D weights for the input,
its own H weights for the state before, and its own bias. Take D = H = 2, and look at the part of the input
alone. Unit 1 hears $x_1$ with weight $w_{11}$ and $x_2$ with weight $w_{21}$; unit 2 hears them with $w_{12}$ and
$w_{22}$ (here the subscripts count numbers, not steps):

$$a_1 = x_1 w_{11} + x_2 w_{21}$$

$$a_2 = x_1 w_{12} + x_2 w_{22}$$

This is a row times a matrix: $a = x W$, with $x = (x_1, x_2)$ and $w_{dm}$ in row $d$ and column $m$ of $W$. A
*row* of $W$ belongs to a number that comes in; a *column* of $W$ belongs to a unit that hears it. What the units
hear of the state before is a second such product, with a matrix of its own.

### A batch of rows

One does not train on one sequence at a time, but on B of them side by side, a batch (批次). Step $t$ of all of
them is B rows below each other, like a table with one sequence a line: $x_t$ is (B,D), $h_{t-1}$ is (B,H). That is
why vectors are rows here. The same product serves, since a matrix product treats every row on the left
separately:

$$a_t = x_t W_x + h_{t-1} W_h + b \tag{1.1}$$

$$h_t = \tanh(a_t) \tag{1.2}$$

$x_t$ is (B,D) and $W_x$ is (D,H), so $x_t W_x$ is (B,H). $h_{t-1}$ is (B,H) and $W_h$ is (H,H), so $h_{t-1} W_h$
is (B,H) too. $b$ is (H,) and is added to every row. The tanh works on each of the BH numbers by itself. Here is
(1.1) in boxes, one box a number, with B = 4, D = 5 and H = 3. One sequence of the batch is dark, all the way:
"""

# %%
B, D, H = 4, 5, 3
with drawing((8.6, 2.1)) as figure:
    ax = figure.add_subplot(aspect="equal", xlim=(-0.1, 27.2), ylim=(-4, 4))
    ax.axis("off")
    left = 0
    for label, rows, columns, sequences, sign in (
        ("$x_t$", B, D, True, ""), ("$W_x$", D, H, False, "+"), ("$h_{t-1}$", B, H, True, ""),
        ("$W_h$", H, H, False, "+"), ("$b$", 1, H, False, "="), ("$a_t$", B, H, True, ""),
    ):  # fmt: skip
        dark = np.zeros((rows, columns))
        dark[1:2] = sequences
        edges = left + np.arange(columns + 1), rows / 2 - np.arange(rows + 1)
        ax.pcolormesh(*edges, dark, vmax=1.6, edgecolors="0.5", linewidth=0.6)
        middle = left + columns / 2
        ax.text(middle, 3.1, label, ha="center", parse_math=True)
        ax.text(middle, -3.7, f"({rows},{columns})" if rows > 1 else f"({H},)", ha="center", size=9)
        ax.text(left + columns + 0.9, 0, sign, ha="center", va="center")
        left += columns + (1.8 if sign else 0.5)
figure

# %% [markdown]
r"""
Follow the dark sequence: its input meets the one matrix, its old state meets the other, and the sum with $b$ is
the dark row on the right. No other sequence has any part in it. The sequences of a batch share the weights and
nothing else.

The numbers in brackets are those in the library's own files, [recurrent.py](../minis2s/nn/recurrent.py) and
[rnn.py](../minis2s/nn/rnn.py): a line of code that computes an equation ends with its number.

### The documents' two ways of writing it

003 has columns: $W_{xh} x_t$, where $x_t$ is a column of D numbers and $W_{xh}$ is (H,D). Written out, number
$m$ of the result is

$$(W_{xh} x_t)_m = \sum_{d} (W_{xh})_{md} (x_t)_d = \sum_{d} (x_t)_d (W_{xh}^{\top})_{dm}$$

and the right-hand side is number $m$ of the *row* $x_t$ times $W_{xh}^{\top}$, the transposed matrix. So nothing
changes but the side and the transpose:

$$W_x = W_{xh}^{\top} \qquad W_h = W_{hh}^{\top} \qquad b = b_h$$

001 writes state and input below each other, as one long column of H + D numbers, $[h_{t-1}, x_t]$, and has one
matrix $W$, (H,H+D), for both. Number $m$ of the product is a sum over the long column, first over its H numbers
of state, then over its D numbers of input:

$$(W [h_{t-1}, x_t])_m = \sum_{k=1}^{H} W_{mk} (h_{t-1})_k + \sum_{d=1}^{D} W_{m,H+d} (x_t)_d$$

The first sum uses the first H columns of $W$ only: they are $W_{hh}$. The second uses the last D: they are
$W_{xh}$. So the two formulas are one. Here are all three, with the same weights:
"""

# %%
D, H = 3, 2
rng = np.random.default_rng(0)
W_xh, W_hh, b_h = rng.standard_normal((H, D)), rng.standard_normal((H, H)), rng.standard_normal(H)
x, h_prev = rng.standard_normal(D), rng.standard_normal(H)

W = np.concatenate([W_hh, W_xh], axis=1)  # (H,H+D), side by side
print("001 ", np.tanh(W @ np.concatenate([h_prev, x]) + b_h))
print("003 ", np.tanh(W_xh @ x + W_hh @ h_prev + b_h))
print("here", np.tanh(x @ W_xh.T + h_prev @ W_hh.T + b_h))

# %% [markdown]
r"""
### Unrolled

Put (1.1) into (1.2), and the state of each step into the next. Three steps are

$$h_1 = \tanh(x_1 W_x + h_0 W_h + b)$$

$$h_2 = \tanh(x_2 W_x + h_1 W_h + b)$$

$$h_3 = \tanh(x_3 W_x + h_2 W_h + b)$$

There are three inputs, but one $W_x$, one $W_h$ and one $b$: together DH + HH + H numbers to learn, whatever T
is. And $x_1$ is heard in $h_3$ only by way of $h_1$ and $h_2$: through two products with $W_h$ and two more tanhs.
Most of what is difficult about recurrent networks is in this sentence.

### Why the tanh

What if we left it out? Take $b = 0$ and $h_0 = 0$. Then $h_1 = x_1 W_x$, and

$$h_2 = x_2 W_x + h_1 W_h = x_2 W_x + x_1 W_x W_h$$

This is what $x_2$ contributes plus what $x_1$ contributes, and neither contribution knows of the other. A second
word could never turn round what the first one means; "not good" would be "not" plus "good". More steps only
make the sum longer. With a tanh the contributions do not simply add up:
"""

# %%
W_x, W_h = np.array([[1.0, -0.5], [0.5, 2]]), np.array([[1.5, 1], [-1, 1.5]])
x_1, x_2, silence = np.array([1.0, 0]), np.array([0.0, 1]), np.zeros(2)


def two_steps(f, x_1, x_2):
    return f(x_2 @ W_x + f(x_1 @ W_x) @ W_h)


for name, f in {"no f": lambda a: a, "tanh": np.tanh}.items():
    together = two_steps(f, x_1, x_2)
    added = two_steps(f, x_1, silence) + two_steps(f, silence, x_2)
    print(f"{name}: h_2 of both words {together}, of the one plus of the other {added}")

# %% [markdown]
r"""
## The backward pass, step by step

### What a gradient is

To train a network is to change its weights such that its results become less wrong. How wrong they are is said
by one number, the loss (損失 / 损失), $L$. In this chapter it will be half the squared distance of the state from
what we wished it to be; chapter 5 has better ones.

Take the smallest network of all, one weight and one input 1: $h = \tanh(w)$, and we wish that $h$ were 1. So
$L = \tfrac12 (\tanh(w) - 1)^2$. Let $w$ be $\ln 2$, where the tanh is 0.6. Should $w$ be larger or smaller, and
how much does it matter? Try: raise $w$ a little, and see how much $L$ rises for each unit of it.
"""


# %%
def small_loss(w):
    return (np.tanh(w) - 1) ** 2 / 2


w = np.log(2)
for epsilon in (0.1, 0.01, 0.001, 0.0001):
    rise = small_loss(w + epsilon) - small_loss(w)
    print(f"w + {epsilon:<6}  L rises by {rise:9.6f}  for each unit of w: {rise / epsilon:.4f}")

# %% [markdown]
r"""
The smaller the trial, the nearer the last column comes to -0.256. This number is the derivative of $L$ at this
$w$: an exchange rate. A little more $w$ buys 0.256 times as much less loss. So raise $w$.

A network has many weights, and so many rates. For an array of weights such as $W_x$, (D,H), there is one rate
for every number in it, and they make an array of the same shape. This is the gradient (梯度) of $L$ with respect
to $W_x$, and we write it $dW_x$, one name, `dWx` in the code. Its entry in row $d$ and column $m$ is

$$(dW_x)_{dm} = \frac{\partial L}{\partial (W_x)_{dm}}$$

that is: how much $L$ rises for each unit that this one number is raised, as long as it is raised by little. A
gradient has the shape of what it is the gradient of. Always.

We could find all rates as above, by trying. But one trial costs one run of the network, and networks have
millions of weights. The backward pass (反向傳播 / 反向传播) finds all of them in about the time of two runs: two
matrix products for each one forward, as we shall see. It walks from the loss to the weights, and needs five rules.

### Rule 1: a function of each number by itself

Let $y = \varphi(x)$, where $\varphi$ is some curve, and let the rate $dy$ be known already: for each unit of $y$,
the loss rises by $dy$. What is $dx$? A unit of $x$ is worth $\varphi'(x)$ units of $y$; that is what the slope
of a curve means. Each of those is worth $dy$ of loss. Exchange twice, and the rates multiply:

$$dx = dy \odot \varphi'(x)$$

This is the chain rule (鏈式法則 / 链式法则), and all the rest of backpropagation is bookkeeping. $\odot$ is the
elementwise product, `*` in NumPy: $x$ may be an array, and each of its numbers is exchanged by itself.

We need it for the tanh. Write $\tanh = s / k$ with $s = e^{a} - e^{-a}$ and $k = e^{a} + e^{-a}$. The derivative
of $e^{a}$ is $e^{a}$, that of $e^{-a}$ is $-e^{-a}$. So the derivative of $s$ is $k$, and the derivative of $k$ is
$s$. By the rule for quotients from school,

$$\tanh'(a) = \frac{s'k - sk'}{k^2} = \frac{k^2 - s^2}{k^2} = 1 - \tanh^2(a)$$

How handy: with $h = \tanh(a)$ the slope is $1 - h^2$. Who knows $h$ need not remember $a$.

And we need it for the loss, $L = \tfrac12 (h - \mathrm{target})^2$, or the sum of such terms where $h$ has several
numbers. By the rule for squares the slope is

$$dh = h - \mathrm{target}$$

Now the rate that we found by trying. $dh = 0.6 - 1 = -0.4$; the slope of the tanh is $1 - 0.6^2 = 0.64$; and
$-0.4 \cdot 0.64 = -0.256$.

### Rule 2: sums

Let $y = u + v$. A unit of $u$ is worth a unit of $y$, and so is a unit of $v$. So

$$du = dy \qquad dv = dy$$

A sum hands the gradient on to all that stand in it, unchanged and undivided.

### Rule 3: products

Let $y = uv$. Raise $u$ by $\varepsilon$: $(u + \varepsilon)v = uv + \varepsilon v$. So a unit of $u$ is worth $v$
units of $y$, and by the same right a unit of $v$ is worth $u$ units of $y$:

$$du = dy \cdot v \qquad dv = dy \cdot u$$

Each side gets the gradient times the *other* side. For arrays that are multiplied number by number, write
$\odot$.

### Rule 4: what is used more than once

Let $x$ be used in two places, and let the loss hear of it from both. Raise $x$ by a little. The loss rises by
what the first place makes of it, and it rises by what the second makes of it. So

$$dx = (\text{what comes back from the first}) + (\text{what comes back from the second})$$

**Where a value is used more than once, its gradients are summed.** (For raises that are not small, there would
also be what the one place does to the other. It goes with $\varepsilon^2$; halve $\varepsilon$, and it is a
quarter.) You know this rule from school: $y = x^2$ is $y = xx$, so by rule 3 the left $x$ gets $dy \cdot x$, the
right one gets $dy \cdot x$, and together they get $dy \cdot 2x$.

### Rule 5: a row times a matrix

Nothing new is needed, only patience. First two numbers, as above:

$$a_1 = x_1 w_{11} + x_2 w_{21}$$

$$a_2 = x_1 w_{12} + x_2 w_{22}$$

Let $da_1$ and $da_2$ be known. Where is $x_1$ used? Twice: in $a_1$, where it is multiplied by $w_{11}$, and in
$a_2$, where it is multiplied by $w_{12}$. By rule 3 the first use brings back $da_1 w_{11}$ and the second
$da_2 w_{12}$ (the sums hand on what they get, rule 2). By rule 4 they are added. The same for $x_2$:

$$dx_1 = da_1 w_{11} + da_2 w_{12}$$

$$dx_2 = da_1 w_{21} + da_2 w_{22}$$

This again is a row times a matrix. But $w_{12}$ now stands where $w_{21}$ stood: forward the matrix is read down
its columns, backward along its rows. So it is the transposed matrix, and

$$dx = (da) W^{\top}$$

Where is $w_{12}$ used? Once, in $a_2$, where it is multiplied by $x_1$. So $dw_{12} = x_1 da_2$: the number that
came in through this weight, times the gradient at the unit that heard it. All four of them:

$$dw_{11} = x_1 da_1 \qquad dw_{12} = x_1 da_2$$

$$dw_{21} = x_2 da_1 \qquad dw_{22} = x_2 da_2$$

Every number of $x$ times every number of $da$: a column times a row, $dW = x^{\top} (da)$.

Now in general. $A = X W$ with B rows, $X$ (B,D), $W$ (D,H), $A$ (B,H):

$$A_{nm} = \sum_{d} X_{nd} W_{dm}$$

$X_{nd}$ is used in row $n$ of $A$, once in each column $m$, times $W_{dm}$. So (rules 3 and 4)

$$dX_{nd} = \sum_{m} dA_{nm} W_{dm} = \sum_{m} dA_{nm} (W^{\top})_{md}$$

which is row $n$ and column $d$ of a matrix product: $dX = (dA) W^{\top}$, (B,H) times (H,D), so (B,D).

$W_{dm}$ is used in column $m$ of $A$, once in each row $n$, times $X_{nd}$. So

$$dW_{dm} = \sum_{n} X_{nd} dA_{nm} = \sum_{n} (X^{\top})_{dn} dA_{nm}$$

which is $dW = X^{\top} (dA)$, (D,B) times (B,H), so (D,H). There is one thing more in it than before: the B
sequences of the batch all use the same $W$, and the product has added up what comes back from each.

A bias is added to each of the B rows. It is used B times, and a sum hands on what it gets:

$$db_m = \sum_{n} dA_{nm}$$

Let us not believe it, but try, with $L = \sum_{nm} r_{nm} A_{nm}$ for some fixed numbers $r$. Here a unit of
$A_{nm}$ is worth $r_{nm}$ of loss, so $dA = r$.
"""

# %%
X, W, r = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
dX, dW = r @ W.T, X.T @ r

tried = np.zeros_like(W)
for place in np.ndindex(W.shape):
    higher = W.copy()
    higher[place] += 1e-6  # one number of W a little larger
    tried[place] = ((r * (X @ higher)).sum() - (r * (X @ W)).sum()) / 1e-6
print(f"dW by the rule\n{dW}\ndW by trying each number\n{tried}")

# %% [markdown]
r"""
### One step back

Now the cell. Here is one step, every operation a box by itself, × a matrix product; the dashed arrows are the way
back. (The next cell only draws it.)
"""

# %%
step = {
    "x": (0, 3.4, "$x_t$"), "Wx": (0, 2.4, "$W_x$"), "xW": (2, 2.9, "×"),
    "h_prev": (0, 1, "$h_{t-1}$"), "Wh": (0, 0, "$W_h$"), "hW": (2, 0.5, "×"),
    "b": (2, 1.7, "$b$"), "+": (4, 1.7, "+"), "tanh": (6, 1.7, "tanh"), "h": (8, 1.7, "$h_t$"),
}  # fmt: skip
ways = "x xW,Wx xW,h_prev hW,Wh hW,xW +,hW +,b +,+ tanh,tanh h"
draw_graph(
    (8.6, 3.6),
    step,
    ways,
    ",".join(" ".join(reversed(way.split())) for way in ways.split(",")),
    [
        (7, 2.08, "$dh_t$"), (5, 2.08, "$da_t$"), (3.35, 2.6, "$da_t$"), (2.9, 2.02, "$da_t$"),
        (3.3, 0.7, "$da_t$"), (1, 3.53, "$dx_t$"), (1.3, 2.17, "$dW_x$"),
        (1.2, 1.1, "$dh_{t-1}$"), (1.3, -0.23, "$dW_h$"), (1.6, 1.65, "$db$"),
    ],
)  # fmt: skip

# %% [markdown]
r"""
We are handed $dh_t$, (B,H): what a unit of each number of the state is worth to the loss. We go from right to
left. A prime beside a number means: the derivative of this equation.

**Equation (1.2)**, $h_t = \tanh(a_t)$, is a function of each number by itself (rule 1), and the slope of the
tanh is $1 - h_t^2$:

$$da_t = dh_t \odot (1 - h_t^2) \tag{1.2'}$$

All three are (B,H). The factor lies between 0 and 1. Where a unit is near 1 or -1 it is near 0, and hardly
anything passes: the unit is saturated (飽和 / 饱和).

**Equation (1.1)**, $a_t = x_t W_x + h_{t-1} W_h + b$, is a sum of three. Each of them gets $da_t$, whole (rule 2).
Two of them are products with a matrix (rule 5). From $h_{t-1} W_h$ the state before gets

$$dh_{t-1} = da_t W_h^{\top} \tag{1.1'}$$

(B,H) times (H,H), so (B,H), as it should be; and its weights get

$$dW_h = h_{t-1}^{\top} da_t$$

(H,B) times (B,H), so (H,H). From $x_t W_x$ come

$$dx_t = da_t W_x^{\top}$$

(B,H) times (H,D), so (B,D), and

$$dW_x = x_t^{\top} da_t$$

(D,B) times (B,H), so (D,H). The bias was added to every row:

$$db = \textstyle\sum_{\text{rows}} da_t$$

(H,). This is the whole backward pass of one step: one product with a slope, and rule 5 twice.

Two things are left for chapter 2. Step $t-1$ needs to be handed $dh_{t-1}$, and that is what we now have (if
a loss looks at $h_{t-1}$ as well, that is added, by rule 4): so the walk can go on, to the first step. And
the weights are used in every step, so, again by rule 4, what each step says of them is summed. What we have
now is what *this* step says.
"""

# %% [markdown]
r"""
## By hand

Write the sentence, then the line that mirrors it.
"""


# %%
def rnn_step(x, h_prev, Wx, Wh, b):
    """x (B,D), h_prev (B,H) -> h (B,H), cache"""
    a = x @ Wx + h_prev @ Wh + b  # (1.1)  (B,H)
    h = np.tanh(a)  # (1.2)  (B,H)
    return h, (x, h_prev, h)


# %% [markdown]
r"""
The cache holds what the way back will need: what was multiplied, and the state, which knows the slope.
"""


# %%
def rnn_step_backward(dh, Wx, Wh, cache):
    """dh (B,H) -> the gradients of x, h_prev, Wx, Wh, b"""
    x, h_prev, h = cache
    da = dh * (1 - h**2)  # (1.2)'  (B,H)
    dh_prev = da @ Wh.T  # (1.1)'  (B,H)
    dWh = h_prev.T @ da  # (H,H)
    dx = da @ Wx.T  # (B,D)
    dWx = x.T @ da  # (D,H)
    db = da.sum(axis=0)  # (H,)
    return dx, dh_prev, dWx, dWh, db


# %% [markdown]
r"""
And the loop: read, change the state, read the next. `x` holds all steps, (T,B,D), so `for x_t in x` goes through
time.
"""


# %%
def rnn_forward(x, h0, Wx, Wh, b):
    """x (T,B,D), h0 (B,H) -> hs (T,B,H), a cache for every step"""
    h, hs, caches = h0, [], []
    for x_t in x:
        h, cache = rnn_step(x_t, h, Wx, Wh, b)
        hs.append(h)
        caches.append(cache)
    return np.stack(hs), caches


# %% [markdown]
r"""
Does it know the order of words? Let three words be the three rows of the unit matrix (such a row, a 1 at the
word's own place, is called one-hot), and let the weights be any.
"""

# %%
words = dict(zip(["dog", "bites", "man"], np.eye(3)))
rng = np.random.default_rng(0)
Wx, Wh, b = rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), rng.standard_normal(2)

for sentence in ("dog bites man", "man bites dog"):
    x = np.array([words[word] for word in sentence.split()])[:, None]  # (T,B,D) with B = 1
    hs, _ = rnn_forward(x, np.zeros((1, 2)), Wx, Wh, b)
    print(f"{sentence}: words added up {x.sum(axis=0)[0]}, last state {hs[-1, 0]}")

# %% [markdown]
r"""
## With a pencil

Two steps by hand, B = 1, D = H = 2. Three facts make it easy:

$$\tanh(0) = 0 \qquad \tanh(\ln 2) = \frac{2 - 1/2}{2 + 1/2} = 0.6 \qquad \tanh(\ln 3) = \frac{3 - 1/3}{3 + 1/3} = 0.8$$

There are two words; the first is $x_1 = (1, 0)$, the second $x_2 = (0, 1)$. The bias is 0, $h_0 = (0, 0)$, and the
weights are

| | to unit 1 | to unit 2 |
|---|---|---|
| $W_x$, from the first number of $x_t$ | $\ln 2$ | $\ln 3$ |
| $W_x$, from the second | $\ln 2$ | $-1$ |
| $W_h$, from unit 1 of $h_{t-1}$ | $0.8$ | $0.6$ |
| $W_h$, from unit 2 | $-0.6$ | $0.8$ |

**Forward, step 1.** $x_1 W_x$ is the first row of $W_x$: a one-hot row picks a row. $h_0 W_h$ is 0.

- $a_1 = (\ln 2, \ln 3)$ and $h_1 = (0.6, 0.8)$

**Forward, step 2.** $x_2 W_x$ is the second row of $W_x$.

- $h_1 W_h = (0.6 \cdot 0.8 - 0.8 \cdot 0.6, 0.6 \cdot 0.6 + 0.8 \cdot 0.8) = (0, 1)$
- $a_2 = (\ln 2, -1) + (0, 1) = (\ln 2, 0)$ and $h_2 = (0.6, 0)$

**The loss.** We wished that $h_2$ were $(1, -1)$.

- $L = \tfrac12 (0.4^2 + 1^2) = 0.58$ and $dh_2 = h_2 - \mathrm{target} = (-0.4, 1)$

**Backward, step 2.** The slopes are $1 - 0.6^2 = 0.64$ and $1 - 0^2 = 1$.

- $da_2 = (-0.4 \cdot 0.64, 1 \cdot 1) = (-0.256, 1)$, and $db$ is the same
- $dh_1 = da_2 W_h^{\top}$, that is $da_2$ times the *rows* of $W_h$:
  $(-0.256 \cdot 0.8 + 1 \cdot 0.6, 0.256 \cdot 0.6 + 1 \cdot 0.8) = (0.3952, 0.9536)$
- $dx_2 = da_2 W_x^{\top} = (-0.256 \ln 2 + \ln 3, -0.256 \ln 2 - 1) = (0.9212, -1.1774)$
- $dW_h = h_1^{\top} da_2$, every number of $h_1$ times every number of $da_2$: rows $(-0.1536, 0.6)$ and
  $(-0.2048, 0.8)$
- $dW_x = x_2^{\top} da_2$: rows $(0, 0)$ and $(-0.256, 1)$. Only the word that was read has a gradient

The same by the functions above:
"""

# %%
Wx = np.array([[np.log(2), np.log(3)], [np.log(2), -1]])
Wh = np.array([[0.8, 0.6], [-0.6, 0.8]])
b, h0, target = np.zeros(2), np.zeros((1, 2)), np.array([[1.0, -1]])
x = np.array([[1.0, 0], [0, 1]])[:, None]  # (T,B,D)

hs, caches = rnn_forward(x, h0, Wx, Wh, b)
loss = ((hs[1] - target) ** 2).sum() / 2
dx, dh_prev, dWx, dWh, db = rnn_step_backward(hs[1] - target, Wx, Wh, caches[1])

pencil = {
    "h_1": ([0.6, 0.8], hs[0]),
    "h_2": ([0.6, 0], hs[1]),
    "L": ([0.58], loss),
    "dh_1": ([0.3952, 0.9536], dh_prev),
    "dx_2": ([0.9212, -1.1774], dx),
    "dWh": ([-0.1536, 0.6, -0.2048, 0.8], dWh),
    "dWx": ([0, 0, -0.256, 1], dWx),
    "db": ([-0.256, 1], db),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:5} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

# %% [markdown]
r"""
What is it good for? Move every number $w$ of $W_h$ a little against its gradient, by $-\eta dw$, with one small
number $\eta$ (eta) for all. A unit of $w$ is worth $dw$, so each of them makes the loss fall by $\eta (dw)^2$, and
together by $\eta$ times the sum of the squares. At least for as long as the rates stay what they are; for a large
step the curve bends away.
"""

# %%
for eta in (0.01, 0.1, 1):
    moved, _ = rnn_forward(x, h0, Wx, Wh - eta * dWh, b)
    fall = loss - ((moved[1] - target) ** 2).sum() / 2
    print(f"eta {eta}: the loss falls by {fall:.4f}, foretold {eta * (dWh**2).sum():.4f}")

# %% [markdown]
r"""
With the largest step more was foretold than there was to lose. Training is this, with all weights and with small
steps, again and again.
"""

# %% [markdown]
r"""
## The gradient check

Five rules and a pencil; was there a slip? The forward pass is short and hard to get wrong. So we ask it. Above
we raised a number by a little and divided what the loss rose by. It is better to move it both ways and take the
difference, for then the bend of the curve, which is the same on both sides, cancels out:

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \varepsilon) - L(w - \varepsilon)}{2\varepsilon}$$

This is a finite difference (有限差分). Take the number 0.6 in the first row of $dW_h$:
"""


# %%
def pencil_loss(moved):
    """The loss of the two steps, with another number in the first row and second column of Wh."""
    other = Wh.copy()
    other[0, 1] = moved
    hs, _ = rnn_forward(x, h0, Wx, other, b)
    return ((hs[1] - target) ** 2).sum() / 2


epsilon, w = 1e-5, Wh[0, 1]
difference = (pencil_loss(w + epsilon) - pencil_loss(w - epsilon)) / (2 * epsilon)
print(f"dWh[0, 1]  backward {dWh[0, 1]:.9f}  finite difference {difference:.9f}")

# %% [markdown]
r"""
(You may object that $W_h$ is used in both steps, and that we went back through one. That is right. In step 1 it
is multiplied by $h_0 = 0$, so there it gets no gradient. For $W_x$ the objection would bite: exercise 2.)

`gradcheck` does the same for every number of every parameter and every input. It takes any class that has
`params`, `grads`, `forward` and `backward`, and as the loss it uses $L = \sum r \odot h$ with random numbers $r$,
so that every number of the output counts, and none like another. So $dh = r$. Let us make our one step such a
class.
"""


# %%
class RNNStep:
    """One step as a layer.  x (B,D), h_prev (B,H) -> h (B,H), cache"""

    step_backward = staticmethod(rnn_step_backward)

    def __init__(self, D, H, rng):
        shapes = {"Wx": (D, H), "Wh": (H, H), "b": (H,)}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x, h_prev):
        return rnn_step(x, h_prev, **self.params)

    def backward(self, dh, cache):
        Wx, Wh = self.params["Wx"], self.params["Wh"]
        dx, dh_prev, dWx, dWh, db = self.step_backward(dh, Wx, Wh, cache)
        for name, grad in {"Wx": dWx, "Wh": dWh, "b": db}.items():
            self.grads[name] += grad
        return dx, dh_prev


B, D, H = 4, 5, 3  # all different, so that no wrong axis fits by chance
rng = np.random.default_rng(0)
x, h_prev = rng.standard_normal((B, D)), rng.standard_normal((B, H))
print(gradcheck(RNNStep(D, H, rng), x, h_prev))

# %% [markdown]
r"""
Every row passes. The third column is the largest error in that array, relative to the gradient itself; 1e-6
would still do.

Now let us plant an error and see whether the check notices. The most natural one in this chapter is a forgotten
transpose in (1.1'): `da @ Wh` instead of `da @ Wh.T`. With $W_x$ NumPy would complain of the shapes. With $W_h$,
which is square, it does not.
"""


# %%
def untransposed(dh, Wx, Wh, cache):
    """As rnn_step_backward, but with da @ Wh."""
    return rnn_step_backward(dh, Wx, Wh.T, cache)  # transposed once more there


class UntransposedStep(RNNStep):
    step_backward = staticmethod(untransposed)


planted = UntransposedStep(D, H, np.random.default_rng(0))
print(gradcheck(planted, x, h_prev))

# %% [markdown]
r"""
It fails in one row, the gradient of $h_{t-1}$, and says at which entry the error is largest, what we have there,
and what should be there. The other rows pass, and rightly: no other line uses that product. So from the list of
rows one can often read off where to look.

Would every check have found it? Not one with a single unit. A 1 by 1 matrix is its own transpose:
"""

# %%
for units in (1, 3):
    planted = UntransposedStep(D, units, np.random.default_rng(0))
    passed = gradcheck(planted, x, h_prev[:, :units]).passed
    print(f"H = {units}:", "passes" if passed else "fails")

# %% [markdown]
r"""
So choose sizes above 1 that differ from each other, and numbers that are not 0.

There is one thing that no gradient check can find: a *forward* pass which is not what one meant. The check
compares the two passes with each other, and a wrong forward pass with its own right derivative is in perfect
order. This step has `h_prev @ Wh.T` forward, and the backward pass fits it:
"""


# %%
class AnotherStep(RNNStep):
    """a = x Wx + h_prev Wh^T + b, and its own gradients."""

    def forward(self, x, h_prev):
        return rnn_step(x, h_prev, **self.params | {"Wh": self.params["Wh"].T})

    def step_backward(self, dh, Wx, Wh, cache):
        dx, dh_prev, dWx, dWh, db = rnn_step_backward(dh, Wx, Wh.T, cache)
        return dx, dh_prev, dWx, dWh.T, db


another = AnotherStep(D, H, np.random.default_rng(0))
print("gradient check:", "passes" if gradcheck(another, x, h_prev).passed else "fails")
(found, _), (right, _) = another.forward(x, h_prev), rnn_step(x, h_prev, **another.params)
print("(1.1), (1.2):  ", "the same" if np.allclose(found, right) else "not the same")

# %% [markdown]
r"""
Such a network would train as well as ours; what it learns to call $W_h$ is our $W_h^{\top}$. It goes wrong on the
day when weights come from somewhere else, as from a file, or from PyTorch, whose matrices stand as in 003. The
remedy is to compare the forward pass with another one that is known to be right.
"""

# %% [markdown]
r"""
## The same from minis2s

`minis2s.nn.RNN` has the same parameters under the same names, and runs over all T steps. Give it ours, and it
gives the same states.
"""

# %%
T = 6
layer = RNN(D, H, np.random.default_rng(1), dtype="float64")
params = RNNStep(D, H, np.random.default_rng(0)).params
layer.load(params)

x, h0 = rng.standard_normal((T, B, D)), rng.standard_normal((B, H))
hs, caches = rnn_forward(x, h0, **params)
(their_hs, (their_hT,)), _ = layer.forward(x, (h0,))
np.testing.assert_allclose(their_hs, hs, rtol=1e-12)
np.testing.assert_allclose(their_hT, hs[-1], rtol=1e-12)
print("hs", hs.shape, "the same")

# %% [markdown]
r"""
For the backward pass of one step, let it run over a sequence of one, here the third step.
"""

# %%
dh = rng.standard_normal((B, H))
dx, dh_prev, dWx, dWh, db = rnn_step_backward(dh, params["Wx"], params["Wh"], caches[2])

_, cache = layer.forward(x[2:3], (hs[1],))
their_dx, (their_dh_prev,) = layer.backward(dh[None], None, cache)
theirs = {"dx": their_dx[0], "dh_prev": their_dh_prev}
theirs |= {f"d{name}": grad for name, grad in layer.grads.items()}
ours = {"dx": dx, "dh_prev": dh_prev, "dWx": dWx, "dWh": dWh, "db": db}
for name, grad in ours.items():
    np.testing.assert_allclose(theirs[name], grad, rtol=1e-9, atol=1e-12)
    print(f"{name:8} {grad.shape!s:7} the same")

# %% [markdown]
r"""
And this is the cell as it is written there, with its way back:
"""

# %%
print(inspect.getsource(rnn.rnn_cell))
print(inspect.getsource(rnn.rnn_cell_backward))

# %% [markdown]
r"""
The products with $W_x$ and $W_h$ are not in it. They stand in [recurrent.py](../minis2s/nn/recurrent.py), because
the LSTM and the GRU begin with them too; `tanh_backward(dy, y)` is `dy * (1 - y**2)`. And there the products
with $W_x$ are not in the loop. Only $h_{t-1}$ has to be waited for; all inputs are there from the beginning. So
$x_t W_x + b$ is computed for all T steps in one product, of TB rows, which is faster than T products of B
rows:
"""

# %%
at_once = (x.reshape(T * B, D) @ params["Wx"] + params["b"]).reshape(T, B, H)
np.testing.assert_allclose(at_once, [x_t @ params["Wx"] + params["b"] for x_t in x])

# %% [markdown]
r"""
## Worth a look

### What a tanh lets through

On the right the tanh (solid) and its slope (dashed); its $x$ is our $a_t$, its $y$ our $h_t$. (On the left
the same for the sigmoid, which will be needed from chapter 3 on.)
"""

# %%
saturation()

# %% [markdown]
r"""
Forward: near 0 a tanh hands on nearly what it gets, far away it says only "plus" or "minus". Backward: the
dashed curve is the factor in (1.2'). It is 1 at $a = 0$ and less everywhere else. In the grey areas, where $a$ is
farther than 1.82 from 0, less than a tenth of the gradient comes through. A weight that has pushed its unit out
there will hardly hear that this was wrong. This is one reason why weights start small.
"""

# %% [markdown]
r"""
### What one unit can remember

Let no input come, and let there be no bias: $h_t = \tanh(w h_{t-1})$. What becomes of a state? We take nine
starting states, as a batch, and run our loop with three weights $w$.
"""

# %%
starts = np.linspace(-1, 1, 9)[:, None]  # (B,H): nine sequences, one unit
nothing = np.zeros((20, 9, 1))  # (T,B,D)
one = np.ones((1, 1))

with drawing((8.6, 2.7)) as figure:
    for w, ax in zip((0.8, 1.5, -1.5), figure.subplots(1, 3, sharey=True)):
        hs, _ = rnn_forward(nothing, starts, one, w * one, 0)
        curves = np.concatenate([starts[None], hs])[:, :, 0]
        curves = curves if w > 0 else curves[:, [5, 8]]  # two are enough, or one sees nothing
        ax.plot(curves, linestyle="-", linewidth=1, color=COLOURS[0])
        ax.set(title=f"w = {w}".replace("-", "−"), xlabel="t", xticks=(0, 5, 10, 15, 20))
        ax.set(ylim=(-1.08, 1.08), yticks=(-1, 0, 1))
        ax.grid()
    figure.axes[0].set_ylabel("h")
figure

# %% [markdown]
r"""
- With $w = 0.8$ every state goes to 0. Wherever it began, after twenty steps one cannot tell any more.
- With $w = 1.5$ there are two states to which it goes, one above and one below 0, and which of them it is, is
  decided by the sign at the start. This unit remembers one bit, and for ever. (A start at exactly 0 stays there;
  the least push would decide.)
- With $w = -1.5$, drawn for two of the nine, it goes to the same two, but jumps from one to the other at every
  step.

A state that is mapped to itself, $h = \tanh(wh)$, is called a fixed point (不動點 / 不动点). 0 always is one. Near 0
the tanh is nearly its argument, so each step multiplies a small $h$ by about $w$: below 1 it shrinks, above 1 it
grows until the tanh holds it.

Such a unit can be used. Let $w_h = 2$, and let an input of 1 or -1 come now and then, heard with $w_x = 3$. The
unit takes over the sign of what comes, and keeps it while nothing comes. A unit with $w_h = 0.8$ hears the same
and forgets.
"""

# %%
pulses = np.zeros((40, 1, 1))
pulses[[4, 22, 30], 0, 0] = 1, -1, 1
with drawing((8.6, 3.2)) as figure:
    above, ax = figure.subplots(2, sharex=True, height_ratios=(1, 3))
    above.stem(range(1, 41), pulses.ravel(), basefmt=" ", linefmt="0.4", markerfmt="k.")
    for number, w in enumerate((2, 0.8)):
        hs, _ = rnn_forward(pulses, np.zeros((1, 1)), 3 * one, w * one, 0)
        look = {"color": COLOURS[number], "linestyle": DASHES[number]}
        ax.plot(range(41), [0, *hs.ravel()], label=f"w_h = {w}", **look)
    above.set(ylabel="x", ylim=(-1.3, 1.3), yticks=(-1, 0, 1))
    ax.set(xlabel="t", ylabel="h", ylim=(-1.08, 1.08), yticks=(-1, 0, 1))
    ax.grid()
    ax.legend(loc="lower left")
figure

# %% [markdown]
r"""
A memory that can be set and reset, of one unit and two weights. Nothing was trained here; we chose the numbers.

How safe is it? Push the state a little, and see how much of the push is left one step later. By rules 1 and 3 a
unit of $h_{t-1}$ is worth $w_h (1 - h_t^2)$ units of $h_t$. With $w_h = 2$, at the place where the state rests:
"""

# %%
hs, _ = rnn_forward(np.zeros((100, 1, 1)), one, one, 2 * one, 0)
left = 2 * (1 - hs[-1, 0, 0] ** 2)
print(f"of a push, after 1 step {left:.2f} is left, after 10 steps {left**10:.0e}")

# %% [markdown]
r"""
Very safe: whatever pushes it a little is forgotten at once. But "how much of a little push is left" is what a
gradient is. So by the same number, what the state *should* have been ten steps ago can hardly be learnt from what
comes out now. Where this cell keeps something safely, its gradient vanishes. Chapter 2 measures it; chapters 3
and 4 are about cells in which the two are not at odds.
"""

# %% [markdown]
r"""
## The document's own code

001 has no program, and 003 none for its section 4.1. So let us take their formulas at their word, and see what
happens when they are turned into code.

### 001: the order in the brackets

$[h_{t-1}, x_t]$ is first the state, then the input. Had one the input first, the long vector would be just as
long, and no shape would complain:
"""

# %%
rng = np.random.default_rng(0)
D, H = 3, 2
W, b = rng.standard_normal((H, H + D)), rng.standard_normal(H)  # as in 001
x, h_prev = rng.standard_normal(D), rng.standard_normal(H)

layer = RNN(D, H, rng, dtype="float64")
layer.load({"Wh": W[:, :H].T, "Wx": W[:, H:].T, "b": b})
(hs, _), _ = layer.forward(x[None, None], (h_prev[None],))
print("minis2s         ", hs[0, 0])
print("W [h, x] + b    ", np.tanh(W @ np.concatenate([h_prev, x]) + b))
print("W [x, h] + b    ", np.tanh(W @ np.concatenate([x, h_prev]) + b))

# %% [markdown]
r"""
### 003: one column, or a batch of rows

$W_{xh} x_t$ is meant for one column $x_t$. Whoever has a batch as rows, (B,D), and copies the formula gets an
error, and is lucky:
"""

# %%
W_xh, batch = rng.standard_normal((H, D)), rng.standard_normal((5, D))
try:
    W_xh @ batch
except ValueError as error:
    print(error)
print("batch of 5, x W_xh^T:", (batch @ W_xh.T).shape, "one row for each of the 5")
print("batch of 3, W_xh x:  ", (W_xh @ batch[:3]).shape, "one row for each of the", H, "units?")

# %% [markdown]
r"""
With B = 3 = D the copied formula runs, and multiplies what should never meet: every number in its result is a
mixture of three different sequences. Sizes that differ are a cheap insurance.

### Both: $f$ is an activation function

That is what both call $f$, and they do not say which. It matters. Here are four, run for 60 steps with the same
weights, rather large ones, and the same inputs. Is the state still of a size that one can work with?
"""

# %%
D, H = 3, 20
Wx, Wh = rng.standard_normal((D, H)), 2 * rng.standard_normal((H, H)) / np.sqrt(H)
x = rng.standard_normal((60, D))
for name, f in {"tanh": np.tanh, "sigmoid": sigmoid, "ReLU": relu, "none": lambda a: a}.items():
    h = np.zeros(H)
    for x_t in x:
        h = f(x_t @ Wx + h @ Wh)
    print(f"{name:8} the states lie between {h.min():9.3g} and {h.max():.3g}")

# %% [markdown]
r"""
The tanh keeps them between -1 and 1, whatever the weights are. The sigmoid keeps them too, but always above 0.
The ReLU, $\max(a, 0)$, has no upper end, and without any $f$ there is no end on either side. (With smaller
weights they need not grow; see Le et al. below.) When one says "RNN" and no more, $f$ is the tanh, and so it is
in `minis2s` and in PyTorch's `nn.RNN`.

### 001: one formula for three kinds of encoder

001 says before its formula that the encoder may be an RNN, an LSTM or a GRU, and after it that $f$ is an
activation function. For the plain cell both hold. For the LSTM they cannot: no function of
$W \cdot [h_{t-1}, x_t] + b$, whatever it is, computes it. For if one did, the same $h_{t-1}$ and the same $x_t$
would have to give the same $h_t$. Let us see.
"""

# %%
D, H = 3, 2
x, h_prev = rng.standard_normal((1, 1, D)), rng.standard_normal((1, H))
lstm = LSTM(D, H, rng, dtype="float64")
for c_prev in (np.zeros((1, H)), np.ones((1, H))):
    (hs, _), _ = lstm.forward(x, (h_prev, c_prev))
    print("same h, same x, h_t =", hs[0, 0])

# %% [markdown]
r"""
An LSTM has a second state, $c_t$, besides. (A GRU has one state only, but more than one such product; chapter 4.)
A formula that is right for all three is $\mathrm{state}_t = f(\mathrm{state}_{t-1}, x_t)$, where $f$ is not an
activation function but a whole cell: that of this chapter, or that of chapter 3 or 4.

### 003: the formula of 4.1 and the code of 5.1

The formula in 4.1 is the plain cell. The encoder in 5.1 has

```python
self.rnn = nn.LSTM(hidden_size, hidden_size)
```

An LSTM is a recurrent network, so the name `rnn` is right; but what this line computes is not the line of
4.1. It is chapter 3. With `nn.RNN(hidden_size, hidden_size)` it would be 4.1, with one small difference:
PyTorch has two biases, one beside each matrix. They are only ever added, so one does as much.

4.1 does not say where $h$ begins. `initHidden` in 5.1 does: at zeros, as in 001.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the sections above, and write the backward pass of one step.
"""


# %% exercise="recurrent_step_backward" points=2
def recurrent_step_backward(dh, Wx, Wh, cache):
    """dh (B,H), Wx (D,H), Wh (H,H), cache (x, h_prev, h)
    -> dx (B,D), dh_prev (B,H), dWx (D,H), dWh (H,H), db (H,)
    """
    raise NotImplementedError


# %%
check.recurrent_step_backward(recurrent_step_backward)

# %% [markdown]
r"""
### 2. One more step with the pencil

In the pencil example step 2 gave the first row of $W_x$ the gradient $(0, 0)$: the first word was not read there.
But the loss does depend on that row, since step 1 made $h_1$ with it. Go on where the example stopped, from
$dh_1 = (0.3952, 0.9536)$, one step further back. What is the gradient of the loss of *both* steps with respect to
the number $\ln 3$ in $W_x$? To three decimals.
"""

# %% exercise="gradient_of_ln_3" points=1
gradient_of_ln_3 = None

# %%
check.gradient_of_ln_3(gradient_of_ln_3)

# %% [markdown]
r"""
### 3. Predict, then run

One unit, no input, no bias, $h_t = \tanh(1.2 h_{t-1})$. It starts at $h_0 = 0.01$. Where is it after 100 steps? To
within 0.02. (A calculator is allowed, a loop is not.) Only then take away the first `#` in the cell after the
check.
"""

# %% exercise="state_after_100_steps" points=1
state_after_100_steps = None

# %%
check.state_after_100_steps(state_after_100_steps)

# %%
hs, _ = rnn_forward(np.zeros((100, 1, 1)), np.full((1, 1), 0.01), one, 1.2 * one, 0)
# print(hs[-1, 0])

# %% [markdown]
r"""
And the other way round: with which $w$ does such a unit stay at 0.5 for ever? To three decimals.
"""

# %% exercise="weight_that_holds_half" points=1
weight_that_holds_half = None

# %%
check.weight_that_holds_half(weight_that_holds_half)

# %% [markdown]
r"""
### 4. Find the planted bugs

This is meant to be the encoder of 001, over a batch, with the document's own $W$. It runs, and all shapes are
right; two things in it are wrong. Below it is compared with `minis2s`.
"""


# %%
def broken_encoder(x, h0, W, b):
    """x (T,B,D), h0 (B,H), W (H,H+D), b (H,) as in 001 -> hs (T,B,H)"""
    h, hs = h0, []
    for x_t in x:
        h = np.tanh(np.concatenate([x_t, h], axis=1) @ W.T) + b
        hs.append(h)
    return np.stack(hs)


T, B, D, H = 3, 1, 3, 2
W, b = rng.standard_normal((H, H + D)), rng.standard_normal(H)
x, h0 = rng.standard_normal((T, B, D)), rng.standard_normal((B, H))
layer = RNN(D, H, rng, dtype="float64")
layer.load({"Wh": W[:, :H].T, "Wx": W[:, H:].T, "b": b})
print("broken\n", broken_encoder(x, h0, W, b)[:, 0])
print("minis2s\n", layer.forward(x, (h0,))[0][0][:, 0])

# %% [markdown]
r"""
One of the two can be seen in the numbers of the broken one alone. Copy the body into the stub below and mend it
there.
"""


# %% exercise="mended_encoder" points=2
def mended_encoder(x, h0, W, b):
    """x (T,B,D), h0 (B,H), W (H,H+D), b (H,) as in 001 -> hs (T,B,H)"""
    raise NotImplementedError


# %%
check.mended_encoder(mended_encoder)

# %% [markdown]
r"""
### 5. A memory by design

Find three numbers, by thought and not by training: one unit, $h_t = \tanh(w_x x_t + w_h h_{t-1} + b)$, from
$h_0 = 0$, with inputs that are 0 or 1. Its state shall be below 0 as long as only zeros have come, and above 0
from the first 1 on, for ever, whatever comes after it. Sequences have up to 100 steps.
"""


# %% exercise="weights_that_remember" points=2
def weights_that_remember():
    """-> w_x, w_h, b, three numbers"""
    raise NotImplementedError


# %%
check.weights_that_remember(weights_that_remember)

# %% [markdown]
r"""
### 6. A leaky state

Why write the whole state anew at every step? Keep a part of it, and mix in the rest, with a number $\lambda$
between 0 and 1:

$$h_t = (1 - \lambda) h_{t-1} + \lambda \tanh(a_t)$$

and $a_t$ as before. (Such cells are called leaky; Jaeger et al. 2007. With $\lambda$ small they change slowly.)
Write the way back of this equation. $dh_{t-1}$ here is only what comes back through this equation and not through
$a_t$; and $\lambda$ may be learnt too, so it has a gradient, one number. How many numbers of the batch does it
multiply?
"""


# %% exercise="leaky_cell_backward" points=3
def leaky_cell_backward(dh, cache):
    """dh (B,H), cache (h_prev (B,H), g (B,H), leak), g the tanh of a, leak a number
    -> da (B,H), dh_prev (B,H), dleak (a number)
    """
    raise NotImplementedError


# %%
check.leaky_cell_backward(leaky_cell_backward)

# %% [markdown]
r"""
Keep this cell in mind. With a $\lambda$ for every unit, computed anew at every step from the input and the state,
it is nearly the GRU of chapter 4.
"""

# %% [markdown]
r"""
## What to read next

- J. Elman, [Finding structure in time](https://doi.org/10.1207/s15516709cog1402_1), Cognitive Science 14(2),
  1990: this loop, and what its states have in them after it has read sentences.
- D. Rumelhart, G. Hinton, R. Williams, [Learning representations by back-propagating
  errors](https://doi.org/10.1038/323533a0), Nature 323, 1986: the backward pass, in four pages; figure 5
  unrolls a recurrent net.
- I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning](https://www.deeplearningbook.org/contents/rnn.html),
  2016, §10.1 and §10.2: unrolling, and the same equations with columns.
- Y. Bengio, P. Simard, P. Frasconi, [Learning long-term dependencies with gradient descent is
  difficult](https://doi.org/10.1109/72.279181), IEEE Transactions on Neural Networks 5(2), 1994: a single unit
  that must remember one bit, and why to remember and to learn are at odds.
- Q. Le, N. Jaitly, G. Hinton, [A simple way to initialize recurrent networks of rectified linear
  units](https://arxiv.org/abs/1504.00941), 2015: a ReLU as $f$, made to work.
- H. Jaeger et al., [Optimization and applications of echo state networks with leaky-integrator
  neurons](https://doi.org/10.1016/j.neunet.2007.04.016), Neural Networks 20(3), 2007: cells
  like that of exercise 6.

Next is chapter 2: all steps back, and how to know that they are right.
"""
