# %% [markdown]
r"""
# 4 · GRU

門控循環單元 · 门控循环单元 · gated recurrent unit

An LSTM keeps two memories and three gates. A GRU keeps one memory and two gates, and does nearly as much. At
every step it mixes what it remembers with something new, and decides, number by number, in which proportion.

At the end of this chapter you will have written it, forward and backward, in plain NumPy, in *both* of the
forms that go by this name; you will have derived every line of both from the chain rule; and you will be able
to tell, of any book or library, which form it has and which way round its $z$ is. You need Python and matrix
products. Chapter 3 goes through the rules of backpropagation slowly; here they are said again, in short.
"""

# %%
import inspect

import numpy as np

from minis2s.exchange import to_torch
from minis2s.exercises import check
from minis2s.figures.gradient_distance import HIDDEN_SIZE, INPUT_SIZE, factor, norms_over_seeds
from minis2s.figures.update_gate import (
    example,
    last_answer,
    random_numbers,
    trained_holder,
    update_gate,
)
from minis2s.functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from minis2s.gradcheck import gradcheck
from minis2s.models import Seq2Seq, document
from minis2s.nn import GRU, LSTM, RNN, Linear
from minis2s.optim import Adam, clip_by_global_norm
from minis2s.plots import COLOURS, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 003 (简) | 3.1 编码器操作步骤 | an RNN or a variant of it, such as LSTM or GRU, reads the sequence | what the GRU computes |
| 003 (简) | 4.1 编码器数学模型 | $h_t = f(W_{xh} x_t + W_{hh} h_{t-1} + b_h)$ | why a GRU is not of this form |
| 004 (简) | 编码器（Encoder） | the encoder is an RNN, such as LSTM or GRU | its equations, forward and backward |
| 004 (简) | Seq2Seq 模型的实现 | the code, with `nn.LSTM` | what happens when `nn.GRU` is put in its place |

All five documents name the GRU, and none of them writes its equations. So there is nothing in them that could
contradict this chapter; but there is plenty elsewhere, and we shall come to it. The chapter comes after
chapter 3. In chapter 9 the update gate returns as the 门控机制 of 003 §9, which mixes a context into a decoder's
state.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 門控循環單元 | 门控循环单元 | gated recurrent unit, GRU |
| 更新閘 | 更新门 | update gate |
| 重置閘 | 重置门 | reset gate |
| 候選內容 | 候选内容 | candidate, the new content |
| 隱藏狀態 | 隐藏状态 | hidden state |
| 上下文向量 | 上下文向量 | context vector |
| 激活函數 | 激活函数 | activation function |
| 加權平均 | 加权平均 | weighted mean |
| 逐元素相乘 | 逐元素相乘 | elementwise product |
| 梯度 | 梯度 | gradient |
| 鏈式法則 | 链式法则 | chain rule |
| 隨時間反向傳播 | 随时间反向传播 | backpropagation through time, BPTT |
| 梯度消失 | 梯度消失 | vanishing gradient |
| 有限差分 | 有限差分 | finite difference |
"""

# %% [markdown]
r"""
## Symbols

| in 003 and 004 | here | in the code | what it is | shape |
|---|---|---|---|---|
| $x_t$ | $x_t$ | `x[t]` | the input at step $t$ | (B,D) |
| $h_t$ | $h_t$ | `h`, all of them `hs` | hidden state | (B,H), (T,B,H) |
| $c$; `hidden` in code | $h_T$ | `hT` | the last hidden state, the context vector of 004 | (B,H) |
| `cell` in code | | | a GRU has none | |
| $W_{xh}$, $W_{hh}$ | $W_x$, $W_h$ | `Wx`, `Wh` | weights, of three parts r, z, n side by side | (D,3H), (H,3H) |
| $b_h$ | $b$ | `b` | bias, of three parts as well | (3H,) |
| | $a^x_t$, $a^h_t$ | `xa`, `ha` | what $x_t$ and what $h_{t-1}$ add to the pre-activations | (B,3H) each |
| | $r_t$, $z_t$, $n_t$ | `r`, `z`, `n` | reset gate, update gate, new content | (B,H) each |
| | $b_h$ | `bh` | a bias inside the reset, in one of the forms | (H,) |
| | $W_{hn}$ | `Wh_n` | the last H columns of $W_h$, those of the new content | (H,H) |
| | $L$ | | the loss, one number | |
| | $dh_t$ | `dh` | $\partial L / \partial h_t$, the gradient of $L$ with respect to $h_t$ | as $h_t$ |

T is the number of steps, B the number of sequences in a batch, D the size of an input, H the size of the
state. Two warnings:

- The $b_h$ of 003 is the encoder's whole bias, our $b$. Our $b_h$ is another thing, which 003 does not need.
- The $c$ of 004 is the context vector. With an LSTM it is easily taken for the cell; with a GRU it cannot be,
  for there is no cell. What 004 says in words, that the last hidden state is the context vector, is the whole
  truth about a GRU, and half of it about an LSTM.
"""

# %% [markdown]
r"""
## The idea

A plain recurrent layer overwrites its memory at every step, all of it. Why should it? Most words of a sentence
change little of what is worth knowing. So let the layer work out, as before, what it *would* write, and then
write only as much of that as it wants. Three things are computed at each step, for every number in the memory
by itself:

- the **new content** $n_t$ (候選內容 / 候选内容) is what might be written;
- the **update gate** $z_t$ (更新閘 / 更新门) is a slider between old and new: the share $z_t$ of the old number
  stays, and the share $1 - z_t$ of the new content takes its place;
- the **reset gate** $r_t$ (重置閘 / 重置门) says how much of the past the new content gets to see. Where it is 0,
  the new content is made from the input alone, as if a sequence began here.

Compare the LSTM. It decides twice, how much to keep and how much to write. Here one decision is both: what the
one side gains, the other loses. (Exercise 4 of chapter 3 coupled the gates of an LSTM in this way.) It has an
output gate, and a GRU has none: all of the memory is shown, always. And it has no reset gate.

Here is one step as a picture. (The next cell only draws it; read on below.)
"""

# %%
NODES = {  # name: x, y, what is written there
    "h_prev": (0, 3, "$h_{t-1}$"), "on_h": (1.2, 3, ""), "keep": (3, 3, "×"), "+": (7.4, 3, "+"),
    "h": (9.4, 3, "$h_t$"), "z": (5.2, 1.95, "$z_t$: keep"), "write": (7.4, 1.95, "×"),
    "corner": (1.2, 0.3, ""), "reset": (3, 0.3, "×"), "r": (3, 1.3, "$r_t$: reset"),
    "n": (7.4, 0.3, "$n_t$: new"), "x": (5.2, -0.55, "$x_t$"), "·z": (4.3, 2.65, "$z_t$"),
    "for_z": (5.2, 1.0, "$x_t$, $h_{t-1}$"), "for_r": (3, 2.2, "$x_t$, $h_{t-1}$"),
    "·(1-z)": (6.4, 1.72, "$1-z_t$"),
}  # fmt: skip
FORWARD = (
    "h_prev keep, keep +, + h, z keep, z write, n write, write +, on_h corner, corner reset, "
    "reset n, r reset, x n, for_z z, for_r r"
)


def draw_cell(back="", said=()):
    """The cell as a graph of its equations; beside it the way of gradients, and notes."""
    with drawing((8.8, 3.6)) as figure:
        ax = figure.add_subplot(xlim=(-0.5, 9.9), ylim=(-0.9, 3.75), aspect="equal")
        ax.axis("off")
        boxes = {}
        for name, (x, y, label) in NODES.items():
            look = {"boxstyle": "round,pad=0.4", "ec": "0.4"}
            look["fc"] = "#DCEBF7" if ":" in label else "white"
            look = {"bbox": look} if label and name[0] not in "f·" else {"size": 9}
            text = ax.text(x, y, label, ha="center", va="center", parse_math=True, **look)
            boxes[name] = text.get_bbox_patch()

        def arrow(start, end, dx=0.0, dy=0.0, **look):
            (x, y, _), (to_x, to_y, _) = NODES[start], NODES[end]
            room = {name: 0 if NODES[name][2] == "" else 8 for name in (start, end)}
            ends = {"shrinkA": room[start], "shrinkB": room[end]}
            if not (dx or dy):
                ends |= {"patchA": boxes[start], "patchB": boxes[end]}
            look = {"arrowstyle": "->"} | ends | look
            ax.annotate("", (to_x + dx, to_y + dy), (x + dx, y + dy), arrowprops=look)

        for step in FORWARD.split(", "):
            start, end = step.split()
            memory = NODES[start][1] == NODES[end][1] == NODES["h"][1]
            head = {"arrowstyle": "-"} if end == "corner" else {}
            arrow(start, end, color="0.2", lw=3 if memory else 1, **head)
        for step in filter(None, back.split(", ")):
            start, end, dx, dy = step.split()
            look = {"color": COLOURS[1], "lw": 1.6, "linestyle": "--"}
            arrow(start, end, float(dx), float(dy), **look)
        for x, y, label in said:
            ax.text(x, y, label, color=COLOURS[1], parse_math=True, ha="center")
    return figure


draw_cell()

# %% [markdown]
r"""
The thick line on top is the memory; both gates are computed from $x_t$ and $h_{t-1}$. The slider $z_t$ stands
between the two multiplications: what it lets through on the left, from the past, it holds back on the right,
from the new content, which is multiplied by $1 - z_t$.

