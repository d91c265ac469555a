# %% [markdown]
r"""
# 2 · Backpropagation through time, and how to check it

隨時間反向傳播與梯度檢查 · 随时间反向传播与梯度检查 · backpropagation through time and the gradient check

Every training loop has one line that does the work. In document 000 it is `loss.backward()`. It asks of every
number in the network: if this one were a little larger, how much larger would the loss be? In this chapter you
will write that line yourself, for a network that reads a sequence, in about a dozen lines of NumPy.

And you will learn how to know that you have not made a mistake. Wrong gradients seldom stop a program: the loss
goes down, only not as far as it could. So the second half of the chapter builds a check that finds them, looks
at how such checks are fooled, and at how to keep them from being fooled.

You need Python and matrix products, and the recurrent cell of chapter 1, which is written down again below.
Nothing else is taken for granted.
"""

# %%
import inspect

import numpy as np

from minis2s.cases import cases
from minis2s.cli import main
from minis2s.data.signals import signals
from minis2s.exercises import check
from minis2s.figures.gradient_distance import gradient_distance
from minis2s.figures.loss_surface import descent, loss_and_gradient, loss_surface
from minis2s.figures.unrolled_graph import unrolled_graph
from minis2s.functional import softmax, softmax_backward
from minis2s.gradcheck import FLOOR, STEP, TOLERANCE, gradcheck
from minis2s.models import SignalSeq2Seq, document
from minis2s.nn import RNN, Linear, MeanSquaredError
from minis2s.nn.recurrent import Recurrent
from minis2s.optim import Adam, clip_by_global_norm
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing, logarithmic
from minis2s.signals import step, train_signals

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 000 (繁) | PyTorch 實現編碼器-解碼器模型, from `# 訓練過程` on | the training loop: `zero_grad`, `loss.backward()`, `step` | what happens inside each of these lines |
| 000 (繁) | 編碼器-解碼器的數學公式 | $y_t = g(h'_t)$, where $g$ may be a linear map | the linear map, forward and backward |
| 001 (繁) | 6. 編碼器-解碼器架構的挑戰 | 長期依賴問題: long sequences are difficult | one reason, as a formula and as a picture |
| 004 (简) | Seq2Seq 模型的实现, `# 训练模型` | `clip_grad_norm_` before each step | what is clipped, and why |

Chapter 1 has the recurrent cell, a step at a time. Here the steps are joined, and we go back through all of
them. Chapters 3 to 9 then add other cells and other connections; all of them use what is worked out here, and
none needs another method.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 計算圖 | 计算图 | computation graph |
| 沿時間展開 | 沿时间展开 | to unroll over time |
| 反向傳播 | 反向传播 | backpropagation |
| 隨時間反向傳播 | 随时间反向传播 | backpropagation through time, BPTT |
| 鏈式法則 | 链式法则 | chain rule |
| 權重共享 | 权重共享 | shared weights |
| 上游梯度 | 上游梯度 | upstream gradient |
| 快取 | 缓存 | cache |
| 均方誤差 | 均方误差 | mean squared error |
| 梯度檢查 | 梯度检查 | gradient check |
| 有限差分 | 有限差分 | finite difference |
| 前向差分、中心差分 | 前向差分、中心差分 | forward difference, central difference |
| 步長 | 步长 | step size |
| 捨入誤差、截斷誤差 | 舍入误差、截断误差 | rounding error, truncation error |
| 相對誤差 | 相对误差 | relative error |
| 方向導數 | 方向导数 | directional derivative |
| 梯度消失、梯度爆炸 | 梯度消失、梯度爆炸 | vanishing gradient, exploding gradient |
| 梯度裁剪 | 梯度裁剪 | gradient clipping |
| 訓練循環 | 训练循环 | training loop |
| 學習率 | 学习率 | learning rate |
| 教師強制 | 教师强制 | teacher forcing |
| 自由運行 | 自由运行 | free running |
"""

# %% [markdown]
r"""
## Symbols

| in 000 | here | in the code | what it is | shape |
|---|---|---|---|---|
| $x_t$, `src` | $x_t$ | `x[t]`, all of them `x` | the input at step $t$ | (B,D), (T,B,D) |
| $h_t$, and $h'_t$ in the decoder | $h_t$ | `h`, all of them `hs` | hidden state | (B,H), (T+1,B,H) with $h_0$ |
| | $a_t$ | `a` | what goes into the tanh | (B,H) |
| $y_t$, `outputs` | $y_t$ | `y`, all of them `ys` | output | (B,V), (T,B,V) |
| `tgt` | $\mathrm{target}_t$ | `target[t]` | what the output should have been | (B,V) |
| $f$ | | `RNN` | the recurrent function | |
| $g$ | | `Linear` | the output layer | |
| | $W_x$, $W_h$, $b$ | `Wx`, `Wh`, `b` | weights and bias of the cell | (D,H), (H,H), (H,) |
| | $W_y$, $b_y$ | `Wy`, `by`; in the library `W`, `b` | weights and bias of the output layer | (H,V), (V,) |
| `loss` | $L$ | `loss` | the loss, one number | |
| | $dX$ | `dX` | the gradient of $L$ with respect to $X$: one name, nothing is multiplied | as $X$ |
| | $\delta X$ | | a small change of $X$ | as $X$ |
| | $\langle A, B \rangle$ | `(A * B).sum()` | all entries of $A$ times those of $B$, summed up | a number |
| | $\varepsilon$ | `eps` | the step size: how far a number is moved | |
| | $r$ | `r` | a random upstream gradient | as the output |
| | $u$ | | by what share of itself a number may be off, because computers round | |

T is the number of steps, B the number of sequences in a batch, D the size of an input, H of a state, V of an
output. Python counts from 0: `x[0]` is $x_1$, and since `hs` has $h_0$ in front, `hs[t]` is the state *before*
step `x[t]` and `hs[t + 1]` the state after it.

000 writes the loss's target and the model's output with one letter, $y_t$. Here $y_t$ is the output.
"""

# %% [markdown]
r"""
## The idea

A recurrent network is a loop, and it is hard to think backwards through a loop. So we write the loop out: a
column for every step, one beside the other. This is called unrolling (沿時間展開 / 沿时间展开), and what we get is the
computation graph (計算圖 / 计算图): what is computed from what. It has no loop in it. It is a network like any
other, T layers deep, with two things that are a little unusual: it has inputs and outputs at every layer, and
all layers have the same weights.

This is such a network with five steps. Look at the solid arrows first. Each is something that is computed from
something else; the letters beside them are the weights that it takes. $W_h$ stands there five times, but it is
one matrix.
"""

# %%
unrolled_graph()

# %% [markdown]
r"""
Now the dashed arrows. Every loss at the top says to the output below it: *in this direction you could improve*.
The output hands that on to its state; the state hands it on to its input, and to the state before it. Beside each
arrow stands how large the message is. There is one arrow back for each arrow forward, and nothing else.

Look at $h_3$. Two dashed arrows come in: one from its own output $y_3$, the other from $h_4$. The state $h_3$
was used twice, and each use has something to say about it. They are added. In the same way, $W_h$ is told
something at each of its five places, and all five are added.

**Backward, along every arrow; where arrows meet, add.** That is the whole of backpropagation (反向傳播 / 反向传播),
through time or otherwise. The rest of the chapter says it in formulas, in code, and then looks whether it is
true.
"""

# %% [markdown]
r"""
## The equations

One step of the plain recurrent cell (chapter 1):

$$a_t = x_t W_x + h_{t-1} W_h + b \tag{1.1}$$

$$h_t = \tanh(a_t) \tag{1.2}$$

New in this chapter is the output layer, a matrix product and a bias:

$$y_t = h_t W_y + b_y \tag{2.1}$$

$h_t$ is (B,H) and $W_y$ is (H,V), so $y_t$ is (B,V): one row of V numbers for every sequence of the batch. This
is 000's $y_t = g(h'_t)$, and its `nn.Linear`. In [the library's own file](../minis2s/nn/linear.py) the input is
called $x$ and the weights $W$ and $b$, because such a layer may stand anywhere.

Last, one number that says how bad all of this is. 000 uses the mean squared error (均方誤差 / 均方误差), `nn.MSELoss`:

$$L = \frac{1}{TBV} \sum_{t} \langle y_t - \mathrm{target}_t, y_t - \mathrm{target}_t \rangle \tag{5.4}$$

The brackets $\langle A, B \rangle$ mean: multiply the two arrays entry by entry and sum everything up. So here
every difference is squared, and the mean is taken over all T·B·V of them. (Chapter 5 is about losses.)

Unrolled over three steps, with each $h$ put into the next, the last state is

$$h_3 = \tanh(x_3 W_x + \tanh(x_2 W_x + \tanh(x_1 W_x + h_0 W_h + b) W_h + b) W_h + b)$$

There is $W_h$ three times, one inside the other. To differentiate *this* by $W_h$ looks frightening. It will not
be, since we never look at more than one line at a time.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### What a gradient is

Let $X$ be any array in the network: an input, a state, a weight. Change it by a small array $\delta X$ of the same
shape. Then $L$ changes too, by $\delta L$. If the changes are small enough, each entry has its own share in this,
in proportion to how much it was moved, and the shares add up:

$$\delta L = \sum_{ij} dX_{ij} \cdot \delta X_{ij} = \langle dX, \delta X \rangle$$

The numbers $dX_{ij}$ say how much each entry matters. Together they are an array of the shape of $X$. It is called
the gradient (梯度) of $L$ with respect to $X$, and written $dX$.

"Small enough" means this: what the formula leaves out is of the size of $\delta X$ *squared*. If $\delta X$ is a
thousandth, that is a millionth. We shall leave out such things without more ado, and the gradient check will look
whether we were right to.

Move one entry alone, by $\varepsilon$, and the formula says $\delta L = dX_{ij} \varepsilon$. So $dX_{ij}$ is
the slope of $L$ in that entry, and no other array can take the place of $dX$. This gives us a method, the
only one that we need:

> To find $dX$: move $X$ by $\delta X$, see what that does to $L$, and write it in the form
> $\langle \text{something}, \delta X \rangle$. The something is $dX$.

### Moving a factor to the other side

For that we must be able to carry things from the right side of a bracket to the left. Three laws are enough.

**Elementwise products.** Both sides of this are $\sum_{ij} A_{ij} B_{ij} C_{ij}$:

$$\langle A, B \odot C \rangle = \langle A \odot B, C \rangle$$

**Matrix products.** Let $A$ be (N,M), $B$ (N,D), $C$ (D,M). Write the product out and sum in another order:

$$\langle A, BC \rangle = \sum_{nm} A_{nm} \sum_{d} B_{nd} C_{dm} = \sum_{nd} \Big( \sum_{m} A_{nm} C_{dm} \Big) B_{nd} = \langle A C^{\top}, B \rangle$$

since $\sum_m A_{nm} C_{dm}$ is entry $(n, d)$ of $A C^{\top}$. Or sum over $n$ first:

$$\langle A, BC \rangle = \sum_{dm} \Big( \sum_{n} B_{nd} A_{nm} \Big) C_{dm} = \langle B^{\top} A, C \rangle$$

A factor that leaves the right side arrives on the left transposed, and on the side on which it was: $C$ was on
the right of $B$, so $C^{\top}$ is on the right of $A$.

**A vector added to every row.** Let $v$ be (M,), and let $[v]$ be the (N,M) array in which every row is $v$. Then

$$\langle A, [v] \rangle = \sum_{nm} A_{nm} v_m = \sum_{m} \Big( \sum_{n} A_{nm} \Big) v_m = \Big\langle \sum_{\text{rows}} A, v \Big\rangle$$

Let us see it in numbers.
"""

# %%
rng = np.random.default_rng(0)
N, D, M = 2, 3, 4
A, B, C = (rng.standard_normal(shape) for shape in ((N, M), (N, D), (D, M)))
(E, F), v = rng.standard_normal((2, N, M)), rng.standard_normal(M)


def bracket(A, B):
    """<A, B>: the sum of all products of entries."""
    return (A * B).sum()


both_sides = {
    "elementwise": (bracket(A, E * F), bracket(A * E, F)),
    "matrices": (bracket(A, B @ C), bracket(A @ C.T, B), bracket(B.T @ A, C)),
    "every row": (bracket(A, np.stack([v, v])), bracket(A.sum(axis=0), v)),
}
for law, numbers in both_sides.items():
    print(f"{law:12}", *[f"{number:.6f}" for number in numbers])

# %% [markdown]
r"""
### The loss

We start at the end and walk up. **Equation (5.4)**. Write $e$ for $y_t - \mathrm{target}_t$, and move $y_t$
by $\delta y_t$. Then $e$ moves by as much, and its square moves like this:

$$\langle e + \delta y_t, e + \delta y_t \rangle = \langle e, e \rangle + 2 \langle e, \delta y_t \rangle + \langle \delta y_t, \delta y_t \rangle$$

The last term is one of those that are squared in the small change. So

$$\delta L = \frac{2}{TBV} \sum_{t} \langle y_t - \mathrm{target}_t, \delta y_t \rangle$$

This has the form that we want. So

$$dy_t = \frac{2}{TBV} (y_t - \mathrm{target}_t) \tag{5.4'}$$

which is (B,V), as $y_t$ is. (A prime beside a number means: the derivative of this equation.)

### The output layer

**Equation (2.1)**, $y_t = h_t W_y + b_y$. Move all three. The product moves by

$$(h_t + \delta h_t)(W_y + \delta W_y) - h_t W_y = (\delta h_t) W_y + h_t (\delta W_y) + (\delta h_t)(\delta W_y)$$

and the last term is small squared. So $\delta y_t = (\delta h_t) W_y + h_t (\delta W_y) + [\delta b_y]$, the
last in every row. Put this into $\langle dy_t, \delta y_t \rangle$, which is what the change of $y_t$ does to
$L$ (this putting in is the chain rule, 鏈式法則 / 链式法则), and use the laws:

$$\langle dy_t, (\delta h_t) W_y \rangle = \langle dy_t W_y^{\top}, \delta h_t \rangle$$

$$\langle dy_t, h_t (\delta W_y) \rangle = \langle h_t^{\top} dy_t, \delta W_y \rangle$$

$$\langle dy_t, [\delta b_y] \rangle = \Big\langle \sum_{\text{rows}} dy_t, \delta b_y \Big\rangle$$

On the left of each bracket stands a gradient. Of $h_t$ it is what comes back from $y_t$ alone; we call this part
$dh_t^{\mathrm{out}}$, because something else will be added to it. Of $W_y$ and $b_y$ it is the part of step $t$:

$$dh_t^{\mathrm{out}} = dy_t W_y^{\top} \qquad dW_y^{(t)} = h_t^{\top} dy_t \qquad db_y^{(t)} = \sum_{\text{rows}} dy_t \tag{2.1'}$$

With shapes: (B,V) times (V,H) is (B,H), as $h_t$; (H,B) times (B,V) is (H,V), as $W_y$; and (V,), as $b_y$. The
product $h_t^{\top} dy_t$ has summed over the B rows of the batch, each of which used the same $W_y$.

### What is used twice

Now the state. $h_t$ is used in two places: in (2.1), to make $y_t$, and in (1.1) of the next step, to make
$a_{t+1}$. Move it by $\delta h_t$, and both move, and $L$ moves because of both:

$$\delta L = \langle dh_t^{\mathrm{out}}, \delta h_t \rangle + \langle dh_t^{\mathrm{next}}, \delta h_t \rangle = \langle dh_t^{\mathrm{out}} + dh_t^{\mathrm{next}}, \delta h_t \rangle$$

where $dh_t^{\mathrm{next}}$ is what comes back through $a_{t+1}$. The bracket tells us the gradient, and it
is a sum:

$$dh_t = dh_t^{\mathrm{out}} + dh_t^{\mathrm{next}}$$

You know this rule from school. In $x \cdot x$ the number $x$ is used twice. The first use has slope $x$ (the
factor beside it), and so has the second. The sum is $2x$, which is the derivative of $x^2$.

### What is used at every step

And the weights. Think for a moment that each step had its own copy of $W_h$, and that the copies could be moved
one by one: $W^{(1)}$ in step 1, $W^{(2)}$ in step 2, and so on. Let $dW_h^{(t)}$ be the gradient of the copy in
step $t$. Moving all of them moves $L$ by

$$\delta L = \sum_{t} \langle dW_h^{(t)}, \delta W^{(t)} \rangle$$

But they are one matrix. Whoever moves $W_h$ by $\delta W_h$ moves every copy by that same $\delta W_h$:

$$\delta L = \sum_{t} \langle dW_h^{(t)}, \delta W_h \rangle = \Big\langle \sum_{t} dW_h^{(t)}, \delta W_h \Big\rangle$$

So the gradient of a shared weight (權重共享 / 权重共享) is the **sum** over all places where it is used: not the mean, not
that of the last place. The same with $W_x$, $b$, $W_y$, $b_y$.

Let us try it, before we have written any backward pass. Below, the loss of a small network without bias is a
function of three copies of $W_h$. We move one entry, first in each copy alone, then in all three.
"""

# %%
rng = np.random.default_rng(0)
x, h0 = rng.standard_normal((3, 2, 4)), rng.standard_normal((2, 3))  # T = 3, B = 2, D = 4, H = 3
Wx, Wh = 0.5 * rng.standard_normal((4, 3)), 0.5 * rng.standard_normal((3, 3))
r = rng.standard_normal((2, 3))


def loss_of_copies(copies):
    """L = <r, h_3>, when every step has a matrix of its own."""
    h = h0
    for x_t, own in zip(x, copies):
        h = np.tanh(x_t @ Wx + h @ own)
    return bracket(r, h)


moved = Wh.copy()
moved[0, 1] += 1e-6
before = loss_of_copies([Wh, Wh, Wh])
slopes = []
for t in range(3):
    copies = [Wh, Wh, Wh]
    copies[t] = moved
    slopes.append((loss_of_copies(copies) - before) / 1e-6)
    print(f"only the copy in step {t + 1}  {slopes[t]:8.5f}")
print(f"their sum                {sum(slopes):8.5f}")
print(f"all three at once        {(loss_of_copies([moved] * 3) - before) / 1e-6:8.5f}")

# %% [markdown]
r"""
### The cell

**Equation (1.2)**, $h_t = \tanh(a_t)$, works on each number by itself:
$\delta h_t = \tanh'(a_t) \odot \delta a_t$. The derivative of tanh: with $z = e^{2a}$ it is
$\tanh(a) = (z-1)/(z+1)$, and $z$ has the derivative $2z$. So by the rule for quotients

$$\tanh'(a) = \frac{2z (z+1) - (z-1) 2z}{(z+1)^2} = \frac{4z}{(z+1)^2}$$

On the other hand

$$1 - \tanh^2(a) = \frac{(z+1)^2 - (z-1)^2}{(z+1)^2} = \frac{4z}{(z+1)^2}$$

They are the same: $\tanh' = 1 - \tanh^2 = 1 - h_t^2$. Of $a_t$ itself nothing is needed any more. And so
$\langle dh_t, (1-h_t^2) \odot \delta a_t \rangle = \langle dh_t \odot (1-h_t^2), \delta a_t \rangle$, which says

$$da_t = dh_t \odot (1 - h_t^2) \tag{1.2'}$$

Mind that $dh_t$ must be complete here, both parts added.

**Equation (1.1)**, $a_t = x_t W_x + h_{t-1} W_h + b$, is two products and a bias, and we have done such a line:

$$\delta a_t = (\delta x_t) W_x + x_t (\delta W_x) + (\delta h_{t-1}) W_h + h_{t-1} (\delta W_h) + [\delta b]$$

Five terms, five gradients. One goes to the step before:

$$dh_{t-1}^{\mathrm{next}} = da_t W_h^{\top} \tag{1.1'}$$

One goes to the input, and three are the parts of step $t$ in the weights:

$$dx_t = da_t W_x^{\top}$$

$$dW_x^{(t)} = x_t^{\top} da_t \qquad dW_h^{(t)} = h_{t-1}^{\top} da_t \qquad db^{(t)} = \sum_{\text{rows}} da_t$$

Shapes: (B,H) times (H,H) is (B,H), as $h_{t-1}$; (B,H) times (H,D) is (B,D), as $x_t$; (D,B) times (B,H) is
(D,H), as $W_x$; (H,B) times (B,H) is (H,H), as $W_h$. Mind the index in $dW_h^{(t)}$: it is $h_{t-1}$, the
state that $W_h$ was multiplied with, and not $h_t$.

### Three steps, every line of them

Here is all that happens with T = 3. Forward, from top to bottom:

| | step 1 | step 2 | step 3 |
|---|---|---|---|
| (1.1) | $a_1 = x_1 W_x + h_0 W_h + b$ | $a_2 = x_2 W_x + h_1 W_h + b$ | $a_3 = x_3 W_x + h_2 W_h + b$ |
| (1.2) | $h_1 = \tanh(a_1)$ | $h_2 = \tanh(a_2)$ | $h_3 = \tanh(a_3)$ |
| (2.1) | $y_1 = h_1 W_y + b_y$ | $y_2 = h_2 W_y + b_y$ | $y_3 = h_3 W_y + b_y$ |

Backward, we begin with $dy_1$, $dy_2$, $dy_3$ from the loss, and with step 3. No step comes after it, so its state
has been used only once:

$$dh_3 = dy_3 W_y^{\top}$$

$$da_3 = dh_3 \odot (1 - h_3^2)$$

Step 2. Its state has been used twice, in $y_2$ and in $a_3$:

$$dh_2 = dy_2 W_y^{\top} + da_3 W_h^{\top}$$

$$da_2 = dh_2 \odot (1 - h_2^2)$$

Step 1, in the same way:

$$dh_1 = dy_1 W_y^{\top} + da_2 W_h^{\top}$$

$$da_1 = dh_1 \odot (1 - h_1^2)$$

And what comes out at the other end, $dh_0 = da_1 W_h^{\top}$. It is not to be thrown away: in an
encoder-decoder, $h_0$ of the decoder *is* $h_T$ of the encoder, and this is how the encoder learns.

The weights were used three times each. The parts are added:

$$dW_y = h_3^{\top} dy_3 + h_2^{\top} dy_2 + h_1^{\top} dy_1$$

$$dW_x = x_3^{\top} da_3 + x_2^{\top} da_2 + x_1^{\top} da_1$$

$$dW_h = h_2^{\top} da_3 + h_1^{\top} da_2 + h_0^{\top} da_1$$

and in the same way $db_y$ and $db$.

### T steps

Nothing in this depended on there being three. For $t = T, T-1, \ldots, 1$, with $dh_T^{\mathrm{next}} = 0$:

$$dh_t = dy_t W_y^{\top} + dh_t^{\mathrm{next}}$$

$$da_t = dh_t \odot (1 - h_t^2)$$

$$dh_{t-1}^{\mathrm{next}} = da_t W_h^{\top} \qquad dx_t = da_t W_x^{\top}$$

and along the way, starting from 0,

$$dW_y = \sum_{t} h_t^{\top} dy_t \qquad dW_x = \sum_{t} x_t^{\top} da_t \qquad dW_h = \sum_{t} h_{t-1}^{\top} da_t$$

$$db_y = \sum_{t} \sum_{\text{rows}} dy_t \qquad db = \sum_{t} \sum_{\text{rows}} da_t$$

This is backpropagation through time (隨時間反向傳播 / 随时间反向传播).

### Why in this order

Why from the last step to the first? Because $da_t$ needs the *complete* $dh_t$, and $dh_t$ is complete only
when everything that used $h_t$ has been taken back. Whatever uses a value is computed after it. So in the
reverse of the order of computing, all users of a value have had their turn when its own turn comes. That
holds for every network.

Why backwards at all? One could carry a change forward: move one weight, see what becomes of $L$. That takes
one run of the network for each weight. Backwards, each product $XW$ of the forward pass costs two products,
$dY W^{\top}$ and $X^{\top} dY$, so the way back is about twice as much work as the way forward: three runs'
worth in all, for *all* the weights. The model of 000 has 5,170 weights in `minis2s` (they are counted below),
and one training step either takes the work of 5,171 runs or that of three.

That is possible because ways are shared. From $h_1$ there are many ways to the loss: through $y_1$, through $h_2$
and $y_2$, through $h_2$, $h_3$ and $y_3$. Where they join, at $h_2$ for instance, what comes back is added *once*,
and the sum goes on as one array. No way is walked twice.

### The recipe

So this is how to write the backward pass of anything:

1. Write the forward pass in small lines, one operation each.
2. Keep what stood on the right-hand sides, as far as the way back needs it: the cache (快取 / 缓存).
3. Go through the lines in reverse order. At each, turn the gradient of the left side into gradients of everything
   on the right.
4. What is used in several places starts from 0, and every use *adds* to it.
5. Compare shapes: $dX$ has the shape of $X$. Most slips end here.
6. Check it against finite differences. The others end here.

For step 3, a table. The last column says what to put into the bracket $\langle dy, \delta y \rangle$, or
which law to use there. Look for the symmetry between the first two.

| forward | backward | because |
|---|---|---|
| $y = \varphi(x)$, each number by itself | $dx = dy \odot \varphi'(x)$ | $\delta y = \varphi'(x) \odot \delta x$, first law |
| $y = u + v$ | $du = dy$ and $dv = dy$ | $\delta y = \delta u + \delta v$ |
| $y = u \odot v$ | $du = dy \odot v$ and $dv = dy \odot u$ | $\delta y = v \odot \delta u + u \odot \delta v$, first law |
| $Y = X W$ | $dX = dY W^{\top}$ and $dW = X^{\top} dY$ | $\delta Y = (\delta X) W + X (\delta W)$, second law |
| $x$ goes to several places | $dx$ is the sum of what comes back from them | all of them move, and the changes of $L$ add up |
| $v$ is added to every row | $dv$ is the sum over the rows | third law |
| $y$ is the sum of the rows of $X$ | every row of $dX$ is $dy$ | third law, read from right to left |
| pieces are put side by side | the gradient is cut into these pieces | a bracket is the sum of its pieces' brackets |
| an array is cut into pieces | their gradients are put side by side | the same |
| a choice is made, such as the likeliest word | nothing goes back through a choice | small changes do not change the choice |

### What is kept

| line | on the way back it needs |
|---|---|
| (2.1) | $h_t$, for $dW_y$; the weights $W_y$ |
| (1.2) | $h_t$, for $1 - h_t^2$ |
| (1.1) | $x_t$ and $h_{t-1}$, for $dW_x$ and $dW_h$; the weights |

So the cache is: the inputs, and all states $h_0 \ldots h_T$. The states have to be kept for *every* step
until the way back has passed it. That is the price of backpropagation through time: memory that grows with T.
(Exercise 5 is about paying less.) Two rules for caches save much grief. A cache holds what was *used*: if the
weights are changed between the way there and the way back, the gradient is that of no function at all. And a
cache belongs to one call, not to the layer: an encoder that reads two sentences before anything is taken back
must not overwrite the first cache with the second.

### Vanishing and exploding

Follow one gradient back along the states alone. One step, by (1.2') and (1.1'), is

$$dh_{t-1}^{\mathrm{next}} = (dh_t \odot (1 - h_t^2)) W_h^{\top}$$

How long can the result be? (The length of an array is the square root of the sum of its squares.) Let
$\gamma$ be the largest of the numbers $1 - h_t^2$, at most 1. Multiplying each entry by at most $\gamma$
makes an array at most $\gamma$ times as long. And let $\sigma$ be the largest factor by which $W_h^{\top}$
stretches any vector. Then one step back multiplies the length by at most $\gamma \sigma$. If no output adds
anything on the way, then after $k$ steps, with the largest $\gamma$ of them all,

$$\lVert dh_{t-k}^{\mathrm{next}} \rVert \le (\gamma \sigma)^k \lVert dh_t \rVert$$

If $\gamma\sigma$ is below 1, this goes to 0, and fast: $0.9^{50} \approx 0.005$. The gradient vanishes
(梯度消失). What happened fifty steps ago can then hardly be learnt from, however important it was. This is behind
001's 長期依賴問題. If $\gamma\sigma$ is above 1, the bound promises nothing, and the length *may* grow, just as
fast: $1.1^{50} \approx 117$. The gradient explodes (梯度爆炸). The two are one fact: the same matrix again and
again is a power, and high powers are seldom near 1.

What can be done? Against exploding, there is clipping, under *Worth a look*. Against vanishing, another cell:
chapters 3 and 4. And attention (chapter 9), which makes the way shorter.
"""

# %% [markdown]
r"""
## By hand

Forward, one line an equation:
"""


# %%
def network_forward(x, h0, Wx, Wh, b, Wy, by):
    """x (T,B,D), h0 (B,H) -> ys (T,B,V), cache"""
    h, hs, ys = h0, [h0], []
    for x_t in x:
        a = x_t @ Wx + h @ Wh + b  # (1.1)  (B,H)
        h = np.tanh(a)  # (1.2)  (B,H)
        y = h @ Wy + by  # (2.1)  (B,V)
        hs.append(h)
        ys.append(y)
    return np.stack(ys), (x, np.stack(hs))


# %% [markdown]
r"""
Backward, the same lines from the bottom to the top. Compare each with its formula above.
"""


# %%
def network_backward(dys, cache, Wx, Wh, Wy):
    """dys (T,B,V) -> the gradients of x, h0, Wx, Wh, b, Wy, by"""
    x, hs = cache
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    db, dby = np.zeros(Wh.shape[1]), np.zeros(Wy.shape[1])
    dx, dh_next = np.zeros_like(x), np.zeros_like(hs[0])  # nothing comes from a step T+1
    for t in reversed(range(len(x))):
        h_prev, h = hs[t], hs[t + 1]
        dWy += h.T @ dys[t]  # (2.1)'  (H,V)
        dby += dys[t].sum(axis=0)  # (V,)
        dh = dys[t] @ Wy.T + dh_next  # (B,H)  h is used twice: sum
        da = dh * (1 - h**2)  # (1.2)'  (B,H)
        dWx += x[t].T @ da  # (1.1)'  (D,H)
        dWh += h_prev.T @ da  # (H,H)
        db += da.sum(axis=0)  # (H,)
        dx[t] = da @ Wx.T  # (B,D)
        dh_next = da @ Wh.T  # (B,H)
    return dx, dh_next, dWx, dWh, db, dWy, dby


# %% [markdown]
r"""
Each `+=` is a sum over time; each `.T @` and `.sum(axis=0)` is a sum over the batch; the one `+ dh_next` is the
sum of the two uses of a state. Last the loss:
"""


# %%
def mean_squared_error(ys, target):
    """ys, target (T,B,V) -> loss, dys (T,B,V)"""
    loss = ((ys - target) ** 2).mean()  # (5.4)
    return loss, 2 / ys.size * (ys - target)  # (5.4)'


# %% [markdown]
r"""
## With a pencil

Two steps by hand, with B = D = H = V = 1, so that every array is a number. Above we had
$\tanh(a) = (z-1)/(z+1)$ with $z = e^{2a}$. So the tanh is easy at $a = \tfrac12 \ln z$:

$$\tanh(\tfrac12 \ln 3) = 0.5 \qquad \tanh(\ln 3) = \tanh(\tfrac12 \ln 9) = 0.8$$

Take $W_x = \tfrac12 \ln 3$, $W_h = \ln 3$, $b = 0$; $W_y = 2$, $b_y = 0$; $h_0 = 0.5$; $x_1 = 1$,
$x_2 = -0.6$. The targets are 1.2 and 0.5.

**Forward.**

| | $a_t = x_t W_x + h_{t-1} W_h$ | $h_t$ | $y_t = 2 h_t$ | $y_t - \mathrm{target}_t$ |
|---|---|---|---|---|
| step 1 | $(1 + 2 \cdot 0.5) \cdot \tfrac12 \ln 3 = \ln 3$ | **0.8** | 1.6 | 0.4 |
| step 2 | $(-0.6 + 2 \cdot 0.8) \cdot \tfrac12 \ln 3 = \tfrac12 \ln 3$ | **0.5** | 1.0 | 0.5 |

The loss is the mean of two squares, $L = \tfrac12 (0.4^2 + 0.5^2) = 0.205$. The factor in (5.4') is
$2/(TBV) = 1$, so $dy_1 = 0.4$ and $dy_2 = 0.5$.

**Backward, step 2.** No step 3, so $dh_2^{\mathrm{next}} = 0$.

- $dh_2 = 0.5 \cdot 2 + 0 = 1$
- $da_2 = 1 \cdot (1 - 0.5^2) = 0.75$
- parts of step 2: $dW_y$: $0.5 \cdot 0.5 = 0.25$; $dW_x$: $-0.6 \cdot 0.75 = -0.45$; $dW_h$:
  $h_1 \cdot 0.75 = 0.8 \cdot 0.75 = 0.6$; $db$: 0.75
- to step 1: $dh_1^{\mathrm{next}} = 0.75 \ln 3 = 0.8240$

**Backward, step 1.**

- $dh_1 = 0.4 \cdot 2 + 0.8240 = 1.6240$: here are the two uses of $h_1$
- $da_1 = 1.6240 \cdot (1 - 0.8^2) = 0.5846$
- parts of step 1: $dW_y$: $0.8 \cdot 0.4 = 0.32$; $dW_x$: $1 \cdot 0.5846$; $dW_h$:
  $h_0 \cdot 0.5846 = 0.2923$; $db$: 0.5846
- to the left: $dh_0 = 0.5846 \ln 3 = 0.6423$

**The sums.** $dW_y = 0.25 + 0.32 = 0.57$, $dW_x = -0.45 + 0.5846 = 0.1346$, $dW_h = 0.6 + 0.2923 = 0.8923$,
$db = 0.75 + 0.5846 = 1.3346$, $db_y = 0.5 + 0.4 = 0.9$.

The same by the functions above:
"""

# %%
ln3 = np.log(3)
pencil_weights = {"Wx": [[ln3 / 2]], "Wh": [[ln3]], "b": [0.0], "Wy": [[2.0]], "by": [0.0]}
weights = {name: np.array(value) for name, value in pencil_weights.items()}
x, h0 = np.array([1, -0.6]).reshape(2, 1, 1), np.array([[0.5]])  # (T,B,D), (B,H)
target = np.array([1.2, 0.5]).reshape(2, 1, 1)

ys, cache = network_forward(x, h0, **weights)
loss, dys = mean_squared_error(ys, target)
Wx, Wh, Wy = weights["Wx"], weights["Wh"], weights["Wy"]
dx, dh0, dWx, dWh, db, dWy, dby = network_backward(dys, cache, Wx, Wh, Wy)

pencil = {"loss": (0.205, loss), "dWy": (0.57, dWy), "dby": (0.9, dby), "dWx": (0.1346, dWx)}
pencil |= {"dWh": (0.8923, dWh), "db": (1.3346, db), "dh0": (0.6423, dh0)}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.item(), by_pencil, atol=1e-4)
    print(f"{name:4}  pencil {by_pencil:.4f}  computed {computed.item():.4f}")

# %% [markdown]
r"""
## The gradient check

The gradient check (梯度檢查 / 梯度检查) is the second half of this chapter. It compares the backward pass with
something that cannot share its mistakes.

### Ask the forward pass

By pencil $dW_h = 0.8923$. The claim is: where $W_h$ is moved by a little, $L$ moves by 0.8923 times as much.
Whether this is so can be tried, and trying needs only the forward pass, which is much harder to get wrong.
"""


# %%
def loss_at(w):
    """The pencil's loss, with another Wh."""
    ys, _ = network_forward(x, h0, **(weights | {"Wh": np.array([[w]])}))
    return mean_squared_error(ys, target)[0]


w, eps = Wh.item(), 1e-5
print(f"backward            {dWh.item():.10f}")
print(f"forward difference  {(loss_at(w + eps) - loss_at(w)) / eps:.10f}")
print(f"central difference  {(loss_at(w + eps) - loss_at(w - eps)) / (2 * eps):.10f}")

# %% [markdown]
r"""
Both are finite differences (有限差分). The forward difference (前向差分) is off by eight in the sixth decimal place,
the central one (中心差分) by one in the tenth. Why is that, and why is the step size (步長 / 步长) $10^{-5}$?

### How far to move

Around $w$, a smooth function is

$$L(w + \varepsilon) = L + \varepsilon L' + \frac{\varepsilon^2}{2} L'' + \frac{\varepsilon^3}{6} L''' + \cdots$$

Take $L(w)$ away and divide by $\varepsilon$, and the forward difference is

$$\frac{L(w + \varepsilon) - L(w)}{\varepsilon} = L' + \frac{\varepsilon}{2} L'' + \cdots$$

It errs by about $\varepsilon$ times something. With $-\varepsilon$ in place of $\varepsilon$ the terms with
odd powers change their sign. So in $L(w+\varepsilon) - L(w-\varepsilon)$ the even ones drop out, and the
central difference is

$$\frac{L(w + \varepsilon) - L(w - \varepsilon)}{2\varepsilon} = L' + \frac{\varepsilon^2}{6} L''' + \cdots$$

It errs by about $\varepsilon^2$ times something, for one more run of the forward pass. What is left out here
is called the truncation error (截斷誤差 / 截断误差), and to make it small we would make $\varepsilon$ as small as we
can.

But a computer rounds. In float64 a number has about 16 digits; it is off by up to a share of
$u = 2^{-53} \approx 10^{-16}$ of itself. Two values of $L$ that agree in their first ten digits leave six
when one is taken from the other. What remains of the rounding is about $u \lvert L \rvert$, and it is divided
by $\varepsilon$: the rounding error (捨入誤差 / 舍入误差) is about $u \lvert L \rvert / \varepsilon$, and to make it
small we would make $\varepsilon$ large.

The best is in between. For the central difference, the two together are

$$e(\varepsilon) = \frac{u \lvert L \rvert}{\varepsilon} + \frac{\varepsilon^2}{6} \lvert L''' \rvert$$

This is smallest where its derivative is 0,
$-u \lvert L \rvert / \varepsilon^2 + \varepsilon \lvert L''' \rvert / 3 = 0$, that is at
$\varepsilon^3 = 3 u \lvert L \rvert / \lvert L''' \rvert$. If $L$ and $L'''$ are of about the same size, that
is some $u^{1/3} \approx 5 \cdot 10^{-6}$, and the error left there is about
$u^{2/3} \approx 2 \cdot 10^{-11}$. For the forward difference, the same argument with
$\tfrac{\varepsilon}{2} \lvert L'' \rvert$ gives $\varepsilon \approx u^{1/2} \approx 10^{-8}$, and an error
of about $10^{-8}$ as well.

In float32, $u = 2^{-24} \approx 6 \cdot 10^{-8}$: the best $\varepsilon$ is near
$u^{1/3} \approx 4 \cdot 10^{-3}$, and the error about $10^{-5}$, at best.

So much for theory. Here is a larger network, with random weights; all slopes by the cell's weights at once,
for many $\varepsilon$, against `network_backward`. Its loss is $\langle r, y \rangle$ with random $r$; why,
we shall see soon.
"""

# %%
rng = np.random.default_rng(0)
T, B, D, H, V = 4, 3, 5, 2, 6
shapes = {"Wx": (D, H), "Wh": (H, H), "b": (H,), "Wy": (H, V), "by": (V,)}
weights = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
x, h0 = rng.standard_normal((T, B, D)), rng.standard_normal((B, H))
r = rng.standard_normal((T, B, V))
_, cache = network_forward(x, h0, **weights)
_, _, dWx, dWh, db, _, _ = network_backward(r, cache, weights["Wx"], weights["Wh"], weights["Wy"])
truth = np.concatenate([dWx.ravel(), dWh.ravel(), db])


def difference_error(eps, central, dtype):
    """How far differences are from the gradient, relative to its length, computed in dtype."""
    own = {name: array.astype(dtype) for name, array in weights.items()}
    inputs, r_own, eps = (x.astype(dtype), h0.astype(dtype)), r.astype(dtype), dtype(eps)
    slopes = []
    for array in (own["Wx"], own["Wh"], own["b"]):
        for index in np.ndindex(array.shape):
            value, found = array[index], []
            for moved in (value + eps, value - eps if central else value):
                array[index] = moved
                found.append((r_own * network_forward(*inputs, **own)[0]).sum())
            array[index] = value
            slopes.append((found[0] - found[1]) / (2 * eps if central else eps))
    return np.linalg.norm(np.array(slopes, dtype="float64") - truth) / np.linalg.norm(truth)


curves = {
    "float64, forward": (False, np.float64),
    "float64, central": (True, np.float64),
    "float32, central": (True, np.float32),
}
epsilons = 10.0 ** np.arange(-13, 0.1, 0.5)
errors = {name: [difference_error(eps, *how) for eps in epsilons] for name, how in curves.items()}
for name, curve in errors.items():
    best = int(np.argmin(curve))
    print(f"{name}: best at eps = {epsilons[best]:.0e}, error {curve[best]:.0e}")

# %%
with drawing((7, 3.8)) as figure:
    ax = figure.add_subplot()
    for number, (name, curve) in enumerate(errors.items()):
        look = {"color": COLOURS[number], "linestyle": DASHES[number], "marker": MARKERS[number]}
        ax.plot(np.log10(epsilons), curve, label=name, **look)
    logarithmic(ax, [1e-12, 1])
    ax.set(xlabel="log₁₀ ε", ylabel="relative error of the difference", ylim=(1e-12, 100))
    ax.set_title("Too small is as bad as too large")
    ax.grid()
    ax.legend(loc="lower left")
figure

# %% [markdown]
r"""
Three curves like the letter V, on two logarithmic scales. Read each from the right. First the truncation
error falls, by one decade a decade for the forward difference, by two for the central one. Then, on the left,
the rounding error rises, about a decade a decade. (In float32 it ends at 1: where $\varepsilon$ is below
$10^{-8}$ the move is rounded away, and the difference is 0.) The best $\varepsilon$ are about where theory
has them.

In float32 not even five digits can be had. A gradient that is wrong by a hundred-thousandth looks there like
one that is right. So the check of `minis2s` takes central differences at $\varepsilon = 10^{-5}$, and float64
or nothing:
"""


# %%
class Network:
    """network_forward as a layer.  x (T,B,D), h0 (B,H) -> ys (T,B,V), cache"""

    backward_pass = staticmethod(network_backward)

    def __init__(self, D, H, V, rng):
        shapes = {"Wx": (D, H), "Wh": (H, H), "b": (H,), "Wy": (H, V), "by": (V,)}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x, h0):
        return network_forward(x, h0, **self.params)

    def backward(self, dys, cache):
        Wx, Wh, Wy = (self.params[name] for name in ("Wx", "Wh", "Wy"))
        dx, dh0, *dparams = self.backward_pass(dys, cache, Wx, Wh, Wy)
        for grad, part in zip(self.grads.values(), dparams):
            grad += part
        return dx, dh0


try:
    gradcheck(Network(D, H, V, np.random.default_rng(0)), x.astype("float32"), h0)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
### How large is a large error?

We have a slope $a$ from the backward pass and a slope $n$ from differences. Are they the same? Their
difference alone does not say: 0.0001 is nothing beside 1000, and a lot beside 0.0003. So it is compared with
the larger of them, which is the relative error (相對誤差 / 相对误差):

$$\frac{\lvert a - n \rvert}{\max(\lvert a \rvert, \lvert n \rvert)}$$

This in turn is too strict where the gradient is 0. Differences are seldom exactly 0; they come out as
$10^{-12}$ or so, of rounding alone, and $10^{-12}$ beside 0 is a relative error of 1. So there is a floor
(`FLOOR`) below which errors are taken absolutely:

$$\frac{\lvert a - n \rvert}{\max(\lvert a \rvert, \lvert n \rvert, \mathrm{floor})}$$
"""

# %%
print(f"step {STEP}, tolerance {TOLERANCE}, floor {FLOOR}")
print("   backward    difference   absolute   relative   with floor")
for a, n in ((1234.5678, 1234.5677), (2e-7, 3e-7), (0, 3e-12)):
    off, size = abs(a - n), max(abs(a), abs(n))
    error = off / max(size, FLOOR)
    verdict = "pass" if error <= TOLERANCE else "FAIL"
    print(f"{a:11.8g} {n:13.8g} {off:10.0e} {off / size:10.0e} {error:10.0e}  {verdict}")

# %% [markdown]
r"""
The first looks bad and is not. The second looks good, and is wrong by a third. The third is rounding. The
floor has a price: among gradients below 0.001, errors below $10^{-9}$ go unseen. Differences, with errors of
$10^{-11}$ of their own, could not do much better.

### Many outputs, one number

Differences need a loss, one number. A layer has many outputs. It is tempting to take their sum, that is to
hand `backward` an upstream gradient (上游梯度) of ones. Do not. Here is the softmax, the function at the end of
most networks for words; chapter 5 has its derivation. All that matters here is that its outputs sum up to 1.
And here is a backward pass for it that is wrong by a factor of 3.
"""


# %%
class WrongSoftmax:
    params, grads = {}, {}

    def forward(self, x):
        y = softmax(x)
        return y, y

    def backward(self, dy, y):
        return 3 * softmax_backward(dy, y)


logits = np.random.default_rng(0).standard_normal((2, 5))
y = softmax(logits)
dlogits = WrongSoftmax().backward(np.ones_like(y), y)
raised = logits.copy()
raised[0, 0] += 1e-5
moved = softmax(raised).sum() - y.sum()
print(f"upstream ones: the largest number that backward returns is {np.abs(dlogits).max():.0e}")
print(f"one logit raised: the sum of the outputs changes by {abs(moved):.0e}")

# %% [markdown]
r"""
Whatever goes in, the sum of each row is 1. Its slope is 0, and 3 times 0 is 0: the check agrees. It would
agree with a backward pass that returned nothing but zeros. With random numbers $r$ instead,
$L = \langle r, y \rangle$, every output counts, and none like another:
"""

# %%
print(gradcheck(WrongSoftmax(), logits))

# %% [markdown]
r"""
### The check

`gradcheck` puts this together. It takes any class that has `params`, `grads`, `forward` and `backward`; it
draws $r$, calls `backward` once, and compares *every* number in it with a central difference. Our network:
"""

# %%
network = Network(D, H, V, np.random.default_rng(0))
print(gradcheck(network, x, h0))

# %% [markdown]
r"""
Every row passes. The third column is the largest relative error in that array. It may be $10^{-6}$; what we
see is the error of the differences, not ours.

### Does it notice?

A test that has never failed proves little. So let us break the backward pass on purpose. Each row below is a
mistake that people make, as the replacement of a few characters in `network_backward`. (The library's own
tests do the same with every layer, in [planted.py](../tests/planted.py).)
"""

# %%
MISTAKES = {
    "everything twice as large": ("da = dh * (1 - h**2)", "da = 2 * dh * (1 - h**2)"),
    "tanh' from the state before": ("(1 - h**2)", "(1 - h_prev**2)"),
    "nothing comes back from step t+1": (" + dh_next", ""),
    "dWh replaced, not added to": ("dWh += ", "dWh = "),
    "mean over the batch, not sum": ("db += da.sum(axis=0)", "db += da.mean(axis=0)"),
    "Wh not transposed": ("da @ Wh.T", "da @ Wh"),
    "h0 taken to be 0": ("dWh += ", "dWh += (t > 0) * "),
    "dys from the wrong end": ("dh = dys[t]", "dh = dys[-1 - t]"),
}
SOURCE = inspect.getsource(network_backward)


def with_mistake(name):
    """network_backward with that mistake in it."""
    right, wrong = MISTAKES[name]
    assert SOURCE.count(right) == 1
    namespace = {"np": np}
    exec(SOURCE.replace(right, wrong), namespace)
    return namespace["network_backward"]


network.backward_pass = with_mistake("dWh replaced, not added to")
print(gradcheck(network, x, h0))

# %% [markdown]
r"""
The check fails in one row, and names the worst entry of it, with what we have there and what should be there. The
other rows pass, and that is a help too: all that $dW_h$ is made of must be right.

A check can be poor as well. Here are all eight mistakes, against a check as it should be, and against five
that somebody was in a hurry with: only one step, only one sequence, a state of one number, a starting state
of zeros, and an upstream gradient of ones. A dash means that the mistake went through.
"""


# %%
class SumOfOutputs(Network):
    """The sum of all outputs: so the upstream gradient is the same everywhere."""

    def forward(self, x, h0):
        ys, cache = super().forward(x, h0)
        return ys.sum(), (cache, np.ones_like(ys))

    def backward(self, dsum, cache):
        cache, ones = cache
        return super().backward(dsum * ones, cache)


def passes(backward_pass, T=4, B=3, H=2, h0=1.0, kind=Network):
    rng = np.random.default_rng(0)
    network = kind(D, H, V, rng)
    network.backward_pass = backward_pass
    x, start = rng.standard_normal((T, B, D)), h0 * rng.standard_normal((B, H))
    return gradcheck(network, x, start).passed


CHECKS = {
    "good": {}, "T = 1": {"T": 1}, "B = 1": {"B": 1}, "H = 1": {"H": 1}, "h0 = 0": {"h0": 0.0},
    "ones": {"kind": SumOfOutputs},
}  # fmt: skip
print(f"{'':34}", *[f"{name:>7}" for name in CHECKS])
for mistake in MISTAKES:
    wrong = with_mistake(mistake)
    verdicts = ["-" if passes(wrong, **how) else "caught" for how in CHECKS.values()]
    print(f"{mistake:34}", *[f"{verdict:>7}" for verdict in verdicts])
right = ["passes" if passes(network_backward, **how) else "FAILS" for how in CHECKS.values()]
print(f"{'the right one':34}", *[f"{verdict:>7}" for verdict in right])

# %% [markdown]
r"""
The good check catches all. Each of the poor ones lets something through that is a serious mistake:

- **T = 1** sees nothing of what has to do with time, which is three of the eight.
- **B = 1** cannot tell a mean over the batch from a sum.
- **H = 1** cannot tell a matrix from its transpose.
- **h0 = 0** hides whatever is multiplied by $h_0$.
- **Ones** hide that gradients were handed out in the wrong order: all are the same.

Let the sizes differ from each other, too. Then a wrong axis mostly does not get as far as the check: NumPy stops,
because the shapes do not fit.

### Two runs, whatever the size

One thing is wrong with differences: to check every number takes two runs of the forward pass for each. With five
thousand weights that is slow, with five million it is out of the question. But look again at the definition:

$$\delta L = \langle dX, \delta X \rangle$$

It holds for *any* small $\delta X$, not only for single entries. So draw one random array $d$ of the shape of
$X$, and move everything at once, $\delta X = \varepsilon d$. Then it must be that

$$\frac{L(X + \varepsilon d) - L(X - \varepsilon d)}{2 \varepsilon} \approx \langle dX, d \rangle$$

On the left is the slope along $d$, the directional derivative (方向導數 / 方向导数): two runs. On the right is what
`backward` says of it. If $dX$ is wrong by an array $E$, the two sides differ by $\langle E, d \rangle$, and
that is 0 only if $d$ happens to be at a right angle to $E$. For a random $d$ the probability of that is 0.

The HIPS autograd package checks its gradients in this way (`check_vjp` in
[test_util.py](https://github.com/HIPS/autograd/blob/master/autograd/test_util.py)), and so does `gradcheck` with
`every_entry=False`. Here is the model of 000, all of it. We count the runs.
"""


# %%
class Counting(SignalSeq2Seq):
    runs = 0

    def forward(self, source, lengths, y):
        self.runs += 1
        return super().forward(source, lengths, y)


rng = np.random.default_rng(0)
model = Counting(document("000"), rng, "float64")
source, fed = rng.standard_normal((2, 3, 5, 10))  # (T,B,D) each
print(gradcheck(model, source, None, fed, every_entry=False))  # None: no lengths
inputs = source.size + fed.size
print(f"{model.size:,} weights and {inputs} inputs, {model.runs} runs of the forward pass;")
print(f"every entry by itself would take {1 + 2 * (model.size + inputs):,}")

# %% [markdown]
r"""
Of the 21 runs, one is for the cache, and two are for each of the ten arrays: one direction each, so that the
report still says *which* array is wrong. It does not say where in it. And an error in one entry has to be
seen beside all the others:
"""

# %%
rng = np.random.default_rng(0)
gradient = rng.standard_normal((1000, 1000))  # of L = <gradient, X>, which is exact for any step
d = rng.standard_normal(gradient.shape)
numeric = (gradient * d).sum()
for off in (1.0, 0.01, 0.0001):
    wrong = gradient.copy()
    wrong[123, 456] += off  # one entry of a million
    analytic = (wrong * d).sum()
    error = abs(analytic - numeric) / max(abs(analytic), abs(numeric))
    print(f"one entry of a million off by {off}: relative error {error:.0e}")

# %% [markdown]
r"""
An error of 1 in a single entry of a million is seen easily, one of 0.0001 is lost below the tolerance of
$10^{-6}$. So check every entry of every layer, at small sizes, and a direction in large models.

### The command line

```
minis2s gradcheck            # every layer with every option
minis2s gradcheck linear     # one layer
```

The first takes the whole table of layers and models in [cases.py](../minis2s/cases.py); it is what to run after
changing anything. The second prints this:
"""

# %%
status = main(["gradcheck", "linear"])

# %%
print(len({case.key for case in cases()}), "kinds of layers and models,", len(cases()), "cases")

# %% [markdown]
r"""
## The same from minis2s

The library has the cell with its loop as `RNN`, the output layer as `Linear` and the loss as
`MeanSquaredError`. Give them our weights, and they give our numbers, forward and backward.
"""

# %%
rnn = RNN(D, H, np.random.default_rng(1), dtype="float64")
output = Linear(H, V, np.random.default_rng(1), dtype="float64")
criterion = MeanSquaredError()
rnn.load({name: weights[name] for name in ("Wx", "Wh", "b")})
output.load({"W": weights["Wy"], "b": weights["by"]})
target = np.random.default_rng(2).standard_normal((T, B, V))

(hs, hT), rnn_cache = rnn.forward(x, (h0,))  # (1.1), (1.2)
their_ys, output_cache = output.forward(hs)  # (2.1)
their_loss, loss_cache = criterion.forward(their_ys, target)  # (5.4)
their_dys, _ = criterion.backward(1.0, loss_cache)  # (5.4)'
dhs = output.backward(their_dys, output_cache)  # (2.1)'
their_dx, (their_dh0,) = rnn.backward(dhs, None, rnn_cache)  # (1.2)', (1.1)'

ys, cache = network_forward(x, h0, **weights)
loss, dys = mean_squared_error(ys, target)
dx, dh0, *dweights = network_backward(dys, cache, weights["Wx"], weights["Wh"], weights["Wy"])
theirs = [their_loss, their_ys, their_dys, their_dx, their_dh0]
theirs += [*rnn.grads.values(), *output.grads.values()]
names = ["loss", "ys", "dys", "dx", "dh0", "dWx", "dWh", "db", "dWy", "dby"]
for name, own, their in zip(names, [loss, ys, dys, dx, dh0, *dweights], theirs):
    np.testing.assert_allclose(their, own, rtol=1e-10, atol=1e-12)
    print(f"{name:4} {np.shape(own)!s:10} the same")

# %% [markdown]
r"""
This is the library's loop over time. It serves the RNN, the LSTM and the GRU alike; what a single step does
is each cell's own affair.
"""

# %%
print(inspect.getsource(Recurrent.backward))

# %% [markdown]
r"""
You will recognise the sum in the line that says so. What is new: `reverse` and `lengths` (the branch with
`carry`) belong to chapter 6; `flush` rounds to 0 what has vanished, because processors are slow with such
tiny numbers; and the weights' gradients are not in the loop. They can wait: below each other, the rows of all
steps make one tall array, and *one* product sums over steps and rows at once. What remains in the loop is
only what has to be done one step after the other.
"""

# %%
das = np.random.default_rng(3).standard_normal((T, B, H))  # any numbers will do to see it
at_once = x.reshape(T * B, D).T @ das.reshape(T * B, H)
np.testing.assert_allclose(at_once, sum(x[t].T @ das[t] for t in range(T)))

# %% [markdown]
r"""
## Worth a look

### One loss at the end

The picture at the beginning had a loss at every step, so that every state was told something fresh. Here the loss
is at the last step only, as it is for an encoder, of which nothing is used but its last state.
"""

# %%
unrolled_graph(losses="last step")

# %% [markdown]
r"""
From right to left along the states the numbers are 0.25, 0.13, 0.05, 0.02, 0.01: about half is lost at every
step. (It need not be so even: 0.13 to 0.05 is more than half.) What $x_1$ could have done better is hardly
heard of. Now farther back:
"""

# %%
gradient_distance()

# %% [markdown]
r"""
The two plain layers, RNN, differ in nothing but the size of $W_h$. The *spectral radius* is by how much the
matrix stretches a vector at each step, if it is applied for long. At 0.6, where the library starts, the
gradient is about halved at each step, and after a hundred steps some $10^{-29}$ of it is left. At 2 it grows,
by 1.08 a step: not by 2, because $1 - h^2$ takes away nearly half. Either way it is a straight line on a
logarithmic scale, a power. The other four curves belong to chapters 3 and 4.

The dotted line says why a vanishing gradient is lost even if later steps have nothing against it: it is
*added* to the parts of other steps, and in float32 what is smaller than $6 \cdot 10^{-8}$ beside 1 changes
nothing.

### The cliff

What an exploding gradient looks like to whoever descends along it. This network has one unit,
$h_t = \tanh(w h_{t-1} + b)$, no inputs, 50 steps, and two weights, so its loss $L = (h_{50} - 0.7)^2$ can be
drawn.
"""

# %%
loss_surface()

# %% [markdown]
r"""
On the left: a high plain, a low plain, and between them a wall. Where $w$ is above 1 and $b$ is not large,
the unit has two states that it keeps, a positive one and a negative one, and $h_0$ decides which it will be.
On the edge the least change of $w$ or $b$, done again at each of 50 steps, decides. There the gradient is a
product of many factors above 1.

On the right the same from above, and two descents. The dashed one comes to the edge at its third point, where
the gradient is 30 long. The step that follows from it goes to $b = 3.0$, far off the map. There
the tanh is saturated, and the gradient is all but 0. What becomes of the two?
"""

# %%
for clip in (None, 1.0):
    places, norms = descent(steps=50, clip=clip)
    w, b = places[-1]
    (last,) = loss_and_gradient(np.array([[w]]), np.array([[b]]), 50)[0].ravel()
    said = f"L = {last:.1e}, gradient {norms[-1]:.0e}"
    print(f"clip {clip!s:5} ends at w = {w:.3f}, b = {b:.3f}: {said}")

# %% [markdown]
r"""
The first hardly moves any more, with a loss of 0.09. The second has gone down all the way. Its gradients were
clipped (梯度裁剪): if the gradient $g$, all weights together, is longer than some bound, it is made as long as
the bound (Pascanu et al. 2013).

$$g \leftarrow g \cdot \min\left(1, \frac{\mathrm{bound}}{\lVert g \rVert}\right)$$

The direction stays; only the trust in it is limited. This is what document 004 does with `clip_grad_norm_` and its
`clip = 1`. It is important that *all* weights are shortened by one factor. To clip each array, or each number,
by itself would turn the gradient into another direction.
"""

# %%
grads = {"W": np.array([[3.0, 4.0]]), "b": np.array([12.0])}
print("norm before", clip_by_global_norm(grads, 1.0))  # sqrt(9 + 16 + 144)
print("after      ", grads)  # each number divided by 13

# %% [markdown]
r"""
## The document's own code

### Five lines

The training loop (訓練循環 / 训练循环) in 000, PyTorch 實現, is without its printing

```python
optimizer.zero_grad()
outputs = model(src, tgt)
loss = criterion(outputs, tgt)
loss.backward()
optimizer.step()
```

These are the lines of nearly every PyTorch program. We can say now what each does.

- `zero_grad`: the gradient of a weight is a sum over its uses, so every use *adds*. Before the next batch,
  somebody must set the sum back to 0.
- `model(src, tgt)`: the forward pass; PyTorch keeps the caches, out of sight.
- `criterion`: one number.
- `loss.backward()`: this chapter.
- `step`: each weight takes a small step against its gradient. The simplest rule is
  $w \leftarrow w - \eta \cdot dw$ with a small learning rate (學習率 / 学习率) $\eta$. 000 uses Adam, which divides
  each step by the usual size of that weight's gradient ([optim.py](../minis2s/optim.py)).

And here they are in `minis2s`. The caches are in sight.
"""


# %%
def train_step(model, optimiser, source, target, fed):
    """One step on a batch.  source, target, fed (T,B,D) -> the loss before it"""
    model.zero_grad()  # optimizer.zero_grad()
    (outputs, _), cache = model.forward(source, None, fed)  # outputs = model(src, tgt)
    loss, loss_cache = criterion.forward(outputs, target)  # loss = criterion(outputs, tgt)
    doutputs, _ = criterion.backward(1.0, loss_cache)  # loss.backward(): its first line
    model.backward(doutputs, None, cache)  # and all the others
    optimiser.update(model.params, model.grads)  # optimizer.step()
    return float(loss)


def noise(rng, batch_size):
    """torch.randn: a source and a target, time first, (3,B,10) each."""
    return rng.standard_normal((2, 3, batch_size, 10)).astype("float32")


model = SignalSeq2Seq(document("000"), np.random.default_rng(0))
optimiser = Adam(lr=0.001)
source, target = noise(np.random.default_rng(0), batch_size=5)
for epoch in range(1, 101):
    loss = train_step(model, optimiser, source, target, fed=target)
    if epoch % 20 == 0:
        print(f"Epoch [{epoch}/100], Loss: {loss:.4f}")

# %% [markdown]
r"""
It runs, and the loss falls. As a demonstration of how the pieces fit together, 000's program is complete, and
its shapes are all right. One may ask what the model has learnt. For that, two things have to be looked at
that the program has no line for.

### What the decoder is fed

In `model(src, tgt)` the decoder is fed the target; that is teacher forcing (教師強制 / 教师强制), and as such quite
usual. But it is fed `tgt[t]` at the step at which it should say `tgt[t]`. The answer stands beside the
question. The usual way is one step late: $0, y_1, \ldots, y_{T-1}$, where the 0 stands for a beginning.

The data are noise, so we know what an honest model can achieve: nothing. The best it can do is to say 0, and
then its mean squared error is the variance of the target, 1. Let us train both ways on noise, fresh at each
step, so that there is nothing to learn by heart.
"""


# %%
def as_published(target):
    return target


def one_step_late(target):
    return np.concatenate([np.zeros_like(target[:1]), target[:-1]])


def mean_square(array):
    return float((array**2).mean())


def trained_on_noise(feed, steps=600, fresh=True, batch_size=64):
    """The model of 000 after so many steps -> model, its last loss, its last batch"""
    rng = np.random.default_rng(0)
    model, optimiser = SignalSeq2Seq(document("000"), np.random.default_rng(0)), Adam(0.01)
    source, target = noise(rng, batch_size)
    for _ in range(steps):
        if fresh:
            source, target = noise(rng, batch_size)
        loss = train_step(model, optimiser, source, target, feed(target))
    return model, loss, (source, target)


new_source, new_target = noise(np.random.default_rng(9), 2000)
print("fed             new noise   the same, source zeroed")
for feed in (as_published, one_step_late):
    model, _, _ = trained_on_noise(feed)
    (seen, _), _ = model.forward(new_source, None, feed(new_target))
    (blind, _), _ = model.forward(np.zeros_like(new_source), None, feed(new_target))
    found = mean_square(seen - new_target), mean_square(blind - new_target)
    print(f"{feed.__name__:14} {found[0]:10.4f} {found[1]:19.4f}")
print(f"the variance of the target: {mean_square(new_target):.4f}")

# %% [markdown]
r"""
Fed as published, the model "predicts" noise that it has never seen, with an error next to 0, and just as well
when its source is taken away. It copies. Fed one step late, it says what is true: nothing can be known. In
PyTorch the same comes out, 0.0024 after a thousand steps the one way, and 1 but for chance the other
([test_errata_000.py](../tests/errata/test_errata_000.py)).

Nothing in the loss or in the gradient is wrong here, mind. The gradient check passes. It says that we go down
the hill, and not that it is the right hill.

### What the model is for

The other thing is the loop that uses the model. In use there is no target to feed. Each output becomes the
next input, as 000 says in 基本架構; this is called free running (自由運行 / 自由运行). Let us take one batch of noise, as
000 does, train for long, and then run freely.
"""

# %%
print("fed             training loss   free, same batch   free, new noise")
for feed in (as_published, one_step_late):
    model, loss, (source, target) = trained_on_noise(feed, 1500, fresh=False, batch_size=5)
    same, new = model.generate(source, 3) - target, model.generate(new_source, 3) - new_target
    free = mean_square(same), mean_square(new)
    print(f"{feed.__name__:14} {loss:14.0e} {free[0]:18.2g} {free[1]:17.2f}")
print(f"saying 0, always {mean_square(target):30.2f} {mean_square(new_target):17.2f}")

# %% [markdown]
r"""
As published, the training loss is 0 to thirteen digits, and running freely the model cannot say even the five
targets that it was trained on: 0.88, where always saying 0 has 1.15. (In PyTorch 0.75 and 1.04, in the run
that the test tells of.) One step late, it can say them: it has learnt them by heart. On new noise neither is
as good as saying 0, since what they say has nothing to do with it.

So the right version needs three things: targets one step late, data in which there is something to predict,
and a look at data that were held out.

### Something to predict

Such data are in [data/signals.py](../minis2s/data/signals.py): sums of two sines, each signal with its own
frequencies and phases. The source is a signal with noise on it, the target the same without. The loop is that
of 000; here is one step of it, from [signals.py](../minis2s/signals.py):
"""

# %%
print(inspect.getsource(step))

# %% [markdown]
r"""
Two things are new (`packed` only holds all weights end to end in one array, and all gradients in another). One
is the clipping of document 004. And `teacher_forcing` is how often a
step is fed the target's value; otherwise it is fed what the model itself just said. What does it matter?
Three models, of 000's hidden size, with signals of one channel:
"""

# %%
train, held_out = signals(seed=0, count=2000), signals(seed=1, count=500)
config = document("000", input_size=1, output_size=1)
models = {}
print("teacher forcing   forced   forced, source zeroed    free")
for share in (1.0, 0.5, 0.0):
    model, scores = train_signals(config, train, held_out, epochs=15, teacher_forcing=share)
    errors = []
    for source in (held_out.source, np.zeros_like(held_out.source)):
        (ys, _), _ = model.forward(source, None, held_out.y)
        errors.append(mean_square(ys - held_out.target))
    models[share] = model
    print(f"{share:15} {errors[0]:8.3f} {errors[1]:23.3f} {scores.free_running:7.3f}")
print(f"the source as it is {scores.noisy:36.3f}\nsaying 0, always {scores.zero:39.3f}")

# %% [markdown]
r"""
All were trained for the same time, and tested on signals that none has seen. "Forced" is the error when each
step is fed the target's value before it, "free" when it is fed the model's own. Always forced, a model has
the smallest error when forced, and by far the largest when free: it would have been better to leave the noise
in. The column in the middle shows why. Take its source away, and four fifths of the variance are still told
from what it is fed. It has learnt to lean on the true values more than on the source. The model that was
never forced is nothing without its source (0.955), as it should be. Free, those that met their own outputs in
training take out some of the noise: 0.20 and 0.15 are left of 0.24. (With two other seeds for the weights the
digits differ, and the order is the same.)

Here is the same step by step: the first model, fed the target and free, and the last one, free.
"""

# %%
always, never = models[1.0], models[0.0]
steps = np.arange(1, len(held_out.target) + 1)
outputs = {
    "always forced; fed the target": always.forward(held_out.source, None, held_out.y)[0][0],
    "always forced; free": always.generate(held_out.source, len(steps)),
    "never forced; free": never.generate(held_out.source, len(steps)),
}
off = {name: (ys - held_out.target)[:, :, 0] ** 2 for name, ys in outputs.items()}  # (T,N)
order = off["always forced; free"].mean(axis=0).argsort()
shown = order[len(order) // 2]  # a signal of middling difficulty

with drawing((9, 3.6)) as figure:
    one, by_step = figure.subplots(1, 2)
    one.plot(steps, held_out.source[:, shown, 0], "x", color="0.4", label="source")
    one.plot(steps, held_out.target[:, shown, 0], color="black", linestyle="-", label="target")
    for number, (name, ys) in enumerate(outputs.items()):
        look = {"color": COLOURS[number], "linestyle": DASHES[number + 1]}
        look["marker"] = MARKERS[number]
        one.plot(steps, ys[:, shown, 0], **look)
        by_step.plot(steps, off[name].mean(axis=1), label=name, **look)
    by_step.axhline(scores.noisy, color="0.4", linewidth=0.8, linestyle=":")
    by_step.text(12, scores.noisy, "the source", ha="right", va="bottom", color="0.4")
    one.set(xlabel="step", title="One held-out signal")
    by_step.set(xlabel="step", ylim=(0, 1.2), title="Mean squared error of all 500")
    one.legend()
    by_step.legend(loc="upper left")
figure

# %% [markdown]
r"""
On the right, the two curves of the first model begin at the same place, since at step 1 both are fed 0. Fed
the target it gets better with the values that it is told; on its own it gets worse, though not evenly,
because its errors are what it is fed next. On the left, in one signal, it falls silent: what it says stays
near 0. (The signal is one of middling difficulty for this model, free: half of the 500 come out better, half
worse.) The model that was never forced is not brilliant, but it is no worse at the end than at the beginning.

So a training loss, be it ever so small, is not a result. Chapter 7 says more of teacher forcing.
"""

# %% [markdown]
r"""
### Through the outputs, too

A last look at this chapter's rule. When an output is fed back, it is used twice: by the loss, and by the next
step. So its gradient is a sum of two. That is the one line with `+=` here:
"""

# %%
print(inspect.getsource(SignalSeq2Seq.backward))

# %% [markdown]
r"""
With vectors this can be done. With words it cannot: which word is the likeliest is a choice, and nothing goes back
through a choice. What else there is to say of 000, its text about words and softmax beside its loss for vectors,
and its formulas without $y_{t-1}$, is said in chapters 5 and 7; its padding in chapters 3 and 6.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the sections above. An encoder has no output layer: what comes to its states comes from outside. Each
$h_t$ may be told something, `dhs[t]`, and the last one is told something more, `dhT`, by the decoder that
starts from it. Write its way back. In `hs` are all states, $h_0$ first.
"""


# %% exercise="rnn_backward_through_time" points=3
def rnn_backward_through_time(dhs, dhT, Wx, Wh, cache):
    """dhs (T,B,H), dhT (B,H), cache (x (T,B,D), hs (T+1,B,H)) -> dx, dh0, dWx, dWh, db"""
    raise NotImplementedError


# %%
check.rnn_backward_through_time(rnn_backward_through_time)

# %% [markdown]
r"""
### 2. Predict, then run

A plain layer with one unit and $W_h = 1.25$. Its input and its bias are such that its state is 0.6 at every
step. A loss looks at the last state. After how many steps back is, for the first time, less than a hundredth
of its gradient left? Write a whole number. Only then take away the `#` below.
"""

# %% exercise="rnn_steps_until_a_hundredth" points=1
rnn_steps_until_a_hundredth = None

# %%
check.rnn_steps_until_a_hundredth(rnn_steps_until_a_hundredth)

# %%
layer = RNN(1, 1, np.random.default_rng(0), dtype="float64")
layer.params["Wh"][...] = 1.25
layer.params["b"][...] = np.arctanh(0.6) - 1.25 * 0.6  # so that tanh(1.25 · 0.6 + b) = 0.6
_, layer_cache = layer.forward(np.zeros((30, 1, 1)), (np.array([[0.6]]),))
dh, left = np.ones((1, 1)), []
for step_cache in reversed(layer_cache.caches):
    _, (dh,) = layer.step_backward((dh,), step_cache)
    left.append(dh.item())
# print(*[f"{k}: {share:.4f}" for k, share in enumerate(left, 1)], sep="\n")

# %% [markdown]
r"""
### 3. A better difference

With four runs of the forward pass one can have

$$\frac{8 (L(w + \varepsilon) - L(w - \varepsilon)) - (L(w + 2\varepsilon) - L(w - 2\varepsilon))}{12 \varepsilon} = L' - \frac{\varepsilon^4}{30} L^{(5)} + \cdots$$

At which $\varepsilon$ is it best, in float64? Answer with the exponent: -8 for $10^{-8}$; half a power of ten
more or less will do. Then take away the `#` and look at the V.
"""

# %% exercise="exponent_of_best_step" points=1
exponent_of_best_step = None

# %%
check.exponent_of_best_step(exponent_of_best_step)

# %%
places = np.linspace(0.1, 1, 1001)
for exponent in np.arange(-7, 0, 0.5):
    eps = 10**exponent
    far, near = (np.tanh(places + n * eps) - np.tanh(places - n * eps) for n in (2, 1))
    off = (8 * near - far) / (12 * eps) - (1 - np.tanh(places) ** 2)
    # print(f"10^{exponent:4.1f}: {np.sqrt((off**2).mean()):.0e}")

# %% [markdown]
r"""
### 4. Find the planted bug

000's layers are batch first (`batch_first=True`): (B,T,D) instead of (T,B,D). Somebody has put the conversion
around our network, and has checked it, with ones. All is well. With random numbers it is not.
"""


# %%
def broken_bptt(dys, cache, Wx, Wh, Wy):
    """dys (B,T,V), cache (x (T,B,D), hs (T+1,B,H)) -> dx (B,T,D), dh0, dWx, dWh, db, dWy, dby"""
    x, hs = cache
    T, B, _ = x.shape
    dys = dys.reshape(T, B, -1)
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    db, dby = np.zeros(Wh.shape[1]), np.zeros(Wy.shape[1])
    dx, dh_next = np.zeros_like(x), np.zeros_like(hs[0])
    for t in reversed(range(T)):
        dWy += hs[t + 1].T @ dys[t]
        dby += dys[t].sum(axis=0)
        dh = dys[t] @ Wy.T + dh_next
        da = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ da
        dWh += hs[t].T @ da
        db += da.sum(axis=0)
        dx[t] = da @ Wx.T
        dh_next = da @ Wh.T
    return dx.swapaxes(0, 1), dh_next, dWx, dWh, db, dWy, dby


class BatchFirst(Network):
    """x (B,T,D), h0 (B,H) -> ys (B,T,V)"""

    backward_pass = staticmethod(broken_bptt)

    def forward(self, x, h0):
        ys, cache = super().forward(x.swapaxes(0, 1), h0)
        return ys.swapaxes(0, 1), cache


class BatchFirstSum(BatchFirst):
    """The sum of its outputs, so that the upstream gradient is the same everywhere."""

    def forward(self, x, h0):
        ys, cache = super().forward(x, h0)
        return ys.sum(), (cache, np.ones_like(ys))

    def backward(self, dsum, cache):
        cache, ones = cache
        return super().backward(dsum * ones, cache)


rng = np.random.default_rng(0)
x_batch_first, start = rng.standard_normal((B, T, D)), rng.standard_normal((B, H))
for kind in (BatchFirstSum, BatchFirst):
    print(kind.__name__)
    print(gradcheck(kind(D, H, V, np.random.default_rng(0)), x_batch_first, start))

# %% [markdown]
r"""
One row passes even so. What does that tell you? Copy the body into the stub below, and mend it there.
"""


# %% exercise="mended_bptt" points=2
def mended_bptt(dys, cache, Wx, Wh, Wy):
    """dys (B,T,V), cache (x (T,B,D), hs (T+1,B,H)) -> dx (B,T,D), dh0, dWx, dWh, db, dWy, dby"""
    raise NotImplementedError


# %%
check.mended_bptt(mended_bptt)

# %% [markdown]
r"""
### 5. Shorter memory

A text of a million characters cannot be unrolled: the cache would hold a million states. *Truncated*
backpropagation through time cuts it into pieces of $k$ steps. Forward, the state goes from piece to piece, as
ever. Backward, nothing goes from a piece to the one before: to the gradient, the state that a piece begins
with is a mere number that came from somewhere. So only the states of one piece have to be kept, and nothing
is learnt about what lies farther back than $k$ steps.

Write it: exercise 1 without `dhT`, with pieces of `k` steps counted from the *first* step; the last piece may
be shorter. `dh0` belongs to the first piece. What must be the same with $k \ge T$?
"""


# %% exercise="truncated_bptt" points=3
def truncated_bptt(dhs, Wx, Wh, cache, k):
    """dhs (T,B,H), cache (x (T,B,D), hs (T+1,B,H)), k steps a piece -> dx, dh0, dWx, dWh, db"""
    raise NotImplementedError


# %%
check.truncated_bptt(truncated_bptt)

# %% [markdown]
r"""
### 6. A check of your own

Write the check by a random direction. You are given a function `f` that makes a number of an array, the array
`x`, an alleged gradient `dx`, a direction `d` and `eps`. Return the slope along `d` twice: as a central
difference, and as `dx` has it. Call `f` no more than twice, and leave `x` as it was.
"""


# %% exercise="slopes_along" points=2
def slopes_along(f, x, dx, d, eps):
    """f (array -> number), x, dx, d of one shape -> numeric, analytic"""
    raise NotImplementedError


# %%
check.slopes_along(slopes_along)

# %% [markdown]
r"""
## What to read next

- D. Rumelhart, G. Hinton, R. Williams, [Learning representations by back-propagating
  errors](https://doi.org/10.1038/323533a0), Nature 323, 1986: four pages; figure 5 is a network unrolled.
- P. Werbos, [Backpropagation through time: what it does and how to do it](https://doi.org/10.1109/5.58337),
  Proceedings of the IEEE 78(10), 1990: the unrolled network, and the sum over time.
- R. Williams, J. Peng, [An efficient gradient-based algorithm for on-line training of recurrent network
  trajectories](https://doi.org/10.1162/neco.1990.2.4.490), Neural Computation 2(4), 1990: truncated
  backpropagation.
- Y. Bengio, P. Simard, P. Frasconi, [Learning long-term dependencies with gradient descent is
  difficult](https://doi.org/10.1109/72.279181), 1994, §3 and §4: why gradients vanish.
- R. Pascanu, T. Mikolov, Y. Bengio, [On the difficulty of training recurrent neural
  networks](https://arxiv.org/abs/1211.5063), 2013: §2.1 the bound above, §2.3 and figure 6 the cliff, §3.2
  clipping.
- S. Bengio et al., [Scheduled sampling for sequence prediction with recurrent neural
  networks](https://arxiv.org/abs/1506.03099), 2015: feeding a model its own outputs in training.
- A. Baydin et al., [Automatic differentiation in machine learning: a
  survey](https://arxiv.org/abs/1502.05767), 2018, §3.2: what `loss.backward()` does for any program.

Next is chapter 3, the LSTM: a cell that lets gradients pass.
"""