On its way from $h_{t-1}$ to $h_t$ along the thick line a number meets a multiplication and an addition, as in
the LSTM. But now this line *is* the hidden state. It feeds the gates, it feeds the new content, and it is what
everybody else sees.
"""

# %% [markdown]
r"""
## The equations

First two matrix products. They are the two parts of equation (1.1), the part of the input and the part of the
state, and we keep them apart, for in a moment a gate will come between them:

$$a^x_t = x_t W_x + b$$

$$a^h_t = h_{t-1} W_h$$

$x_t$ is (B,D) and $W_x$ is (D,3H), so $a^x_t$ is (B,3H); so is $a^h_t$, (B,H) times (H,3H). Every row is one
sequence of the batch. Cut both into three pieces of H columns each, for r, z and n, in this order: $a^x_r$,
$a^x_z$, $a^x_n$ and $a^h_r$, $a^h_z$, $a^h_n$ (all at step $t$, which is left out). The gates hear both parts,
added up:

$$r_t = \sigma(a^x_r + a^h_r) \tag{4.1}$$

$$z_t = \sigma(a^x_z + a^h_z) \tag{4.2}$$

The new content hears the state through the reset gate. There are two forms of this, and a GRU has the one *or*
the other. **Reset after the product:**

$$n_t = \tanh\left(a^x_n + r_t \odot (a^h_n + b_h)\right) \tag{4.3}$$

**Reset before the product:**

$$n_t = \tanh\left(a^x_n + (r_t \odot h_{t-1}) W_{hn}\right) \tag{4.4}$$

Either way, the slider mixes:

$$h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1} \tag{4.5}$$

$\sigma(a) = 1/(1+e^{-a})$ is the sigmoid, between 0 and 1; tanh lies between -1 and 1; $\odot$ is the
elementwise product, `*` in NumPy. All three work on each number by itself. The numbers in brackets are those
in [the library's own file](../minis2s/nn/gru.py).

Look at (4.5) once more. For each number, $h_t$ is a weighted mean (加權平均 / 加权平均) of $n_t$ and $h_{t-1}$, and so
lies between the two. $n_t$ lies between -1 and 1. So if $h_0$ does too, every $h_t$ does. A GRU's memory cannot
grow. An LSTM's cell can, and in chapter 3 it counted brackets in that way. We shall look at this again below.
"""

# %% [markdown]
r"""
### Where the reset stands

In (4.3) the state goes through the matrix first, and the result is multiplied by the gate. In (4.4) it is the
other way round. Write out what the new content of unit $j$ hears of the past (and let $b_h$ be 0 for now):

$$\text{after:}\quad r_j \sum_k h_k (W_{hn})_{kj} \qquad\qquad \text{before:}\quad \sum_k r_k h_k (W_{hn})_{kj}$$

With the reset after the product, every unit has its own $r_j$ at its *ear*: it turns down all that it hears.
With the reset before it, every unit has its $r_k$ at its *mouth*: it turns down what it says, to all. Here are
two units, the past on the left, the new content on the right:
"""

# %%
with drawing((8.4, 1.9)) as figure:
    titles, gate_at = ("reset after the product", "reset before the product"), (2.2, 1)
    for ax, title, gate_x, crossing in zip(figure.subplots(1, 2), titles, gate_at, (0, 1)):
        ax.set(xlim=(-0.3, 3.5), ylim=(-0.35, 1.35), title=title)
        ax.axis("off")
        places = (0, gate_x, 3.2)
        for column, (x, label) in enumerate(zip(places, ("$h_{}$", "× $r_{}$", "$n_{}$"))):
            fill = "#DCEBF7" if "×" in label else "white"
            look = {"bbox": {"boxstyle": "round,pad=0.4", "ec": "0.4", "fc": fill}, "ha": "center"}
            for y, unit in ((1, 1), (0, 2)):
                ax.text(x, y, label.format(unit), va="center", parse_math=True, **look)
                # From every unit to every unit where the matrix is, else straight on.
                for to_y in (0, 1) if column == crossing else (y,):
                    if column < 2:
                        ends = (places[column + 1] - 0.3, to_y), (x + 0.3, y)
                        ax.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": "0.3"})

figure

# %% [markdown]
r"""
The four lines from every unit to every unit are the matrix $W_{hn}$. Take numbers: $h_{t-1} = (0.8, 0.4)$,
$r_t = (0.5, 0.75)$, and a matrix that swaps the two units. After: unit 1 hears 0.4 and takes half of it, unit 2
hears 0.8 and takes three quarters, which is $(0.2, 0.6)$. Before: unit 1 says half of 0.8, to unit 2; unit 2
says three quarters of 0.4, to unit 1, which is $(0.3, 0.4)$.
"""

# %%
h_prev, r, swap = np.array([[0.8, 0.4]]), np.array([[0.5, 0.75]]), np.array([[0.0, 1], [1, 0]])
print("after ", r * (h_prev @ swap))
print("before", (r * h_prev) @ swap)

# %% [markdown]
r"""
So the two are different functions, and weights that were trained in one form are wrong in the other. Only
where no unit hears another (one unit, or a matrix $W_{hn}$ that is 0 off its diagonal) and $b_h$ is 0 do they
agree. Neither is known to be better. Their histories differ:

- **Before** is what Cho et al. printed in 2014, §2.3. `minis2s` has it as `reset_after=False`.
- **After** is in the first version of that same paper, and it is what cuDNN, PyTorch and, as they are when
  nothing else is said, Keras and `minis2s` do. PyTorch's documentation says that it differs from the paper on
  purpose, for efficiency: $h_{t-1} W_h$ is *one* product for all three parts. With the reset before, the part
  of n has to wait until $r_t$ is known, and there are two products, one after the other, at every step.

And why does the form after have a bias of its own, $b_h$? A bias in $a^h_r$ would do nothing that $b$ cannot
do, because (4.1) just adds the two. But in (4.3) what is added to $a^h_n$ is multiplied by $r_t$, and what is
added to $a^x_n$ is not. These are two different things to learn.
"""

# %% [markdown]
r"""
### Which way round is z?

In (4.5), $z$ is the share that is *kept*. You will also meet it the other way round:

| where | what $h_t$ is | reset |
|---|---|---|
| Cho et al. 2014, §2.3 | $z \odot h_{t-1} + (1 - z) \odot n$ | before |
| Chung et al. 2014, §3.2 | $(1 - z) \odot h_{t-1} + z \odot n$ | before |
| Bahdanau et al. 2015, A.1.1 | $(1 - z) \odot h_{t-1} + z \odot n$ | before |
| PyTorch, cuDNN | $(1 - z) \odot n + z \odot h_{t-1}$ | after |
| Keras | $z \odot h_{t-1} + (1 - z) \odot n$ | after, or before with `reset_after=False` |
| `minis2s`, (4.5) | $(1 - z) \odot n + z \odot h_{t-1}$ | after, or before with `reset_after=False` |

This is a matter of naming and not of what can be learnt: a network that would have learnt $z$ learns $1 - z$
instead. (The three papers share two of their authors. Asked in public which is right, one of the two, Cho,
answered that either is fine.) But a formula from one line of the table together with the weights, the
starting bias or the backward pass of another line is a mistake, and one that does not show. Before you copy a
GRU, ask it two questions: *is the reset before or after*, and *does z keep or renew?*
"""

# %% [markdown]
r"""
### How many parameters

$W_x$ has $3HD$ numbers, $W_h$ has $3H^2$, $b$ has $3H$, and $b_h$, where there is one, $H$. An LSTM has 4 in
place of each 3, and no $b_h$. So a GRU is about three quarters of an LSTM of the same H. In numbers, for the
two layers of 004 (`emb_dim = 256`, `hid_dim = 512`):
"""

# %%
rng = np.random.default_rng(0)
for cell in (LSTM, GRU):
    first, second = cell(256, 512, rng), cell(512, 512, rng)
    print(f"{cell.__name__:4} {first.size:9,} + {second.size:9,} = {first.size + second.size:9,}")

# %% [markdown]
r"""
(PyTorch counts a little more: it has two biases for every part, of which, but for that of n, only the sum
matters.) In 004's
whole model this saves about a tenth, since most of its numbers are in the embeddings and in the output layer:
"""

# %%
sizes = {cell: Seq2Seq(document("004", cell=cell), rng).size for cell in ("lstm", "gru")}
print(f"{sizes['lstm']:,} and {sizes['gru']:,}: {1 - sizes['gru'] / sizes['lstm']:.0%} less")

# %% [markdown]
r"""
## The backward pass, step by step

### Five rules, in short

For every array $X$ we want $dX$: an array of the same shape that says, for each entry, how much the loss $L$
changes for each unit by which this entry changes, as long as the change is small. We walk through the
equations from the last to the first. At each one we know the gradients of what comes out, and want those of
what goes in. Five rules do it all; chapter 3 takes its time over them.

1. **A function of each number by itself**, $y = \varphi(x)$: raise $x$ by a tiny $\varepsilon$, and $y$ rises
   by $\varphi'(x)\varepsilon$, and $L$ by $dy \cdot \varphi'(x)\varepsilon$. So $dx = dy \odot \varphi'(x)$.
   For the sigmoid, $\varphi' = e^{-x}/(1+e^{-x})^2 = y(1-y)$, so $dx = dy \odot y \odot (1-y)$. For
   tanh, which is sinh/cosh, $\varphi' = (\cosh^2 x - \sinh^2 x)/\cosh^2 x = 1-y^2$, so
   $dx = dy \odot (1-y^2)$.
2. **A sum**, $y = u + v$, hands the gradient on to both: $du = dy$, $dv = dy$.
3. **An elementwise product**, $y = u \odot v$: raise $u$ by $\varepsilon$, and $y$ rises by $v\varepsilon$. So
   $du = dy \odot v$ and $dv = dy \odot u$. Each side gets the gradient times the other side.
4. **What is used twice** changes $L$ in two ways, and the changes add up. Where a value fans out, its
   gradients are summed.
5. **A matrix product**, $Y = XW$, is $Y_{nm} = \sum_d X_{nd} W_{dm}$. One entry $X_{nd}$ is used in row $n$ of
   $Y$, once in each column $m$, multiplied by $W_{dm}$. So, by rules 3 and 4, $dX_{nd} = \sum_m dY_{nm} W_{dm}$,
   which is $dX = (dY) W^{\top}$. One entry $W_{dm}$ is used in column $m$, once in each row $n$, multiplied by
   $X_{nd}$. So $dW_{dm} = \sum_n X_{nd} dY_{nm}$, which is $dW = X^{\top} (dY)$. A bias that is added to every
   row has $db = \sum_{\text{rows}} dY$.

### Back through the slider

We are handed $dh_t$, with every use of $h_t$ already in it. **Equation (4.5)** is a sum of two products:

$$h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}$$

The sum hands $dh_t$ to both products (rule 2). The first one, $(1 - z_t) \odot n_t$, gives to its right side
(rule 3)

$$dn_t = dh_t \odot (1 - z_t) \tag{4.5'}$$

and to its left side, which is $1 - z_t$, it gives $dh_t \odot n_t$. Raise $z_t$ by $\varepsilon$, and $1 - z_t$
*falls* by $\varepsilon$: so $z_t$ gets $-dh_t \odot n_t$ from here. The second product, $z_t \odot h_{t-1}$,
gives $dh_t \odot h_{t-1}$ to $z_t$. So $z_t$ is used twice (rule 4), and the sum is

$$dz_t = dh_t \odot h_{t-1} - dh_t \odot n_t = dh_t \odot (h_{t-1} - n_t)$$

This has a plain meaning: to keep more makes the state larger where the old number is larger than the new one,
smaller where it is smaller, and does nothing where they are equal. Last, the second product gives to
$h_{t-1}$

$$dh_{t-1}^{\mathrm{direct}} = dh_t \odot z_t$$

This is the direct way back, along the thick line. **Equation (4.2)** is a sigmoid of a sum (rules 1 and 2):

$$da_z = dz_t \odot z_t \odot (1 - z_t) \tag{4.2'}$$

This is the gradient of the sum $a^x_z + a^h_z$, and each of the two gets it whole (rule 2). All this is the same
in both forms. Now they part.
"""

# %% [markdown]
r"""
### The new content, reset after the product

**Equation (4.3)**. Give names to what is inside: $m_t = a^h_n + b_h$, (B,H), is what is going to be reset. Then
$n_t = \tanh(a^x_n + r_t \odot m_t)$. Through the tanh (rule 1):

$$da_n = dn_t \odot (1 - n_t^2) \tag{4.3'}$$

The sum inside hands $da_n$ on to $a^x_n$ and to the product $r_t \odot m_t$, as it is (rule 2). The product
gives (rule 3)

$$dr_t = da_n \odot m_t$$

$$dm_t = da_n \odot r_t$$

and $m_t = a^h_n + b_h$ hands $dm_t$ on to both of its parts (rule 2): to $a^h_n$ as it is, and to the bias,
which all rows share, summed over the rows:

$$db_h = \textstyle\sum_{\text{rows}} dm_t$$

**Equation (4.1)** now has what it needs; like (4.2) it is a sigmoid of a sum:

$$da_r = dr_t \odot r_t \odot (1 - r_t) \tag{4.1'}$$

**The two parts of (1.1)**. Side by side again, in the order r, z, n:

$$da^x_t = [da_r, da_z, da_n] \qquad\qquad da^h_t = [da_r, da_z, dm_t]$$

Both are (B,3H), and they are *not* the same. In a plain layer and in an LSTM the two parts are only ever added,
and get the same gradient. Here the reset gate stands between them, and what comes back to the state's part of n
has been multiplied by $r_t$ once more. Who writes a GRU after an LSTM will get this line wrong at first.

Two matrix products and a bias (rule 5):

$$dx_t = da^x_t W_x^{\top} \qquad dW_x = x_t^{\top} da^x_t \qquad db = \textstyle\sum_{\text{rows}} da^x_t$$

$$dh_{t-1}^{\mathrm{next}} = dh_t \odot z_t + da^h_t W_h^{\top} \qquad dW_h = h_{t-1}^{\top} da^h_t \tag{1.1'}$$

With shapes: $da^h_t W_h^{\top}$ is (B,3H) times (3H,H), so (B,H), as $h_{t-1}$ is. $h_{t-1}^{\top} da^h_t$ is
(H,B) times (B,3H), so (H,3H), as $W_h$ is.
"""

# %% [markdown]
r"""
### The new content, reset before the product

**Equation (4.4)**. Again a name for what is inside: $q_t = r_t \odot h_{t-1}$, (B,H), is the state after its
reset. Then $n_t = \tanh(a^x_n + q_t W_{hn})$. The tanh and the sum are as before (rules 1 and 2):

$$da_n = dn_t \odot (1 - n_t^2) \tag{4.4'}$$

goes to $a^x_n$ and to the matrix product. This gives (rule 5)

$$dq_t = da_n W_{hn}^{\top} \qquad\qquad dW_{hn} = q_t^{\top} da_n$$

(B,H) times (H,H) is (B,H), as $q_t$; (H,B) times (B,H) is (H,H), as $W_{hn}$. Mind the $q_t$ in the second: this
matrix has never seen $h_{t-1}$, only what the reset left of it. Then the product $r_t \odot h_{t-1}$ (rule 3):

$$dr_t = dq_t \odot h_{t-1}$$

$$dh_{t-1}^{\mathrm{reset}} = dq_t \odot r_t$$

and $da_r = dr_t \odot r_t \odot (1 - r_t)$ is (4.1') as above. The input's part is
$da^x_t = [da_r, da_z, da_n]$, and $dx_t$, $dW_x$, $db$ follow from it as above. The state's part is shorter: only
r and z are made from $a^h$. With $W_{h,rz}$, (H,2H), for the first two parts of $W_h$:

$$dh_{t-1}^{\mathrm{next}} = dh_t \odot z_t + dq_t \odot r_t + [da_r, da_z] W_{h,rz}^{\top}$$

$$dW_{h,rz} = h_{t-1}^{\top} [da_r, da_z]$$

### Four ways back

In both forms $h_{t-1}$ is used four times, and so four gradients are summed (rule 4). The picture shows them.
"""

# %%
draw_cell(
    "h + 0 0.25, + keep 0 0.25, keep on_h 0 0.25, + write 0.25 0, write n 0.25 0, n reset 0 -0.27, "
    "reset corner 0 -0.27, corner on_h -0.25 0, keep z -0.1 -0.3, write z 0 0.25, z for_z 0.2 0, "
    "reset r 0.25 0, r for_r 0.25 0",
    [
        (5.2, 3.4, "1: direct, $dh_t \\odot z_t$"),
        (6.1, 1.2, "2: through $z_t$"),
        (4.0, 0.8, "3: through $r_t$"),
        (2.2, -0.4, "4: through $n_t$"),
    ],
)

# %% [markdown]
r"""
The first needs no matrix. The other three go through $W_h$: in $da^h_t W_h^{\top}$ they are the parts z, r and n
of one product; with the reset before, the fourth is $dq_t \odot r_t$, which has been through $W_{hn}$ already.

### All steps back

What joins the steps is rule 4, twice more, as in chapter 3. $h_t$ is used by whoever looks at the outputs, which
gives $dh_t^{\mathrm{out}}$, and by step $t+1$, which gives $dh_t^{\mathrm{next}}$ (at the last step 0, unless
someone has used $h_T$). So before step $t$ is taken back,

$$dh_t = dh_t^{\mathrm{out}} + dh_t^{\mathrm{next}}$$

And the weights are used T times: their gradients are summed over all steps.

$$dW_x = \sum_t x_t^{\top} da^x_t \qquad dW_h = \sum_t h_{t-1}^{\top} da^h_t$$

and in the same way $db$, $db_h$ and, with the reset before, the two pieces of $dW_h$.

### The direct way

After $k$ steps along the thick line, a gradient has been multiplied by

$$z_t \odot z_{t-1} \odot \cdots \odot z_{t-k+1}$$

and by nothing else. So $z$ is to the GRU what the forget gate is to the LSTM: with $z = 0.9$ at all steps a
third of the gradient is left after ten ($0.9^{10} = 0.35$), with $z = 0.5$ a thousandth ($0.5^{10} = 0.001$).
Two things are different, and both follow from there being one memory:

- **The slider has two ends.** $dn_t = dh_t \odot (1 - z_t)$: the more of the gradient goes past a step, the
  less of it teaches that step what to write. An LSTM may hold both gates open.
- **The other ways start from the same line.** In the LSTM the gradient can pass along the cell while the
  hidden state goes its own way. Here the three other ways leave from $h_{t-1}$ itself, and what they bring is
  added to the direct way's share. It may add to it, or take away from it. We shall see a network in which it
  adds just what is missing.
"""

# %% [markdown]
r"""
## By hand

Write the sentence, then the line that mirrors it. First the form that resets after the product, one step
forward:
"""


# %%
def reset_after_step(x, h_prev, Wx, Wh, b, bh):
    """x (B,D), h_prev (B,H) -> h (B,H), cache"""
    xa_r, xa_z, xa_n = np.split(x @ Wx + b, 3, axis=1)  # three times (B,H)
    ha_r, ha_z, ha_n = np.split(h_prev @ Wh, 3, axis=1)
    r = 1 / (1 + np.exp(-(xa_r + ha_r)))  # (4.1)  how much of the past n sees
    z = 1 / (1 + np.exp(-(xa_z + ha_z)))  # (4.2)  how much of the past is kept
    m = ha_n + bh
    n = np.tanh(xa_n + r * m)  # (4.3)  the new content
    h = (1 - z) * n + z * h_prev  # (4.5)
    return h, (x, h_prev, r, z, n, m)


# %% [markdown]
r"""
The same step backward: the same lines in reverse order, each name with a `d`.
"""


# %%
def reset_after_step_backward(dh, cache, Wx, Wh, b, bh):
    """dh (B,H) -> dx, dh_prev, the gradients of the weights by name"""
    x, h_prev, r, z, n, m = cache
    dn = dh * (1 - z)  # (4.5)'
    dz = dh * (h_prev - n)
    direct = dh * z
    da_n = dn * (1 - n**2)  # (4.3)'
    dr = da_n * m
    dm = da_n * r
    da_z = dz * z * (1 - z)  # (4.2)'
    da_r = dr * r * (1 - r)  # (4.1)'
    dxa = np.concatenate([da_r, da_z, da_n], axis=1)  # (B,3H)
    dha = np.concatenate([da_r, da_z, dm], axis=1)  # (B,3H), and not the same
    dx = dxa @ Wx.T  # (B,D)
    dh_prev = direct + dha @ Wh.T  # (1.1)'  (B,H); h_prev is used four times: sum
    dWx, db = x.T @ dxa, dxa.sum(axis=0)  # (D,3H), (3H,)
    dWh, dbh = h_prev.T @ dha, dm.sum(axis=0)  # (H,3H), (H,)
    return dx, dh_prev, {"Wx": dWx, "Wh": dWh, "b": db, "bh": dbh}


# %% [markdown]
r"""
Now the form that resets before it. Forward, two lines differ, and one name less is needed:
"""


# %%
def reset_before_step(x, h_prev, Wx, Wh, b):
    """x (B,D), h_prev (B,H) -> h (B,H), cache"""
    xa_r, xa_z, xa_n = np.split(x @ Wx + b, 3, axis=1)
    Wh_r, Wh_z, Wh_n = np.split(Wh, 3, axis=1)  # three times (H,H)
    r = 1 / (1 + np.exp(-(xa_r + h_prev @ Wh_r)))  # (4.1)
    z = 1 / (1 + np.exp(-(xa_z + h_prev @ Wh_z)))  # (4.2)
    q = r * h_prev
    n = np.tanh(xa_n + q @ Wh_n)  # (4.4)
    h = (1 - z) * n + z * h_prev  # (4.5)
    return h, (x, h_prev, r, z, n, q)


def reset_before_step_backward(dh, cache, Wx, Wh, b):
    """dh (B,H) -> dx, dh_prev, the gradients of the weights by name"""
    x, h_prev, r, z, n, q = cache
    Wh_r, Wh_z, Wh_n = np.split(Wh, 3, axis=1)
    dn = dh * (1 - z)  # (4.5)'
    dz = dh * (h_prev - n)
    direct = dh * z
    da_n = dn * (1 - n**2)  # (4.4)'
    dq = da_n @ Wh_n.T  # (B,H)
    dr = dq * h_prev
    da_z = dz * z * (1 - z)  # (4.2)'
    da_r = dr * r * (1 - r)  # (4.1)'
    dxa = np.concatenate([da_r, da_z, da_n], axis=1)  # (B,3H)
    dx = dxa @ Wx.T  # (B,D)
    dh_prev = direct + da_z @ Wh_z.T + da_r @ Wh_r.T + dq * r  # h_prev is used four times: sum
    dWx, db = x.T @ dxa, dxa.sum(axis=0)  # (D,3H), (3H,)
    dWh = np.concatenate([h_prev.T @ da_r, h_prev.T @ da_z, q.T @ da_n], axis=1)  # (H,3H)
    return dx, dh_prev, {"Wx": dWx, "Wh": dWh, "b": db}


# %% [markdown]
r"""
Last, all steps. A form is a pair of functions, forward and backward, and the loop does not care which. The
parameters come by name, so that one form can have a `bh` and the other none.
"""

# %%
AFTER = reset_after_step, reset_after_step_backward
BEFORE = reset_before_step, reset_before_step_backward


def gru_forward(form, x, h0, params):
    """x (T,B,D), h0 (B,H) -> hs (T,B,H), a cache for every step"""
    step, _ = form
    h, hs, caches = h0, [], []
    for x_t in x:
        h, cache = step(x_t, h, **params)
        hs.append(h)
        caches.append(cache)
    return np.stack(hs), caches


def gru_backward(form, dhs, caches, params):
    """What reaches each h from outside, dhs (T,B,H) -> dx, dh0, the gradients of params by name"""
    _, step_backward = form
    dh_next, dxs = np.zeros_like(dhs[0]), []
    grads = {name: np.zeros_like(param) for name, param in params.items()}
    for dh_out, cache in zip(dhs[::-1], caches[::-1]):
        dh = dh_out + dh_next  # h is used twice: sum
        dx, dh_next, dparams = step_backward(dh, cache, **params)
        dxs.append(dx)
        for name in grads:
            grads[name] = grads[name] + dparams[name]  # used T times: sum
    return np.stack(dxs[::-1]), dh_next, grads


# %% [markdown]
r"""
## With a pencil

Two steps by hand: one sequence, $B = D = H = 1$, so that every array is a number. The two facts that make it
easy are those of chapter 3:

$$\sigma(\ln 3) = \tfrac34 \qquad \tanh(\ln 3) = \tfrac{9-1}{9+1} = 0.8$$

and, since $\sigma(-a) = 1 - \sigma(a)$, also $\sigma(-\ln 3) = \tfrac14$. Take $x_1 = 1$, $x_2 = 0$, $h_0 = 0$,
all biases 0. Let the three numbers in $W_x$ be $\ln 3$, $-\ln 3$, $\ln 3$, and those in $W_h$ be 0, 0 and
$w = \tfrac{10}{3} \ln 3 = 3.6620$. The loss is $L = h_2$. We take the form that resets after the product.
Everything is written with four digits; if you round at every line, the last one may differ.

**Forward.** In step 1 the pre-activations are $\ln 3$, $-\ln 3$, $\ln 3$, and there is nothing to reset. In step
2 both gates hear 0; $m_2 = h_1 w = 0.6 \cdot \tfrac{10}{3} \ln 3 = 2 \ln 3 = 2.1972$, of which the reset gate
lets half through, which is $\ln 3$ again.

| | $r_t$ | $z_t$ | $m_t$ | $n_t = \tanh(a^x_n + r_t m_t)$ | $h_t = (1 - z_t) n_t + z_t h_{t-1}$ |
|---|---|---|---|---|---|
| step 1 | 0.75 | 0.25 | 0 | tanh(ln 3 + 0) = **0.8** | 0.75 · 0.8 + 0.25 · 0 = **0.6** |
| step 2 | 0.5 | 0.5 | 2.1972 | tanh(0 + ln 3) = **0.8** | 0.5 · 0.8 + 0.5 · 0.6 = **0.7** |

**Backward, step 2.** $L = h_2$, so $dh_2 = 1$.

- $dn = 1 \cdot (1 - 0.5) = 0.5$, $dz = 1 \cdot (0.6 - 0.8) = -0.2$, and the direct way brings
  $1 \cdot 0.5 = 0.5$
- $da_n = 0.5 \cdot (1 - 0.8^2) = 0.18$, $dr = 0.18 \cdot 2.1972 = 0.3955$, $dm = 0.18 \cdot 0.5 = 0.09$
- $da_z = -0.2 \cdot \tfrac14 = -0.05$, $da_r = 0.3955 \cdot \tfrac14 = 0.0989$
- to step 1: $dh_1^{\mathrm{next}} = 0.5 + dm \cdot w = 0.5 + 0.09 \cdot 3.6620 = 0.5 + 0.3296 = 0.8296$.
  Through the gates nothing comes, because their two numbers in $W_h$ are 0

**Backward, step 1.** Nobody else looks at $h_1$, so $dh_1 = 0.8296$.

- $dn = 0.8296 \cdot 0.75 = 0.6222$, $dz = 0.8296 \cdot (0 - 0.8) = -0.6637$, direct: $0.8296 \cdot 0.25 = 0.2074$
- $da_n = 0.6222 \cdot 0.36 = 0.2240$, $dr = 0.2240 \cdot 0 = 0$, $dm = 0.2240 \cdot 0.75 = 0.1680$
- $da_z = -0.6637 \cdot \tfrac{3}{16} = -0.1244$, $da_r = 0$
- to the start: $dh_0 = 0.2074 + 0.1680 \cdot 3.6620 = 0.8226$

**The weights.** $dW_x = x_1 da^x_1 = (0, -0.1244, 0.2240)$, as $x_2 = 0$. As $h_0 = 0$,
$dW_h = h_1 da^h_2 = 0.6 \cdot (0.0989, -0.05, 0.09) = (0.0593, -0.03, 0.054)$; note the 0.09, which is $dm$ and
not $da_n$. And $db_h = dm_1 + dm_2 = 0.1680 + 0.09 = 0.2580$.

The same by the functions above:
"""

# %%
ln3 = np.log(3)
params = {
    "Wx": np.array([[ln3, -ln3, ln3]]),
    "Wh": np.array([[0, 0, 10 / 3 * ln3]]),
    "b": np.zeros(3),
    "bh": np.zeros(1),
}
x = np.array([1.0, 0]).reshape(2, 1, 1)  # (T,B,D)
nothing = np.zeros((1, 1))
dhs = np.array([0.0, 1]).reshape(2, 1, 1)  # L = h_2

hs, caches = gru_forward(AFTER, x, nothing, params)
dx, dh0, grads = gru_backward(AFTER, dhs, caches, params)

pencil = {
    "h": ([0.6, 0.7], hs),
    "dh0": ([0.8226], dh0),
    "dWx": ([0, -0.1244, 0.2240], grads["Wx"]),
    "dWh": ([0.0593, -0.03, 0.054], grads["Wh"]),
    "dbh": ([0.2580], grads["bh"]),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:4} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

# %% [markdown]
r"""
And with the reset before the product? There is one unit and no bias inside the reset, so all must be the same,
by other lines. In step 2, $dq = da_n \cdot w = 0.18 \cdot 3.6620 = 0.6592$, then $dr = dq \cdot h_1 = 0.3955$
and, to step 1, $dq \cdot r = 0.3296$: the numbers that we had.
"""

# %%
no_bh = {name: param for name, param in params.items() if name != "bh"}
hs_before, caches = gru_forward(BEFORE, x, nothing, no_bh)
_, dh0_before, grads_before = gru_backward(BEFORE, dhs, caches, no_bh)
np.testing.assert_allclose(hs_before, hs, rtol=1e-12)
np.testing.assert_allclose(dh0_before, dh0, rtol=1e-12)
print("dWh ", grads_before["Wh"].ravel(), " dh0 ", dh0_before.ravel())

# %% [markdown]
r"""
## The gradient check

We ask the forward pass. Move one number by a little, up and down, and see what the loss does:

$$\frac{\partial L}{\partial w} \approx \frac{L(w + \varepsilon) - L(w - \varepsilon)}{2\varepsilon}$$

`gradcheck` does this (有限差分, a finite difference) for every number of every parameter and every input. As the loss
it takes $L = \sum \rho \odot h$ with random numbers $\rho$, so that every output counts and none like another.
It wants a class with `params`, `grads`, `forward` and `backward`:
"""


# %%
class GRUByHand:
    """A form as a layer.  x (T,B,D), h0 (B,H) -> hs (T,B,H), cache"""

    def __init__(self, D, H, rng, form):
        shapes = {"Wx": (D, 3 * H), "Wh": (H, 3 * H), "b": (3 * H,), "bh": (H,)}
        if form is BEFORE:
            del shapes["bh"]
        self.form = form
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x, h0):
        return gru_forward(self.form, x, h0, self.params)

    def backward(self, dhs, caches):
        dx, dh0, grads = gru_backward(self.form, dhs, caches, self.params)
        for name, grad in grads.items():
            self.grads[name] += grad
        return dx, dh0


T, B, D, H = 4, 3, 5, 2  # all different, so that no wrong axis fits by chance
rng = np.random.default_rng(0)
inputs = rng.standard_normal((T, B, D)), rng.standard_normal((B, H))
after, before = (GRUByHand(D, H, np.random.default_rng(1), form) for form in (AFTER, BEFORE))

print("reset after the product")
print(gradcheck(after, *inputs))
print("\nreset before the product")
print(gradcheck(before, *inputs))

# %% [markdown]
r"""
Every row passes. The third column is the largest error in that array, relative to the gradient itself; it may
be 1e-6.

Now plant the mistake that the two forms invite: forward as in PyTorch's documentation, backward as in the
paper. Each half is right. They do not belong together.
"""


# %%
def mixed_step_backward(dh, cache, Wx, Wh, b, bh):
    """Of a step that resets after the product, the backward pass of one that resets before it."""
    x, h_prev, r, z, n, m = cache
    dx, dh_prev, grads = reset_before_step_backward(dh, (x, h_prev, r, z, n, r * h_prev), Wx, Wh, b)
    da_n = dh * (1 - z) * (1 - n**2)
    return dx, dh_prev, grads | {"bh": (da_n * r).sum(axis=0)}


MIXED = reset_after_step, mixed_step_backward
planted = GRUByHand(D, H, np.random.default_rng(1), MIXED)
print(gradcheck(planted, *inputs))

# %% [markdown]
r"""
It fails everywhere, and of each array it says where the error is largest, what we have there, and what should
be there. Would we have noticed without it? Compare the two gradients as directions: the cosine of the angle
between them is 1 where they agree.
"""

# %%
directions = []
for network in (after, planted):
    hs, cache = network.forward(*inputs)
    network.backward(np.ones_like(hs), cache)  # L is the sum of all h
    found = np.concatenate([grad.ravel() for grad in network.grads.values()])
    directions.append(found / np.linalg.norm(found))
print(f"cosine: {directions[0] @ directions[1]:.3f}")

# %% [markdown]
r"""
So near that a network with this mistake does learn. It learns less well; by how much we shall see below, but who
has only this one network has nothing to compare it with. And not every check would find the mistake. Take one
unit, and begin as `minis2s` does, with all biases 0:
"""

# %%
for units, bias in ((1, "0"), (1, "random"), (2, "0"), (2, "random")):
    network = GRUByHand(D, units, np.random.default_rng(1), MIXED)
    if bias == "0":
        network.params["b"][...] = network.params["bh"][...] = 0
    passed = gradcheck(network, inputs[0], inputs[1][:, :units]).passed
    print(f"H = {units}, biases {bias:6}: {'passes' if passed else 'fails'}")

# %% [markdown]
r"""
With one unit and no bias the two forms are the same function, as we saw with the pencil, so that here no check
can tell them apart. To the advice of chapter 3, more than one step, more than one sequence, sizes that differ,
starting states that are not 0, add: *more than one unit, and biases that are not 0*.
"""

# %% [markdown]
r"""
## The same from minis2s

`minis2s.nn.GRU` has the same parameters, under the same names, and both forms. Give it ours, and it gives the
same outputs and the same gradients.
"""

# %%
x, h0 = inputs
for by_hand in (after, before):
    layer = GRU(D, H, rng, reset_after=by_hand is after, dtype="float64")
    layer.load(by_hand.params)
    hs, caches = by_hand.forward(x, h0)
    (their_hs, (their_hT,)), cache = layer.forward(x, (h0,))
    np.testing.assert_allclose(their_hs, hs, rtol=1e-12)

    dhs = rng.standard_normal(hs.shape)
    dx, dh0, grads = gru_backward(by_hand.form, dhs, caches, by_hand.params)
    their_dx, (their_dh0,) = layer.backward(dhs, None, cache)
    theirs = {"x": their_dx, "h0": their_dh0} | layer.grads
    for name, grad in ({"x": dx, "h0": dh0} | grads).items():
        np.testing.assert_allclose(theirs[name], grad, rtol=1e-9, atol=1e-12)
    names = ", ".join(f"d{name}" for name in theirs)
    print(f"reset_after={layer.reset_after!s:5}  the same: hs, {names}")

# %% [markdown]
r"""
And this is how the library takes one step back, both forms in one function:
"""

# %%
print(inspect.getsource(GRU.step_backward))

# %% [markdown]
r"""
Read `drm` as the gradient of what the gate has been multiplied with: that is $da_n$ itself where the product is
$r_t \odot m_t$ (4.3), and $dq_t$ where it is $r_t \odot h_{t-1}$ (4.4); `m` in the cache is $m_t$ or $h_{t-1}$
accordingly. (`normalise_backward` does nothing unless layer normalisation is asked for.) The products with
$W_x$ are elsewhere, in [recurrent.py](../minis2s/nn/recurrent.py): they need not wait for any step, so that
there is one product for all steps before the loop and one after it.

One line of the forward pass looks different as well. The library mixes by $n + z \odot (h_{t-1} - n)$. Multiply
out, and it is (4.5), with one multiplication less.

One more thing. Weights can be handed to PyTorch and back with `minis2s.exchange`. PyTorch has only the form that
resets after the product. What `layer` holds now is the other one:
"""

# %%
try:
    to_torch(layer)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
## Worth a look

### What an update gate does

A GRU of four units reads numbers, one at each step. Now and then a number is marked; after every step the GRU
is to say what the last marked number was. It has been trained for a second or two. At a mark it has to take in
the number; between marks it has to hold it, whatever else comes by.
"""

# %%
update_gate()

# %% [markdown]
r"""
- On top, what it says, the dashed line, follows what it should say. The numbers that are not marked hardly move
  it.
- In the middle, the update gates. Between the marks most of them are near 1: keep. At the marks most of them
  drop: renew. Units 1 and 2 do so at every mark. The other two are less tidy; a network does what works.
- Below, how much of the gradient of the *last* answer comes back to $h_t$, on a logarithmic scale. Follow the
  solid line from the right. It stays at 1, level, through twelve steps, down to step 20, where the last marked
  number came in; there it falls to a tenth. It should: what was before step 20 has nothing to do with the last
  answer. It falls again at step 10.
- The dash-dotted line is the same network before training. It loses a third and more at every step, and about a
  millionth is left after thirty.
- The dashed line is the direct way alone, the product of the $z$. It falls, too, though slowly: gates of 0.9 are
  not 1. So where does the solid line have the rest from?

From the other three ways. With the functions that we wrote by hand we can take them one by one: blot out all of
$W_h$ but the part of r, of z or of n, and see what reaches $h_{t-1}$ beside the direct way. Each share is
measured along $dh_{t-1}$, so that the four add up to 1; the mean is over the twelve steps from the end to the
last mark.
"""

# %%
model = trained_holder(hidden_size=4, steps=800, seed=1)  # that of the figure
weights = model.gru.params
numbers, _ = example()
_, caches = gru_forward(AFTER, numbers, np.zeros((1, 4)), weights)

parts = {"r": slice(0, 4), "z": slice(4, 8), "n": slice(8, 12)}
shares = {name: [] for name in ("direct", *parts)}
dh = last_answer(model)
for cache in caches[:-13:-1]:  # from step 32 back to step 21
    _, dh_prev, _ = reset_after_step_backward(dh, cache, **weights)
    direct = dh * cache[3]  # z
    shares["direct"].append(direct @ dh_prev.T / (dh_prev @ dh_prev.T))
    for name, part in parts.items():
        only = np.zeros_like(weights["Wh"])
        only[:, part] = weights["Wh"][:, part]
        _, reached, _ = reset_after_step_backward(dh, cache, **(weights | {"Wh": only}))
        shares[name].append((reached - direct) @ dh_prev.T / (dh_prev @ dh_prev.T))
    dh = dh_prev

print({name: round(float(np.mean(share)), 2) for name, share in shares.items()})
print(f"left of the gradient at step 20: {np.linalg.norm(dh):.2f}")

# %% [markdown]
r"""
The direct way brings six sevenths. The rest comes through $n_t$, which repeats some of the old state, and
through $z_t$, which moves a little when the state does; the reset gate has next to no part in it. Together they
bring back all that there was, step after step. So training has not only found gates that remember. It has found
weights that let the gradient through to where it is needed, and hardly further.
"""

# %% [markdown]
r"""
### What a nearly right gradient costs

The mistake that we planted above had a cosine of 0.996. Let us train with it, on the same numbers: our GRU by
hand, once with its own backward pass and once with the mixed one, from the same three starts. What is printed
is by how much they are off at the end, on new numbers (the root of the mean square).
"""


# %%
def off_by(form, seed, steps=800):
    """Train on numbers to be held -> how far off it is on others"""
    rng = np.random.default_rng(seed)
    gru, output = GRUByHand(2, 4, rng, form), Linear(4, 1, rng, dtype="float64")
    params = gru.params | {f"output.{name}": param for name, param in output.params.items()}
    grads = gru.grads | {f"output.{name}": grad for name, grad in output.grads.items()}
    optimiser = Adam()
    for step in range(steps):
        x, target = random_numbers(rng, T=40, B=16)
        hs, caches = gru.forward(x, np.zeros((16, 4)))
        y, cache = output.forward(hs)
        for grad in grads.values():
            grad[...] = 0
        gru.backward(output.backward(2 * (y - target) / y.size, cache), caches)
        clip_by_global_norm(grads, 1.0)
        optimiser.lr = 0.03 * (1 - step / steps)
        optimiser.update(params, grads)
    x, target = random_numbers(np.random.default_rng(7), T=40, B=200)
    hs, _ = gru.forward(x, np.zeros((200, 4)))
    y, _ = output.forward(hs)
    return np.sqrt(((y - target) ** 2).mean())


for name, form in (("its own", AFTER), ("mixed", MIXED)):
    print(f"{name:7}", *(f"{off_by(form, seed):.3f}" for seed in range(3)))

# %% [markdown]
r"""
It learns with either. The loss goes down with either. With the mixed one it ends three times and more as far off;
and without the first line, who would know?
"""


# %% [markdown]
r"""
### Where to start

Before training a GRU has gates of about ½, and a gradient does not get far: in chapter 3 that of the GRU was
multiplied by 0.62 at every step. An LSTM is helped by a forget bias above 0. What $z$ keeps, its bias decides
in the same way. Here are GRUs of 64 units before any training, with other biases of $z$ (the second third of
`b`):
"""


# %%
def with_bias(b_z):
    def make(rng):
        layer = GRU(INPUT_SIZE, HIDDEN_SIZE, rng, dtype="float64")
        layer.params["b"][HIDDEN_SIZE : 2 * HIDDEN_SIZE] = b_z
        return layer

    return make


for b_z in range(5):
    norms = np.median(norms_over_seeds(with_bias(b_z), 50, seeds=4), axis=1)
    z = 1 / (1 + np.exp(-b_z))
    print(f"bias {b_z}: z about {z:.3f}, gradient × {factor(norms):.3f} a step, ", end="")
    print(f"after 50 steps {norms[-1]:.0e} left")

# %% [markdown]
r"""
With a bias of 0 the other ways help: 0.63 rather than 0.50. With a large one the direct way is nearly all
there is, and the factor is nearly $\sigma(b_z)$. Nothing is free, though: with a bias of 3 a step writes only
a twentieth of its new content. To remember over about $\tau$ steps, $z$ should be near $1 - 1/\tau$, which is
a bias of $\ln(\tau - 1)$; Tallec and Ollivier (2018) draw $\tau$ at random for each unit, so that some units
are quick and some are slow. `minis2s` and PyTorch start at 0, give or take. And with $z$ the other way round,
all these biases need the other sign.
"""

# %% [markdown]
r"""
### What one memory costs

A weighted mean cannot leave the range of what it is a mean of. So a GRU cannot count upwards, as the LSTM of
chapter 3 did with its cell. Below, an LSTM with all gates open adds 1 at every step. Beside it is a GRU with
weights that are a hundred times as large as usual, and what is largest in its state.
"""

# %%
counter = LSTM(1, 1, rng, dtype="float64")
for param in counter.params.values():
    param[...] = 0
counter.params["b"][...] = 10  # all gates 1, the new content 1

shouting = GRU(1, 64, rng, dtype="float64")
for param in shouting.params.values():
    param *= 100
for steps in (1, 10, 100):
    (_, (_, c)), _ = counter.forward(np.ones((steps, 1, 1)))
    (_, (h,)), _ = shouting.forward(np.ones((steps, 1, 1)))
    largest = np.abs(h).max()
    print(f"{steps:3} steps: the LSTM's cell {c[0, 0]:5.1f}, the GRU's largest |h| {largest:.1f}")

# %% [markdown]
r"""
It matters where counting matters. In general, Chung et al. (2014) found GRU and LSTM comparable; of the
comparisons since, some prefer the one and some the other (in translation, Britz et al. 2017 the LSTM).
Try both: in `minis2s` it is one word, `cell="gru"` or `cell="lstm"`.
"""

# %% [markdown]
r"""
## The document's own code

### 003, 4.1: an activation is not a cell

003 gives its encoder one formula, $h_t = f(W_{xh} x_t + W_{hh} h_{t-1} + b_h)$, and calls $f$ an activation
function (激活函数). For the plain layer, with $f = \tanh$, this is exact. Its §3.1 allows a GRU as well, and a GRU is
no activation of that sum, in either form: $r_t$ comes between the two terms, and in (4.5) $h_{t-1}$ is used
past the weights. To see the latter, set $W_{hh}$ to 0. By the formula nothing of the past is left then. Start
twice from different states and read the same $x_1$:
"""

# %%
x1, low, high = rng.standard_normal((1, 1, 8)), np.full((1, 16), -0.5), np.full((1, 16), 0.5)
for kind in (RNN, GRU):
    layer = kind(8, 16, np.random.default_rng(0), dtype="float64")
    layer.params["Wh"][...] = 0
    (_, (h_low,)), _ = layer.forward(x1, (low,))
    (_, (h_high,)), _ = layer.forward(x1, (high,))
    apart = np.abs(h_high - h_low).mean()
    print(f"{kind.__name__} without Wh: two starts 1 apart, after one step {apart:.2f} apart")

# %% [markdown]
r"""
The right version is $h_t = f(x_t, h_{t-1})$ with $f$ the whole cell, (4.1) to (4.5), as 000 and 002 write it.

### 004: 如 LSTM 或 GRU

004 says, rightly, that the encoder may be an LSTM or a GRU, and its code has `nn.LSTM`. Let us take it at its
word and put `nn.GRU` in place of `nn.LSTM`, in encoder and decoder, and change nothing else. The line in the
encoder is

```python
outputs, (hidden, cell) = self.rnn(embedded)
```

A GRU has no cell: it returns `outputs` and *one* tensor, (n_layers, batch, hid_dim). Python is asked to unpack
this into two names, and does so along its first axis. What happens depends on the number of layers (PyTorch
2.13):

| `n_layers` | in the encoder | in the decoder |
|---|---|---|
| 1 | `ValueError: not enough values to unpack (expected 2, got 1)` | |
| 2 | **no error** | `AttributeError: 'tuple' object has no attribute 'dim'` |
| 3 | `ValueError: too many values to unpack (expected 2)` | |

Two layers is what the document has. The encoder then runs, and returns two things of the right names and of a
plausible shape. This is what they are:
"""

# %%
hT = np.stack([np.full((4, 512), layer) for layer in (1, 2)])  # as nn.GRU returns it
hidden, cell = hT
for name, found in (("hidden", hidden), ("cell", cell)):
    print(f"{name:6} {found.shape}, of layer {found[0, 0]}")

# %% [markdown]
r"""
`hidden` is the state of the first layer, and `cell` that of the second. It is to the decoder's credit that it
refuses the pair; whoever mends the message there and not its cause goes on with half of the states under a
wrong name. The right version drops `cell` everywhere: `outputs, hidden = self.rnn(embedded)`, and in the
decoder `output, hidden = self.rnn(embedded, hidden)`.

In `minis2s` the state of a layer is a tuple for every cell, `(h, c)` or `(h,)`, and of several layers a list of
tuples. So the same code runs with either, and what does not fit is said:
"""

# %%
source = rng.integers(4, 40, (5, 3))
for cell in ("lstm", "gru"):
    config = document("004", 40, 40, embedding_size=16, hidden_size=32, cell=cell)
    (hs, states), _ = Seq2Seq(config, rng).encode(source)
    print(f"{cell:4}", [tuple(part.shape for part in state) for state in states])
try:
    hidden, cell = states[-1]
except ValueError as error:
    print(error)

# %% [markdown]
r"""
### 003, 5.1 and 5.3

In the code of 003 the state is handed through under one name, which suits both cells, and its decoder of 5.2
runs with `nn.GRU` as it stands (once `F` is imported). Two places know that it is an LSTM. `initHidden`
returns a pair of zeros, on which a GRU fails as above (`'tuple' object has no attribute 'dim'`); for a GRU it
is `return torch.zeros(1, 1, self.hidden_size)`. And 5.3 takes `hidden[0][0]`: of the pair $(h, c)$ that is
$h$ without its first axis, (1,H); of a GRU's single tensor it is one axis too many, (H,), and
`Tensors must have same number of dimensions: got 2 and 1`. There it is `hidden[0]`.

What else happens when the code of 003 and 004 is run has to do with padding, decoders and losses, and is told
in chapters 5 to 9.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the section above. Write one step of the backward pass, reset after the product, as far as it goes without
matrices: from $dh$ to the gradients of the two parts $a^x$ and $a^h$, and to what reaches $h_{t-1}$ along the
direct way alone. `m` is $a^h_n$ with its bias. `sigmoid_backward(dy, y)` and `tanh_backward(dy, y)` are rule 1,
with `y` the output; or write it out.
"""


# %% exercise="gru_cell_backward" points=3
def gru_cell_backward(dh, cache):
    """dh (B,H), cache (h_prev, r, z, n, m) -> dxa (B,3H), dha (B,3H), dh_prev (B,H)"""
    raise NotImplementedError


# %%
check.gru_cell_backward(gru_cell_backward)

# %% [markdown]
r"""
### 2. Predict, then run

Let every $z_t$ be the same number. With which number does *half* of the gradient of $h_{50}$ arrive at $h_0$,
along the direct way? To within 0.0005.
"""

# %% exercise="z_that_keeps_half" points=1
z_that_keeps_half = None

# %%
check.z_that_keeps_half(z_that_keeps_half)

# %% [markdown]
r"""
Forward now. Every $z_t$ is 0.9, every new content $n_t$ is 1, and $h_0 = 0$. What is $h_{10}$? To within
0.005. Only then take away the first `#` in the cell after the check. (Which mean of the contents
$n_1, \dots, n_t$ is $h_t$, if $z$ is always the same? It has a name in statistics and in the optimiser Adam.)
"""

# %% exercise="gru_state_after_10_steps" points=1
gru_state_after_10_steps = None

# %%
check.gru_state_after_10_steps(gru_state_after_10_steps)

# %%
layer = GRU(1, 1, rng, dtype="float64")
for param in layer.params.values():
    param[...] = 0
layer.params["b"][1:] = np.log(0.9 / 0.1), 100  # z = 0.9, n = tanh(100)
(hs, _), _ = layer.forward(np.zeros((10, 1, 1)))
# print(hs[-1])

# %% [markdown]
r"""
Two units. The reset gate of unit 2 is 0, that of unit 1 is 1. Somebody changes $h_{t-1}$ of unit 1, and the new
content of unit 2 changes. In which form is the GRU: `"after"`, `"before"`, could it be `"both"`, or
`"neither"`?
"""

# %% exercise="gru_form_that_still_hears" points=1
gru_form_that_still_hears = None

# %%
check.gru_form_that_still_hears(gru_form_that_still_hears)

# %% [markdown]
r"""
### 3. Find the planted bugs

Somebody wrote this backward pass, of the form that resets before the product, with two books open. One of the
books has $z$ the other way round; the other one resets after the product. One line was taken from each.
"""


# %%
def broken_gru_backward(dhs, Wx, Wh, caches):
    """dhs (T,B,H), caches of reset_before_step -> the gradients of x, h0, Wx, Wh, b"""
    T, B, H = dhs.shape
    Wh_rz, Wh_n = Wh[:, : 2 * H], Wh[:, 2 * H :]
    dh, dxs, dWx, db = np.zeros((B, H)), [None] * T, np.zeros_like(Wx), np.zeros(3 * H)
    dWh_rz, dWh_n = np.zeros_like(Wh_rz), np.zeros_like(Wh_n)
    for t in reversed(range(T)):
        x, h_prev, r, z, n, q = caches[t]
        dh = dh + dhs[t]
        dn, dz = dh * (1 - z), dh * (n - h_prev)
        da_n = dn * (1 - n**2)
        dq = da_n @ Wh_n.T
        da_rz = np.concatenate([dq * h_prev * r * (1 - r), dz * z * (1 - z)], axis=1)
        dxa = np.concatenate([da_rz, da_n], axis=1)
        dWx, db = dWx + x.T @ dxa, db + dxa.sum(axis=0)
        dWh_rz, dWh_n = dWh_rz + h_prev.T @ da_rz, dWh_n + h_prev.T @ (r * da_n)
        dxs[t], dh = dxa @ Wx.T, dh * z + dq * r + da_rz @ Wh_rz.T
    return np.stack(dxs), dh, dWx, np.concatenate([dWh_rz, dWh_n], axis=1), db


class BrokenGRU(GRUByHand):
    def backward(self, dhs, caches):
        Wx, Wh = self.params["Wx"], self.params["Wh"]
        dx, dh0, dWx, dWh, db = broken_gru_backward(dhs, Wx, Wh, caches)
        for name, grad in {"Wx": dWx, "Wh": dWh, "b": db}.items():
            self.grads[name] += grad
        return dx, dh0


print(gradcheck(BrokenGRU(D, H, np.random.default_rng(1), BEFORE), *inputs))

# %% [markdown]
r"""
Copy the body into the stub below and mend it there. When one of the two lines is right, the check will name
the only array in which the other one shows.
"""


# %% exercise="mended_gru_backward" points=2
def mended_gru_backward(dhs, Wx, Wh, caches):
    """dhs (T,B,H), caches of reset_before_step -> the gradients of x, h0, Wx, Wh, b"""
    raise NotImplementedError


# %%
check.mended_gru_backward(mended_gru_backward)

# %% [markdown]
r"""
### 4. The other z

You have the weights of a GRU as in (4.5), and a program in which
$h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t$; all else is the same. Turn the weights into those with which
that program says what the GRU said. (`bh`, where there is one, may stay as it is.)
"""


# %% exercise="weights_for_other_z" points=1
def weights_for_other_z(Wx, Wh, b):
    """Wx (D,3H), Wh (H,3H), b (3H,) -> Wx, Wh, b for the other z"""
    raise NotImplementedError


# %%
check.weights_for_other_z(weights_for_other_z)

# %% [markdown]
r"""
### 5. One gate

Can one gate be both? Zhou et al. (2016) take one gate for resetting and for updating, the *minimal gated unit*.
There are two parts, f and n, so $W_x$ is (D,2H), $W_h$ is (H,2H), and

$$f_t = \sigma(a^x_f + h_{t-1} W_{hf})$$

$$n_t = \tanh(a^x_n + (f_t \odot h_{t-1}) W_{hn})$$

$$h_t = (1 - f_t) \odot h_{t-1} + f_t \odot n_t$$

Mind which way round it is. Write the step back, from $dh_t$ to the gradients of $a^x_t$ (both parts side by
side, f first), of $h_{t-1}$ and of $W_h$. In how many places is $f_t$ used? And $h_{t-1}$?
"""


# %% exercise="minimal_gated_cell_backward" points=4
def minimal_gated_cell_backward(dh, Wh, cache):
    """dh (B,H), Wh (H,2H), cache (h_prev, f, n) -> dxa (B,2H), dh_prev (B,H), dWh (H,2H)"""
    raise NotImplementedError


# %%
check.minimal_gated_cell_backward(minimal_gated_cell_backward)

# %% [markdown]
r"""
## What to read next

- K. Cho et al., [Learning phrase representations using RNN encoder-decoder for statistical machine
  translation](https://arxiv.org/abs/1406.1078), EMNLP 2014: §2.3, where the GRU comes from, on one page. The
  [first version](https://arxiv.org/abs/1406.1078v1) resets after the product.
- J. Chung et al., [Empirical evaluation of gated recurrent neural networks on sequence
  modeling](https://arxiv.org/abs/1412.3555), 2014: §3 sets the LSTM and the GRU side by side; its $z$ renews.
- D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
  translate](https://arxiv.org/abs/1409.0473), 2015: A.1, a GRU that also hears a context. It is chapter 9.
- PyTorch, [nn.GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html), the note on $n_t$; and the
  [question which way round z is](https://github.com/pytorch/pytorch/issues/20129), with its author's answer.
- R. Jozefowicz, W. Zaremba, I. Sutskever, [An empirical exploration of recurrent network
  architectures](https://proceedings.mlr.press/v37/jozefowicz15.html), 2015: is there anything better than LSTM
  and GRU?
- D. Britz et al., [Massive exploration of neural machine translation
  architectures](https://arxiv.org/abs/1703.03906), 2017: cells compared in translation, among much else.
- G.-B. Zhou et al., [Minimal gated unit for recurrent neural networks](https://arxiv.org/abs/1603.09420), 2016:
  exercise 5.
- C. Tallec, Y. Ollivier, [Can recurrent neural networks warp time?](https://arxiv.org/abs/1804.11188), 2018: why
  there should be gates at all, and where their biases should start.
- G. Weiss, Y. Goldberg, E. Yahav, [On the practical computational power of finite precision RNNs for language
  recognition](https://arxiv.org/abs/1805.04908), 2018: the LSTM counts, the GRU does not.

Next is chapter 5: from the last hidden state to words, and what a wrong word costs.
"""
