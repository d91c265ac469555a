# %% [markdown]
r"""
# 11 · Self-attention

自注意力機制 · 自注意力机制 · self-attention

In chapter 9 a decoder asked and a source answered. Here one sequence does both: every place asks all places, its
own among them, and takes from each what it needs. No step waits for another.

At the end of this chapter you will have written self-attention with heads and masks, forward and backward, in
plain NumPy. You will know where the $\sqrt{d_k}$ of document 002 comes from, and what happens without it. You
will have seen that a sequence which attends to itself does not know its own order, and how one tells it. And
you will know what is still missing to the Transformer that 002's heading promises.

You need Python, matrix products, and the softmax (chapter 5). Chapter 9 is a help; what is used of it is said here
again, in short.
"""

# %%
import inspect
from math import log, sqrt

import numpy as np

from minis2s.exercises import check
from minis2s.figures.self_attention_heads import self_attention_heads
from minis2s.functional import relu, softmax, softmax_backward
from minis2s.gradcheck import gradcheck
from minis2s.models import Tagger, TaggerConfig
from minis2s.nn import Linear, SelfAttention
from minis2s.nn.layer_norm import layer_norm
from minis2s.plots import COLOURS, DASHES, MARKERS, attention_heatmaps, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 002 (简) | 5.1 Self-Attention机制 | each element is related to all others, without step by step | the price of that, and what gets lost: the order |
| 002 (简) | 5.2 公式表示 | $Q$, $K$, $V$ and $\mathrm{softmax}(QK^T/\sqrt{d_k})V$ | where $\sqrt{d_k}$ comes from, heads, masks, the way back |
| 002 (简) | 5.3 代码示例：Self-Attention层 | a layer in PyTorch | along which axis it looks, and a `scale` that stays behind |
| 002 (简) | 5. Transformer架构 | the heading of the three | what else a Transformer has |
| 003 (简) | 7. 工具和资源推荐 | names the paper *Attention is all you need* | what to read of it |
| 003 (简) | 8. 总结：未来发展趋势与挑战 | 自注意力机制 as a *more efficient* attention (更高效) | a count of what it costs |

It comes after chapter 9, of whose attention it is a special case, and after chapter 10. Chapter 12 compares our
layers with PyTorch's.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 自注意力機制 | 自注意力机制 | self-attention |
| 查詢、鍵、值 | 查询、键、值 | query, key, value |
| 縮放點積注意力 | 缩放点积注意力 | scaled dot-product attention |
| 多頭注意力 | 多头注意力 | attention with several heads |
| 注意力權重 | 注意力权重 | attention weights |
| 填充遮罩、因果遮罩 | 填充掩码、因果掩码 | padding mask, causal mask |
| 位置編碼 | 位置编码 | positional encoding |
| 變異數（又稱方差）、標準差 | 方差、标准差 | variance, standard deviation |
| 直方圖 | 直方图 | histogram |
| 飽和 | 饱和 | saturation |
| 置換 | 置换 | permutation |
| 殘差連接 | 残差连接 | residual connection |
| 前饋網絡 | 前馈网络 | feed-forward network |
| 層正規化 | 层归一化 | layer normalisation |
| 長距離依賴 | 长距离依赖 | long-distance dependence |
"""

# %% [markdown]
r"""
## Symbols

| in 002 §5 | here | in the code | what it is | shape |
|---|---|---|---|---|
| $X$ | $X$, a row $x_t$ | `x` | the sequence: one vector for each place | (T,D), a batch (T,B,D) |
| `hidden_size` | $D$ | `D`, `size` | the size of a place's vector | |
| $W^Q, W^K, W^V$ | $W_Q, W_K, W_V$ | `query.W`, `key.W`, `value.W` | three matrices, each with a bias | (D,D) each |
| $Q$, $K$, $V$ | $Q$, $K$, $V$, rows $q_t, k_s, v_s$ | `Q`, `K`, `V` | what each place asks, is found by, gives | (T, $d_k$), (B,heads,T, $d_k$) |
| $d_k$ | $d_k$ | `Q.shape[3]` | the size of a query and of a key, D / heads | |
| $QK^T/\sqrt{d_k}$ | $E$ | `E` | scores: row $t$ asks, column $s$ answers | (T,T), (B,heads,T,T) |
| the softmax of it | $\alpha$ | `alphas` | weights: which share of $t$'s look goes to $s$ | as $E$ |
| $\mathrm{Attention}(Q,K,V)$ | $Y$ | `y` | what each place has fetched | (T,D), (T,B,D) |
| | $W_O$ | `output.W` | mixes the heads | (D,D) |
| | $p_t$ | `positional_encoding`, by hand `waves` | the place $t$, as a vector | (D,), all of them (T,D) |

T places, B sequences in a batch. Place $t$ asks and place $s$ is asked; both run over the same T. A gradient has
its name with a $d$: $dQ$ is $\partial L / \partial Q$, of the shape of $Q$. Only $d_k$ is no gradient: it is
002's name for a size. And $V$ is the matrix of values here, where other chapters write V for the size of a
vocabulary.
"""

# %% [markdown]
r"""
## The idea

Take a sentence of five words, and suppose that what should become of the fifth depends on the first. In a
recurrent layer the first word's message is handed from state to state, and each step writes the state anew.
In self-attention the fifth word looks at the first.
"""

# %%
with drawing((8.6, 2.5)) as figure:
    panels = figure.subplots(1, 2)
    titles = ("recurrent: from place to place, one after the other", "self-attention: all at once")
    for ax, title in zip(panels, titles):
        ax.set(xlim=(0.5, 5.5), ylim=(-0.35, 2.35))
        ax.set_title(title)
        ax.axis("off")
        for t in range(1, 6):
            for y, name in ((0, "x"), (2, "y")):
                look = {"boxstyle": "round,pad=0.3", "ec": "0.4", "fc": "white"}
                ax.text(t, y, f"${name}_{t}$", ha="center", va="center", bbox=look, parse_math=True)
    plain = {"arrowstyle": "->", "color": "0.6", "shrinkA": 11, "shrinkB": 11}
    thick = plain | {"color": COLOURS[1], "lw": 2.4}
    for t in range(1, 6):
        panels[0].annotate("", (t, 2), (t, 0), arrowprops=thick if t == 1 else plain)
        if t < 5:
            panels[0].annotate("", (t + 1, 2), (t, 2), arrowprops=thick)
        for s in range(1, 6):
            panels[1].annotate("", (t, 2), (s, 0), arrowprops=thick if (s, t) == (1, 5) else plain)

figure

# %% [markdown]
r"""
The thick way leads from $x_1$ to $y_5$. On the left it has five arrows, and would have T for T places. On the
right it has one, whatever T is. That is what 002 §5.1 means by long-distance dependence (長距離依賴 / 长距离依赖)
without step by step. On the right there are also 25 arrows in place of 9. That is the price, and we shall
come back to it.

How does a word know where to look? As in chapter 9, by a soft look-up in three moves: **compare** a query
with every key, **share** one whole among the places by a softmax, **fetch** the average of the values with
these weights. There the query was the decoder's, and keys and values were the encoder's. Now all three come
from the same vectors. So each place gets three roles, and a matrix for each:

- the **query** $q_t = x_t W_Q$: what place $t$ is looking for;
- the **key** $k_s = x_s W_K$: what place $s$ is to be found by;
- the **value** $v_s = x_s W_V$: what place $s$ gives to those who look at it.

Here is how place 2 of three looks. (The next cell only draws it; read on below.)
"""


# %%
def draw_look(back=False):
    """How place 2 of three looks at all three; or the ways in which gradients reach each x."""
    with drawing((8.2, 4.4)) as figure:
        ax = figure.add_subplot(xlim=(-1.6, 11.7), ylim=(-0.6, 6.1), aspect="equal")
        ax.axis("off")
        arrow_look = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, "color": "0.2"}
        back_look = arrow_look | {"color": COLOURS[1], "lw": 1.6, "linestyle": "--"}

        def box(x, y, label, wide, colour="white"):
            look = {"boxstyle": "round,pad=0.3", "ec": "0.4", "fc": colour}
            if wide:  # a bar
                ax.fill_between([x - wide, x + wide], y - 0.38, y + 0.38, fc=colour, ec="0.4")
                look = None
            ax.text(x, y, label, ha="center", va="center", parse_math=True, bbox=look)

        def arrow(x, y, to_x, to_y, aside=(0.22, 0), **look):
            ax.annotate("", (to_x, to_y), (x, y), arrowprops=arrow_look | look, zorder=0)
            if back:
                dx, dy = aside
                ends = (x + dx, y + dy), (to_x + dx, to_y + dy)
                ax.annotate("", *ends, arrowprops=back_look, zorder=0)

        box(4.25, 2.9, r"compare:  $e_{2s} = q_2\cdot k_s\ /\ \sqrt{d_k}$", 5.5, "#DCEBF7")
        box(4.25, 4.2, "share:  softmax over $s$, the places", 5.5, "#DCEBF7")
        box(4.25, 5.5, r"fetch:  $\sum_s\ \alpha_{2s} v_s$", 5.5, "#DCEBF7")
        box(11.2, 5.5, "$y_2$", 0)
        arrow(9.8, 5.5, 10.75, 5.5, aside=(0, 0.22))
        for s, x in ((1, 0), (2, 4), (3, 8)):
            box(x, 0, f"$x_{s}$", 0)
            for role, to_x in (("q", x - 1), ("k", x), ("v", x + 1)):
                if role != "q" or s == 2:
                    box(to_x, 1.5, f"${role}_{s}$", 0)
                    arrow(x + 0.45 * (to_x - x), 0.4, x + 0.9 * (to_x - x), 1.1)
            if s == 2:
                arrow(x - 1, 1.9, x - 1, 2.5)
            for y, to_y in ((1.9, 2.5), (3.3, 3.8), (4.6, 5.1)):
                arrow(x, y, x, to_y)
            arrow(x + 1, 1.9, x + 1, 5.1, lw=3)
            for y, name in ((3.55, "e"), (4.85, r"\alpha")):
                label = f"${name}_{{2{s}}}$"
                ax.text(x - 0.1, y, label, ha="right", va="center", parse_math=True)
    return figure


draw_look()

# %% [markdown]
r"""
Follow $x_2$ upwards. It goes three ways: it asks, it is found, and it gives. (Yes, place 2 also looks at itself:
002 §5.1 says "all others", its formula and the code say all.) For place 1 and place 3 the same picture is drawn
once more, with $q_1$ and $q_3$; keys and values stay as they are. Nothing in the three pictures waits for anything
in another. So they are computed together, as matrices.

### Why three matrices?

Could each $x$ simply be compared with each $x$? Let us try, with ten random vectors of size 64.
"""

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((10, 64))
alpha = softmax(x @ x.T / sqrt(64))
print("weight of each place on itself, no matrices: ", np.diag(alpha).round(2))

WQ, WK = rng.standard_normal((2, 64, 64)) / sqrt(64)
E = (x @ WQ) @ (x @ WK).T / sqrt(64)
print("weight of each place on itself, two matrices:", np.diag(softmax(E)).round(2))
print(f"e of 1 asking 2: {E[0, 1]:.2f}, of 2 asking 1: {E[1, 0]:.2f}")

# %% [markdown]
r"""
Without matrices everybody finds mostly himself, because nothing is as like a vector as that vector. And the
score of $t$ asking $s$ would be that of $s$ asking $t$. With two matrices what one looks for need not be what
one is: a verb may look for its subject without the subject's looking for its verb. (Put together, the score
is $x_t W_Q W_K^{\top} x_s^{\top}$: the *general* score of chapter 9, its one matrix written as a product of
two.) The third matrix lets what is given differ from what one is found by.
"""

# %% [markdown]
r"""
## The equations

### One sequence

The rows of $X$, (T,D), are the places. Three affine maps, each as in [linear.py](../minis2s/nn/linear.py):

$$Q = X W_Q + b_Q \qquad K = X W_K + b_K \qquad V = X W_V + b_V \tag{2.1}$$

(T,D) times (D,D) is (T,D). For the moment there is one head, so $d_k = D$. (002 leaves the biases out of its
formula, and its code has them.) Compare every row of $Q$ with every row of $K$:

$$E = \frac{Q K^{\top}}{\sqrt{d_k}} \tag{11.1}$$

$Q$ is (T, $d_k$), $K^{\top}$ is ($d_k$, T), $E$ is (T,T). Row $t$ holds what $t$ gets for an answer from each
place. Share, in each **row** by itself:

$$\alpha_{ts} = \frac{\exp(E_{ts})}{\sum_{j} \exp(E_{tj})} \tag{11.2}$$

The sum runs over the columns $j$, those who are asked. Each row of $\alpha$, (T,T), sums to 1. Fetch:

$$Y = \alpha V \tag{11.3}$$

(T,T) times (T,D) is (T,D). Row $t$ of it is $\sum_s \alpha_{ts} v_s$. The numbers in brackets are those in
[self_attention.py](../minis2s/nn/self_attention.py).
"""

# %% [markdown]
r"""
### Why the square root

A score is a sum: $q \cdot k = q_1 k_1 + q_2 k_2 + \dots + q_{d_k} k_{d_k}$. The more terms, the larger it
comes out. How much larger? Take all the numbers in $q$ and $k$ as random, independent of each other, with
mean 0 and variance 1. Write $\mathbb{E}[\cdot]$ for the mean. Of means we need two facts: the mean of a sum
is the sum of the means; and the mean of a product of two *independent* numbers is the product of their means.

**One term**, $m_j = q_j k_j$. Its mean is

$$\mathbb{E}[m_j] = \mathbb{E}[q_j] \mathbb{E}[k_j] = 0 \cdot 0 = 0$$

The variance (變異數 / 方差) of a number whose mean is 0 is the mean of its square:

$$\mathbb{E}[m_j^2] = \mathbb{E}[q_j^2] \mathbb{E}[k_j^2] = 1 \cdot 1 = 1$$

**The sum.** Its mean is 0, as the sum of such means. For its variance, square it. Each term meets itself, and each
term meets each other:

$$\mathbb{E}\Big[\Big(\sum_j m_j\Big)^2\Big] = \sum_j \mathbb{E}[m_j^2] + \sum_{i \neq j} \mathbb{E}[m_i m_j]$$

Two different terms have no number in common, so they are independent, and
$\mathbb{E}[m_i m_j] = \mathbb{E}[m_i] \mathbb{E}[m_j] = 0$. The second sum is 0. The first has $d_k$ terms,
each 1:

$$\mathrm{Var}(q \cdot k) = d_k$$

So the standard deviation (標準差 / 标准差), the usual size of a score, is $\sqrt{d_k}$.

**The scale.** To divide numbers by a constant is to divide their squares by its square. So
$q \cdot k / \sqrt{d_k}$ has the variance $d_k / (\sqrt{d_k})^2 = 1$, whatever $d_k$ is. That is all that the
root is for. Let us see it, with 2000 queries and ten keys for each.
"""


# %%
def random_scores(d, keys=10, queries=2000):
    """q (queries,1,d), k (queries,keys,d) and their dot products (queries,1,keys), all random."""
    rng = np.random.default_rng(d)
    q, k = rng.standard_normal((queries, 1, d)), rng.standard_normal((queries, keys, d))
    return k, q @ k.swapaxes(1, 2)


with drawing((9, 2.9)) as figure:
    left, right = figure.subplots(1, 2)
    places = np.arange(1, 11)
    for number, d in enumerate((4, 16, 64, 1024)):
        _, dots = random_scores(d)
        style = {"color": COLOURS[number], "ls": DASHES[number], "label": f"{d}: {dots.std():.2f}"}
        if d <= 64:
            left.hist(dots.ravel(), np.arange(-30, 31), density=True, histtype="step", **style)
        shares = np.sort(softmax(dots), axis=2)[:, 0, ::-1].mean(axis=0)
        style |= {"marker": MARKERS[number], "label": f"{d}"}
        right.plot(places, shares, **style)
    shares = np.sort(softmax(dots / sqrt(1024)), axis=2)[:, 0, ::-1].mean(axis=0)
    style = {"color": COLOURS[4], "ls": DASHES[4], "marker": MARKERS[4]}
    right.plot(places, shares, **style, label="1024, divided by its root")
    left.set(xlabel="q · k", yticks=[], title="scores, not divided")
    left.legend(title="size: standard deviation", title_fontsize=9, fontsize=9)
    right.set(xlabel="place, the highest weight first", xticks=places, title="mean weight")
    right.legend(title="size", title_fontsize=9, fontsize=9)

figure

# %% [markdown]
r"""
On the left the measured deviations stand beside the sizes: they are $\sqrt{d_k}$. On the right is what the softmax
makes of ten such scores. With $d_k = 4$ the first place gets half. With 1024 it gets nearly all: the softmax is
*saturated* (飽和 / 饱和), a hard choice, made by chance before anything has been learnt. Divided by the root it shares
out, whatever the size.

A hard choice would be no harm if one could learn to make another one. But look at the derivative of the
softmax, which we derive below: $dE_{ts} = \alpha_{ts} (d\alpha_{ts} - \sum_j \alpha_{tj} d\alpha_{tj})$.
Where $\alpha_{ts}$ is 0, the factor in front is 0. Where $\alpha_{ts}$ is 1, the sum has one term left,
$d\alpha_{ts}$, and the bracket is 0. Everywhere 0: the gradient dies. Here is what a query hears,
$dq_t = \sum_s dE_{ts} k_s$, when the $d\alpha$ are random numbers:
"""

# %%
print("           not divided                        divided")
print(" d_k   highest α   |dq|: median   mean   highest α   |dq|: median   mean")
for d in (4, 16, 64, 256, 1024):
    k, dots = random_scores(d)
    dalpha = np.random.default_rng(0).standard_normal(dots.shape)
    row = f"{d:4} "
    for scale in (1, sqrt(d)):
        alpha = softmax(dots / scale)
        dq = softmax_backward(dalpha, alpha) @ k / scale
        length = np.linalg.norm(dq, axis=2)
        row += f"{alpha.max(axis=2).mean():10.2f} {np.median(length):14.4f} {length.mean():8.2f}"
    print(row)

# %% [markdown]
r"""
Undivided and with $d_k = 1024$, the median query hears a ten-thousandth: next to nothing. The mean tells the
other half: it does not die. In a few draws two scores are nearly tied. There the gradient is as large as the
keys are long, and the choice jumps. Mostly nothing and now and then a jump is hard to learn from. Divided,
the median query hears about as much as the mean, at every size.

Two remarks. The assumptions are about the start of training, and how well they fit there you will work out in
exercise 2. Later the network makes its scores as large as it likes: the heat maps of a trained model, further
down, have weights near 1. And the root belongs to $d_k$, the number of terms in *this* sum. With several
heads it is not $\sqrt{D}$.
"""

# %% [markdown]
r"""
### Heads

One softmax gives one row of weights. Suppose a word needs to know the word before it *and* the word after it.
It can give each half of its look, and it gets the average of the two values: not which was which. So let it
look several times, by several **heads** (多頭 / 多头), each with queries, keys and values of its own.

In one product $X W_Q$ all of them are computed. Its D columns are cut into as many pieces as there are heads,
each $d_k = D / \mathrm{heads}$ wide; the same for $K$ and $V$. Each head does (11.1) to (11.3) with its
piece. The results are put side by side again, (T,D), and one more matrix mixes them:

$$\mathrm{out} = [Y^{1} ; Y^{2} ; \dots] W_O + b_O$$

which is (2.1) once more. All heads together cost as many products as one head of size D.

In a batch every array gets two axes more: $E$ and $\alpha$ are (B,heads,T,T). A matrix product of two such
arrays takes the last two axes, and does the same for every sentence and head.

### Masks

Two things must not be looked at.

**Padding** (填充). Shorter sequences of a batch are filled up at the end. No query may look there, so the
*columns* of the padding are shut: the scores in them are set to $-\infty$ before the softmax, and
$e^{-\infty} = 0$.

**The future** (因果遮罩 / 因果掩码, the causal mask). If $y_t$ is to predict the word at $t + 1$, it must not see it.
So row $t$ may look at the columns $s \le t$: the upper triangle of $E$ is shut. With this mask all T
predictions of a sequence are trained at once, and each is what it would be if the sequence ended there.

Both are masks of *keys*. The rows of padded places are left as they are: they fetch something that nobody
reads, and the loss's weights (chapter 5) keep them out of $L$ and so out of every gradient. A row must keep
one open column at least. Here it does: the first place is no padding, and everybody may look at himself or at
the first place.
"""

# %% [markdown]
r"""
### What has no order

Put the places of a sequence into another order. What happens to its output? Write the new order as a matrix
$P$, (T,T), which has a single 1 in each row and each column: $PX$ has the rows of $X$ in another order. (A
*permutation*, 置換 / 置换.) Two facts about it: $A P^{\top}$ has the columns of $A$ in that order, and
$P^{\top} P$ is the identity, for to reorder and to reorder back changes nothing. Follow $PX$ through the
equations.

(2.1) treats each row by itself, so queries, keys and values come in the new order: $PQ$, $PK$, $PV$. Then (11.1):

$$\frac{(PQ)(PK)^{\top}}{\sqrt{d_k}} = P \frac{Q K^{\top}}{\sqrt{d_k}} P^{\top} = P E P^{\top}$$

Rows and columns of $E$ are reordered. (11.2) takes each row by itself, and in a row a sum that does not care
for order: it gives $P \alpha P^{\top}$. And (11.3):

$$(P \alpha P^{\top})(P V) = P \alpha (P^{\top} P) V = P \alpha V = P Y$$

The output is the old output in the new order. Nothing else has changed. To self-attention (without the causal
mask) a sequence is a bag: *dog bites man* and *man bites dog* give each word the same vector.
"""

# %%
WQ, WK, WV = rng.standard_normal((3, 64, 64)) / sqrt(64)


def bare(x):
    """(2.1) without biases, (11.1) to (11.3): one sequence, one head.  x (T,D) -> y (T,D)"""
    return softmax((x @ WQ) @ (x @ WK).T / sqrt(64)) @ (x @ WV)


order = rng.permutation(10)
np.testing.assert_allclose(bare(x[order]), bare(x)[order], rtol=1e-9, atol=1e-12)
print("the rows of x in the order", order)
print("give the rows of y in that order, and no other numbers")

# %% [markdown]
r"""
A recurrent layer knows the order because it reads in order. Self-attention must be told. One adds to each
word's vector a vector that says where it stands:

$$x_t = \mathrm{embedding}(\mathrm{source}_t) + p_t \tag{11.4}$$

In principle any T different vectors would do. Vaswani et al. took waves of different lengths, two columns to
each length:

$$p_{t,2i} = \sin(\omega_i t) \qquad p_{t,2i+1} = \cos(\omega_i t) \qquad \omega_i = 10000^{-2i/D}$$

The first pair, $i = 0$, turns round once in $2\pi \approx 6.3$ places; the last, where D is large, once in
nearly $2\pi \cdot 10000$. It is like the hands of a clock, the fast ones tell near places apart and the slow
ones far ones. Why waves? Because of what it means to go $k$ places on. By the formulas for sums of angles,

$$\sin(\omega(t + k)) = \sin(\omega t) \cos(\omega k) + \cos(\omega t) \sin(\omega k)$$

$$\cos(\omega(t + k)) = \cos(\omega t) \cos(\omega k) - \sin(\omega t) \sin(\omega k)$$

The four factors with $k$ in them do not know $t$. So $p_{t+k}$ is $p_t$ times a fixed matrix, one for each
distance, and a matrix is what $W_Q$ is: "the place before mine" can be learnt once for all places. And the
inner product of two places knows the distance alone; with $\sin a \sin b + \cos a \cos b = \cos(a - b)$,

$$p_t \cdot p_s = \sum_i \cos(\omega_i (t - s))$$

### The Tagger

The smallest model around it says something for every place. It is in [tagger.py](../minis2s/models/tagger.py):

$$a_t = x_t + \mathrm{SelfAttention}(x)_t \tag{11.5}$$

$$\mathrm{logits}_t = a_t W + b$$

In (11.5) what was fetched is *added* to what was there, instead of taking its place. Such a way past a layer
is called a residual connection (殘差連接 / 残差连接). Without it the word itself would have to be fetched, too.
"""

# %% [markdown]
r"""
## The backward pass, step by step

We use the rules of chapters 3 and 9. In short, with $dy$ the gradient of the loss $L$ with respect to $y$:

1. *A function of each number by itself*, $y = \varphi(x)$: $dx = dy \odot \varphi'(x)$.
2. *Sums*, $y = u + v$: both get $dy$.
3. *Products*, $y = u \odot v$: each gets $dy$ times the other.
4. *What is used twice* gets the **sum** of what comes back from both uses.
5. *Matrix products*, $Y = XW$: $dX = dY W^{\top}$ and $dW = X^{\top} dY$.
6. *Side by side*, $y = [u ; v]$: cut $dy$ where $y$ was joined.

Take one sequence and one head first. We are handed $dY$, (T,D), and walk downwards through the picture, along
the dashed arrows.
"""

# %%
draw_look(back=True)

# %% [markdown]
r"""
**Equation (11.3)**, $Y = \alpha V$, is a matrix product (rule 5):

$$d\alpha = dY V^{\top} \tag{11.3'}$$

$$dV = \alpha^{\top} dY$$

Shapes: (T,D) times (D,T) is (T,T), the shape of $\alpha$. (T,T) times (T,D) is (T,D), the shape of $V$. Read
the second one by rows: $dv_s = \sum_t \alpha_{ts} dy_t$. A place that was looked at by many hears from many,
from each as much as it was looked at. (If somebody else uses the weights too, say a loss that wants them to
be sharp, its $d\alpha$ is added here, rule 4.)

**Equation (11.2)**, the softmax, row by row. Take one row and drop its $t$. Write $\alpha_j = F_j / Z$ with
$F_j = e^{E_j}$ and $Z = \sum_j F_j$. The score $E_s$ stands in its own numerator and, through $Z$, in *every*
weight of the row. $F_s$ is its own derivative, and $\partial Z / \partial E_s = F_s$. By the rule for
quotients its own weight moves by

$$\frac{\partial \alpha_s}{\partial E_s} = \frac{F_s Z - F_s F_s}{Z^2} = \alpha_s - \alpha_s \alpha_s$$

and another one, $j \neq s$, of which only the $Z$ moves, by

$$\frac{\partial \alpha_j}{\partial E_s} = - \frac{F_j F_s}{Z^2} = - \alpha_j \alpha_s$$

Sum what comes back from all weights of the row (rule 4). The first formula's second half is the second
formula with $j = s$, so the sum runs over all $j$:

$$dE_s = d\alpha_s \alpha_s - \sum_j d\alpha_j \alpha_j \alpha_s$$

Take $\alpha_s$ out and put the $t$ back:

$$dE_{ts} = \alpha_{ts} \Big( d\alpha_{ts} - \sum_j \alpha_{tj} d\alpha_{tj} \Big) \tag{11.2'}$$

(T,T), as $E$. In each row it sums to 0: what is given to one score is taken from the others. And where a mask
has made $\alpha_{ts}$ zero, $dE_{ts}$ is zero. Nothing more has to be done for masks on the way back.

**Equation (11.1)**, in two pieces. Write $G = Q K^{\top}$, so that $E = G / \sqrt{d_k}$. A constant factor is
rule 1 with $\varphi' = 1 / \sqrt{d_k}$:

$$dG = dE / \sqrt{d_k}$$

**The scale is needed on the way back as well.** (In the library's code the division stands in the line of
(11.2)'.) $G$ is a matrix product. In numbers, $G_{ts} = \sum_m Q_{tm} K_{sm}$. The number $Q_{tm}$ is used in
row $t$, once in every column $s$, and there it is multiplied by $K_{sm}$:

$$dQ_{tm} = \sum_s dG_{ts} K_{sm}$$

The number $K_{sm}$ is used in *column* $s$, once in every row $t$, and there it is multiplied by $Q_{tm}$:

$$dK_{sm} = \sum_t dG_{ts} Q_{tm} = \sum_t (dG^{\top})_{st} Q_{tm}$$

Both are matrix products again:

$$dQ = dG K \qquad dK = dG^{\top} Q \tag{11.1'}$$

(T,T) times (T, $d_k$) is (T, $d_k$), for both. Mind the transpose: $dG$ and $dG^{\top}$ have the same shape,
so nothing complains if it is forgotten.

**Equation (2.1)**, three times. Each is rule 5, with a bias that is added to every row:

$$dW_Q = X^{\top} dQ \qquad db_Q = \textstyle\sum_t dq_t \tag{2.1'}$$

and the same with $K$ and $V$. (D,T) times (T,D) is (D,D). $X$ was used three times, to ask, to be found and
to give:

$$dX = dQ W_Q^{\top} + dK W_K^{\top} + dV W_V^{\top}$$

That is the whole layer. Look at what is not in it: a loop over time. From $dy_t$ to $dx_s$ it is one step,
through $\alpha_{ts}$ and a matrix, whether $s$ is one place away or a thousand. In a recurrent layer it would
be a product of as many matrices as there are places between.

**A batch.** The sequences do not meet in (11.1) to (11.3), so all that was said holds for each by itself. The
weights are used by all of them, so their gradients are summed over B as well (rule 4).

**Heads.** Neither do heads meet between the cut and the mixing. Before we walk down, $d\mathrm{out}$, (T,D),
goes through $W_O$ (rule 5): $dW_O = Y^{\top} d\mathrm{out}$, $dY = d\mathrm{out} W_O^{\top}$. Then $dY$ is
cut as $Y$ was joined (rule 6), (B,heads,T, $d_k$). At the end $dQ$, $dK$ and $dV$ are joined as $Q$, $K$ and
$V$ were cut. To cut and to join only moves numbers about, and their gradients move with them.

**The Tagger.** In (11.5) $x_t$ is used twice, past the attention and through it:

$$dx_t = da_t + dx_t^{\mathrm{attention}} \tag{11.5'}$$

So even at the start of training, when the attention knows nothing, $x_t$ hears what the loss says. In (11.4)
both terms of the sum get $dx_t$. The waves $p_t$ are not learnt and need no gradient. The embedding's row of
word $w$ is used wherever $w$ stands:

$$d\mathrm{embedding}(w) = \sum_{t,b \text{ with } \mathrm{source}_{tb} = w} dx_{tb} \tag{11.4'}$$
"""

# %% [markdown]
r"""
## By hand

First the heart, three equations and their way back, for arrays with any axes before the last two. (`E.max` is
taken off lest the exponential overflow; that cancels. And it is `sqrt` of Python's `math`, not of NumPy, for
a reason that we shall meet below.)
"""


# %%
def look(Q, K, V, allowed=None):
    """Q, K, V (…,T,d), allowed (…,T,T): may row t look at column s? -> Y (…,T,d), alpha (…,T,T)"""
    E = Q @ K.swapaxes(-1, -2) / sqrt(Q.shape[-1])  # (11.1)  (…,T,T)
    if allowed is not None:
        E = np.where(allowed, E, -np.inf)
    F = np.exp(E - E.max(axis=-1, keepdims=True))
    alpha = F / F.sum(axis=-1, keepdims=True)  # (11.2)  the last axis: those who are asked
    Y = alpha @ V  # (11.3)  (…,T,d)
    return Y, alpha


def look_backward(dY, Q, K, V, alpha):
    """dY (…,T,d) -> dQ, dK, dV (…,T,d)"""
    dV = alpha.swapaxes(-1, -2) @ dY  # (11.3)'
    dalpha = dY @ V.swapaxes(-1, -2)  # (…,T,T)
    dE = alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))  # (11.2)'
    dG = dE / sqrt(Q.shape[-1])
    dQ = dG @ K  # (11.1)'
    dK = dG.swapaxes(-1, -2) @ Q
    return dQ, dK, dV


# %% [markdown]
r"""
Cutting into heads. To cut the last axis in two is a `reshape`, since the columns of a head lie side by side.
To bring the axes into the order (B,heads,T,d) is a `transpose`. One without the other would mix places with
sentences.
"""


# %%
def to_heads(x, heads):
    """x (T,B,D) -> (B,heads,T,d) with d = D / heads"""
    T, B, D = x.shape
    return x.reshape(T, B, heads, D // heads).transpose(1, 2, 0, 3)


def from_heads(x):
    """x (B,heads,T,d) -> (T,B,D)"""
    B, heads, T, d = x.shape
    return x.transpose(2, 0, 1, 3).reshape(T, B, heads * d)


def may_look(T, lengths=None, causal=False):
    """lengths (B,) or None -> (B,1,T,T) or (1,1,T,T): may row t look at column s?"""
    allowed = np.ones((1, 1, T, T), dtype=bool)
    if lengths is not None:
        allowed = allowed & (np.arange(T) < lengths[:, None, None, None])  # columns: no padding
    if causal:
        allowed = allowed & (np.arange(T) <= np.arange(T)[:, None])  # s <= t
    return allowed


# %% [markdown]
r"""
Now the layer. The weights are in a dict `p`. With a single head there is nothing to mix, and no $W_O$.
"""


# %%
def multi_head(x, p, heads=1, allowed=None):
    """x (T,B,D) -> y (T,B,D), alpha (B,heads,T,T), cache"""
    Q = to_heads(x @ p["WQ"] + p["bQ"], heads)  # (2.1)  (B,heads,T,d)
    K = to_heads(x @ p["WK"] + p["bK"], heads)
    V = to_heads(x @ p["WV"] + p["bV"], heads)
    Y, alpha = look(Q, K, V, allowed)
    joined = from_heads(Y)  # (T,B,D)
    y = joined @ p["WO"] + p["bO"] if heads > 1 else joined
    return y, alpha, (x, Q, K, V, alpha, joined)


def rows(x):
    """All places of all sequences below each other.  x (T,B,D) -> (T·B,D)"""
    return x.reshape(-1, x.shape[-1])


def multi_head_backward(dy, p, cache, back=look_backward):
    """dy (T,B,D) -> dx (T,B,D), and the gradients of p by their names"""
    x, Q, K, V, alpha, joined = cache
    heads, dp = Q.shape[1], {}
    if heads > 1:
        dp = {"WO": rows(joined).T @ rows(dy), "bO": rows(dy).sum(axis=0)}
        dy = dy @ p["WO"].T
    dx = np.zeros_like(x)
    for name, d in zip("QKV", back(to_heads(dy, heads), Q, K, V, alpha)):
        d = from_heads(d)  # (T,B,D)
        dp["W" + name] = rows(x).T @ rows(d)  # (2.1)'  every place, every sequence: sum
        dp["b" + name] = rows(d).sum(axis=0)
        dx = dx + d @ p["W" + name].T  # x asks, is found and gives: sum
    return dx, dp


# %% [markdown]
r"""
And the Tagger around it.
"""


# %%
def waves(T, D):
    """p_t, one row a place -> (T,D)"""
    t, column = np.arange(T)[:, None], np.arange(D)
    angle = t * 10000.0 ** (-2 * (column // 2) / D)  # (T,D): each pair of columns one wave
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))


def tagger(source, p, heads=1, allowed=None):
    """source (T,B) ids -> logits (T,B,words), cache"""
    T, _ = source.shape
    x = p["embedding"][source] + waves(T, p["embedding"].shape[1])[:, None]  # (11.4)  (T,B,D)
    y, _, cache = multi_head(x, p, heads, allowed)
    a = x + y  # (11.5)
    return a @ p["W"] + p["b"], (source, a, cache)


def tagger_backward(dlogits, p, cache):
    """dlogits (T,B,words) -> the gradients of p by their names"""
    source, a, attention_cache = cache
    da = dlogits @ p["W"].T
    through, dp = multi_head_backward(da, p, attention_cache)
    dx = da + through  # (11.5)'  past the attention and through it: sum
    dembedding = np.zeros_like(p["embedding"])
    np.add.at(dembedding, source, dx)  # (11.4)'  wherever the word stands: sum
    dp |= {"W": rows(a).T @ rows(dlogits), "b": rows(dlogits).sum(axis=0)}
    return dp | {"embedding": dembedding}


# %% [markdown]
r"""
## With a pencil

Two places, $D = d_k = 2$, one head, no biases. The numbers are chosen so that the exponentials are whole:
$e^{\ln 3} = 3$. Rows are separated by a semicolon:

$$X = [1, 0; 1, 1] \qquad W_Q = [\sqrt2, 0; 0, \sqrt2] \qquad W_K = [\ln 3, 0; 0, \ln 3] \qquad W_V = [2, 0; 2, 4]$$

The loss is $L = Y_{11} + Y_{22}$: of the first place the first number, of the second place the second.

**Forward.**

- (2.1): $Q = \sqrt2 [1, 0; 1, 1]$, $K = \ln 3 [1, 0; 1, 1]$, $V = [2, 0; 4, 4]$
- (11.1):
  $E = \sqrt2 \ln 3 / \sqrt2 \cdot [1 \cdot 1, 1 \cdot 1; 1 \cdot 1, 1 \cdot 1 + 1 \cdot 1] = \ln 3 [1, 1; 1, 2]$
- (11.2): the first row's exponentials are 3 and 3, the second's 3 and 9:
  $\alpha = [\tfrac12, \tfrac12; \tfrac14, \tfrac34]$
- (11.3): $y_1 = \tfrac12 [2, 0] + \tfrac12 [4, 4] = [3, 2]$ and
  $y_2 = \tfrac14 [2, 0] + \tfrac34 [4, 4] = [3.5, 3]$

**Backward.** $dY = [1, 0; 0, 1]$.

- (11.3'): $d\alpha_{ts} = dy_t \cdot v_s$, so $d\alpha = [2, 4; 0, 4]$; and
  $dV = \alpha^{\top} dY = [\tfrac12, \tfrac14; \tfrac12, \tfrac34]$
- (11.2'): the averages are $\tfrac12 \cdot 2 + \tfrac12 \cdot 4 = 3$ and
  $\tfrac14 \cdot 0 + \tfrac34 \cdot 4 = 3$. So
  $dE = [\tfrac12 (2 - 3), \tfrac12 (4 - 3); \tfrac14 (0 - 3), \tfrac34 (4 - 3)] = [-\tfrac12, \tfrac12; -\tfrac34, \tfrac34]$.
  Each row sums to 0, as it must.
- the scale: $dG = dE / \sqrt2 = [-0.3536, 0.3536; -0.5303, 0.5303]$
- (11.1'):
  $dQ = dG K = \ln 3 \cdot [-0.3536 + 0.3536, 0.3536; -0.5303 + 0.5303, 0.5303] = [0, 0.3884; 0, 0.5826]$
- $dK = dG^{\top} Q = dE^{\top} [1, 0; 1, 1]$, the two roots cancel:
  $[-\tfrac12 - \tfrac34, -\tfrac34; \tfrac12 + \tfrac34, \tfrac34] = [-1.25, -0.75; 1.25, 0.75]$

**The weights** (2.1'), each by $X^{\top} = [1, 1; 0, 1]$:

- $dW_Q = [0, 0.3884 + 0.5826; 0, 0.5826] = [0, 0.9710; 0, 0.5826]$
- $dW_K = [-1.25 + 1.25, -0.75 + 0.75; 1.25, 0.75] = [0, 0; 1.25, 0.75]$
- $dW_V = [\tfrac12 + \tfrac12, \tfrac14 + \tfrac34; \tfrac12, \tfrac34] = [1, 1; 0.5, 0.75]$

**The input**, three times used:

- as query, $dQ W_Q^{\top} = \sqrt2 dQ = [0, 0.5493; 0, 0.8240]$
- as key, $dK W_K^{\top} = \ln 3 \cdot dK = [-1.3733, -0.8240; 1.3733, 0.8240]$
- as value, $dV W_V^{\top}$ with $W_V^{\top} = [2, 2; 0, 4]$, that is $[1, 1 + 1; 1, 1 + 3] = [1, 2; 1, 4]$
- the sum: $dX = [-0.3733, 1.7253; 2.3733, 5.6479]$

The same by the functions above. If you round at every line, the last digit may differ.
"""

# %%
pencil_p = {
    "WQ": sqrt(2) * np.eye(2),
    "WK": log(3) * np.eye(2),
    "WV": np.array([[2.0, 0], [2, 4]]),
    **{name: np.zeros(2) for name in ("bQ", "bK", "bV")},
}
x = np.array([[1.0, 0], [1, 1]])[:, None]  # (T,B,D)
y, alpha, cache = multi_head(x, pencil_p)
dx, dp = multi_head_backward(np.eye(2)[:, None], pencil_p, cache)

pencil = {
    "alpha": ([0.5, 0.5, 0.25, 0.75], alpha),
    "y": ([3, 2, 3.5, 3], y),
    "dWQ": ([0, 0.9710, 0, 0.5826], dp["WQ"]),
    "dWK": ([0, 0, 1.25, 0.75], dp["WK"]),
    "dWV": ([1, 1, 0.5, 0.75], dp["WV"]),
    "dx": ([-0.3733, 1.7253, 2.3733, 5.6479], dx),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:5} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

# %% [markdown]
r"""
## The gradient check

As in chapter 3: move every number by a little, up and down, see what a loss with random weights does, and compare.
Two heads of size 5, a batch of three sentences with 4, 2 and 1 places, and both masks.
"""


# %%
class SelfAttentionByHand:
    """The functions above as a layer.  x (T,B,D) -> y (T,B,D), cache"""

    look_backward = staticmethod(look_backward)

    def __init__(self, D, heads, rng, allowed=None):
        shapes = {"W" + name: (D, D) for name in "QKVO"} | {"b" + name: (D,) for name in "QKVO"}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.heads, self.allowed = heads, allowed

    def forward(self, x):
        y, _, cache = multi_head(x, self.params, self.heads, self.allowed)
        return y, cache

    def backward(self, dy, cache):
        dx, dp = multi_head_backward(dy, self.params, cache, self.look_backward)
        for name, grad in dp.items():
            self.grads[name] += grad
        return dx


T, B, D, heads = 4, 3, 10, 2  # all different, so that no wrong axis fits by chance
lengths = np.array([4, 2, 1])
allowed = may_look(T, lengths, causal=True)
rng = np.random.default_rng(0)
by_hand = SelfAttentionByHand(D, heads, rng, allowed)
x = rng.standard_normal((T, B, D))
print(gradcheck(by_hand, x))

# %% [markdown]
r"""
Every row passes. Now plant a mistake: the scale is there on the way up and forgotten on the way down, which
makes $dQ$ and $dK$ too large by $\sqrt5$.
"""


# %%
def forgetful_look_backward(dY, Q, K, V, alpha):
    """As look_backward, but dG = dE."""
    dQ, dK, dV = look_backward(dY, Q, K, V, alpha)
    return sqrt(Q.shape[-1]) * dQ, sqrt(Q.shape[-1]) * dK, dV


class ForgetfulAttention(SelfAttentionByHand):
    look_backward = staticmethod(forgetful_look_backward)


print(gradcheck(ForgetfulAttention(D, heads, np.random.default_rng(0), allowed), x))

# %% [markdown]
r"""
It fails in the rows that $dQ$ and $dK$ go into. In `WQ`, `WK` and `bQ` the number on the left is
$\sqrt5 = 2.236$ times the one on the right. In $x$, where three ways are added and two of them are too loud,
even the sign is wrong. The values and the output matrix are right. So is one row more, and why is a question
for you below. Would training notice? Hardly. Adam divides each gradient by its own usual size, and a constant
factor with it; what is left is the mistake in $dx$.

### What a gradient check does not see

A mask of the wrong shape has right gradients: those of another function. What finds it are laws. **Padding:**
a sentence must come out of a batch as it comes out alone. **The future:** what changes at a place may change
nothing before it.
"""

# %%
other = x.copy()
other[2] += 1  # place 3 of every sentence is another word
alone, _, _ = multi_head(x[:1, 2:], by_hand.params, heads)  # sentence 3 has one word
for name, mask in {"both masks": allowed, "no mask": None}.items():
    layer = SelfAttentionByHand(D, heads, np.random.default_rng(0), mask)  # the weights of by_hand
    y, _ = layer.forward(x)
    changed, _ = layer.forward(other)
    print(f"{name}: gradcheck {'passes' if gradcheck(layer, x).passed else 'fails'}")
    print(f"  sentence 3 in the batch and alone differ by {np.abs(y[:1, 2:] - alone).max():.4f}")
    print(f"  place 3 has moved places 1 and 2 by         {np.abs(changed[:2] - y[:2]).max():.4f}")

# %% [markdown]
r"""
## The same from minis2s

`minis2s.nn.SelfAttention` has the same eight arrays under longer names.
"""

# %%
NAMES = {"query": "Q", "key": "K", "value": "V", "output": "O"}


def ours(name):
    """The library's name of a parameter -> the name that it has here: query.W -> WQ"""
    layer, letter = name.split(".")
    return letter + NAMES[layer]


layer = SelfAttention(D, np.random.default_rng(1), heads=heads, causal=True, dtype="float64")
layer.load({name: by_hand.params[ours(name)] for name in layer.params})

y, alpha, cache = multi_head(x, by_hand.params, heads, allowed)
(their_y, their_alphas), their_cache = layer.forward(x, lengths)
np.testing.assert_allclose(their_y, y, rtol=1e-11)
np.testing.assert_allclose(their_alphas, alpha, rtol=1e-11)

dy = rng.standard_normal(y.shape)
dx, dp = multi_head_backward(dy, by_hand.params, cache)
their_dx = layer.backward(dy, None, their_cache)
np.testing.assert_allclose(their_dx, dx, rtol=1e-9, atol=1e-12)
print(f"dx         {dx.shape!s:10} the same")
for name, grad in layer.grads.items():
    np.testing.assert_allclose(grad, dp[ours(name)], rtol=1e-9, atol=1e-12)
    print(f"d{name:9} {grad.shape!s:10} the same")

# %% [markdown]
r"""
And this is how it is written there, way up and way down:
"""

# %%
print(inspect.getsource(SelfAttention.forward))
print(inspect.getsource(SelfAttention.backward))

# %% [markdown]
r"""
What differs: `expect_floats` says in a sentence what is wrong with an input; `Linear` does (2.1) and its
gradients; and whoever uses the weights can hand in `dalphas`. Last, the whole Tagger, with a loss's gradient
of random numbers. (Id 0 is padding in the library, and its vector is 0; so we begin at 1.)
"""

# %%
config = TaggerConfig(input_size=9, output_size=7, size=D, heads=heads, causal=True)
model = Tagger(config, np.random.default_rng(2), dtype="float64")
source = rng.integers(1, 9, (T, B))


def our_name(name):
    """attention.query.W -> WQ, output.W -> W, embedding.W -> embedding"""
    if name.startswith("attention."):
        return ours(name.removeprefix("attention."))
    return {"embedding.W": "embedding", "output.W": "W", "output.b": "b"}[name]


p = {our_name(name): array for name, array in model.params.items()}
logits, cache = tagger(source, p, heads, allowed)
(their_logits, _), their_cache = model.forward(source, lengths)
np.testing.assert_allclose(their_logits, logits, rtol=1e-11)

dlogits = rng.standard_normal(logits.shape)
dp = tagger_backward(dlogits, p, cache)
model.backward(dlogits, None, their_cache)
for name, grad in model.grads.items():
    np.testing.assert_allclose(grad, dp[our_name(name)], rtol=1e-9, atol=1e-12)
print(len(model.grads), "gradients of the Tagger, all the same")
print("gradcheck of the library's Tagger:", gradcheck(model, source, lengths=lengths).passed)

# %% [markdown]
r"""
## Worth a look

### Masks

The weights of an untrained head, for a sentence of four words in a batch whose longest has six.
"""

# %%
six = np.random.default_rng(4).standard_normal((6, 1, D))
places = ["x₁", "x₂", "x₃", "x₄", "pad", "pad"]
kinds = {
    "no mask": may_look(6),
    "padding": may_look(6, np.array([4])),
    "padding and future": may_look(6, np.array([4]), causal=True),
}
attention_heatmaps(
    [(multi_head(six, by_hand.params, heads, mask)[1][0, 0], places, places, name)
     for name, mask in kinds.items()],
    title="Row t: where place t looks",
)  # fmt: skip

# %% [markdown]
r"""
The padding mask shuts two columns. The causal mask shuts a triangle: the first word can only look at itself,
and its weight there is 1. In each row what was shut has been shared out among the rest, so that the row still
sums to 1. The rows of the padding are not shut. They look, and nobody reads what they see.

### Waves

The vectors $p_t$ for $D = 64$: a few of their columns, and the inner product of two places.
"""

# %%
p_t = waves(100, 64)
dots = p_t @ p_t.T
with drawing((9, 2.7)) as figure:
    left, right = figure.subplots(1, 2)
    for number, column in enumerate((0, 8, 16, 24)):
        style = {"color": COLOURS[number], "ls": DASHES[number], "label": f"column {column}"}
        left.plot(p_t[:, column], **style)
    left.set(xlabel="place t", ylim=(-1.1, 2.9), yticks=[-1, 0, 1], title="columns of p: waves")
    left.legend(ncols=2, fontsize=9)
    for number, t in enumerate((20, 50)):
        style = {"color": COLOURS[number], "ls": DASHES[number], "label": f"t = {t}"}
        right.plot(np.arange(100) - t, dots[t], **style)
    right.set(xlabel="distance s − t", ylim=(0, 36), title="pₜ · pₛ")
    right.legend()

omega = 10000.0 ** (-2 * np.arange(32) / 64)
np.testing.assert_allclose(dots[50], np.cos(omega * (np.arange(100) - 50)[:, None]).sum(axis=1))
figure

# %% [markdown]
r"""
On the left, each of these columns is a slower wave than the one before. On the right, two curves lie on each other: the
inner product of two places depends on their distance, not on where they are. It is highest at distance 0,
where it is 32, one for each pair of columns.

### Heads that share the work

A Tagger with three heads has been trained for a few seconds to say, for every letter of a text, three things
at once: the letter before it, the letter after it, and the one capital of the text. Nobody told the heads who
is to find what.
"""

# %%
self_attention_heads()

# %% [markdown]
r"""
- Head 1 finds the capital, from everywhere. It looks by *what*: if the capital stood elsewhere, so would the
  column.
- Heads 2 and 3 look one place ahead and one place back. They look by *where*: that is $p_t$ at work.
- The first letter has none before it, and the last has none after it. There heads 3 and 2 look somewhere,
  since a row must sum to 1. What they fetch there has to be ignored.
- Where the second head is less sure, it looks at neighbouring places: near places have near waves.

From another seed they may share the work out otherwise. And heads are not always as easy to read as these.

### What it costs

Multiplications for one sequence and $D = 512$. The products with $W_Q$, $W_K$, $W_V$ and $W_O$ are $4 T D^2$;
(11.1) and (11.3) are $T^2 D$ each. An LSTM of the same size has $8 D^2$ a place (chapter 3).
"""

# %%
print("        millions of multiplications      steps after each other   numbers in α")
print("     T    4TD²     2T²D    LSTM: 8TD²    attention      LSTM        for a head")
for n in (10, 100, 1000, 10_000):
    matrices, scores = 4 * n * 512**2 / 1e6, 2 * n**2 * 512 / 1e6
    print(f"{n:6,} {matrices:7,.0f} {scores:8,.1f} {2 * matrices:13,.0f}", end=" ")
    print(f"{1:12} {n:9,} {n * n:17,}")

# %% [markdown]
r"""
For short sequences the four matrices are all the cost: it grows with T, and is half of the LSTM's. The square
catches up where $2T^2D = 4TD^2$, at $T = 2D$, here 1024 places; there both together cost as much as the LSTM.
Far beyond, twice the length is four times the work. The last column is memory: the weights of *every* head
and sentence are kept for the way back. With T = 1000, 8 heads and a batch of 64 in float32 they are
$64 \cdot 8 \cdot 1000^2 \cdot 4$ bytes, 2 gigabytes for a single layer.

So is it more efficient (更高效), as 003 §8 says? Not by the number of multiplications, once sequences are long.
By what must wait for what, yes: in the LSTM each step waits for the one before, and here nothing waits. A
machine that can do many things at once has a free hand.
"""

# %% [markdown]
r"""
## The document's own code

### 002, 5.3: along which axis?

These are the lines that matter:

```python
attn_weights = torch.softmax(torch.bmm(Q, K.transpose(1, 2)) / self.scale, dim=2)
output = torch.bmm(attn_weights, V)
```

They are (11.1) to (11.3), and `dim=2` is the right axis for the softmax: the columns. `bmm` is a product for
each entry of axis 0, the *batch*. So the layer wants (batch, time, hidden). The demo below it hands in
`encoder_outputs`, which is (10, 1, 50): (sequence_length, batch_size, hidden_size), as everywhere in 002.
(Alone, each snippet of 002 after 2.3 also needs 2.3's imports.) In NumPy, `@` does what `bmm` does:
"""


# %%
def as_in_5_3(x, p, scale):
    """002, 5.3: axis 0 is the batch and axis 1 the time."""
    Q, K, V = (x @ p["W" + name] + p["b" + name] for name in "QKV")
    alpha = softmax(Q @ K.swapaxes(1, 2) / scale)
    return alpha @ V, alpha


H = 50  # hidden_size in 002
rng = np.random.default_rng(0)
attention = SelfAttention(H, rng, dtype="float64")
p = {ours(name): array for name, array in attention.params.items()}
encoder_outputs = rng.standard_normal((10, 1, H))
y, alpha = as_in_5_3(encoder_outputs, p, sqrt(H))
print("output", y.shape, " weights", alpha.shape, alpha.ravel())
print("the same as value(x):", np.array_equal(y, encoder_outputs @ p["WV"] + p["bV"]))

# %% [markdown]
r"""
The output has the shape that the comment asks for, and nothing complains. But it took ten sequences of one
word each. A softmax over one number is 1, so no word saw another, and the layer is its `value` matrix. With
four sentences in the batch the words do see others: those at the same place in the other sentences.
"""


# %%
def moved_sentences(layer, x):
    """Change sentence 3 of a batch: by how much does each sentence move?  x (T,B,D)"""
    other = x.copy()
    other[:, 2] += 1
    return np.abs(layer(other) - layer(x)).max(axis=(0, 2))


four = rng.standard_normal((10, 4, H))
print("as in 5.3:               ", moved_sentences(lambda x: as_in_5_3(x, p, sqrt(H))[0], four))
print("minis2s.nn.SelfAttention:", moved_sentences(lambda x: attention.forward(x)[0][0], four))

# %% [markdown]
r"""
In 5.3's layer, to change sentence 3 changes all four. What a sentence becomes would depend on its neighbours
in the batch. The right version brings the axes into the order that `bmm` wants, and back. In PyTorch two
lines do it, with the rest as it is: `x = x.transpose(0, 1)` first, and `return output.transpose(0, 1)` last.
With it:
"""

# %%
y, alpha = as_in_5_3(four.swapaxes(0, 1), p, sqrt(H))
(their_y, their_alphas), _ = attention.forward(four)
np.testing.assert_allclose(y.swapaxes(0, 1), their_y, rtol=1e-9)
np.testing.assert_allclose(alpha, their_alphas[:, 0], rtol=1e-9)
print("weights", alpha.shape, "and moved:", end=" ")
print(moved_sentences(lambda x: as_in_5_3(x.swapaxes(0, 1), p, sqrt(H))[0].swapaxes(0, 1), four))

# %% [markdown]
r"""
### 002, 5.3: a scale that stays behind

```python
self.scale = torch.sqrt(torch.FloatTensor([hidden_size]))
```

The number is right. But it is a tensor, and neither a parameter nor a buffer of the module. So it does not
come along when the module goes elsewhere. `.to(device)` moves the matrices to the GPU and leaves `scale` on
the CPU, and the division stops: two devices. In half precision (`.bfloat16()`) the float32 `scale` makes the
weights float32, and the next `bmm` finds two dtypes and stops. In double precision all runs, with a root that
is right to nine digits:
"""

# %%
scale = np.sqrt(np.array([H], dtype="float32"))  # as in 5.3
rounded, _ = as_in_5_3(four.swapaxes(0, 1), p, scale)
print(f"scale {scale[0]:.12f}, root of 50 {sqrt(H):.12f}")
print(f"the output is off by {np.linalg.norm(rounded - y) / np.linalg.norm(y):.0e} of itself")

# %% [markdown]
r"""
The right version is a Python number, `hidden_size ** 0.5`. It takes the dtype and the device of whatever it
meets. Do not smile at PyTorch: NumPy has the same trap. `np.sqrt(50)` is no Python number but a NumPy one,
with the dtype float64:
"""

# %%
single = four.astype("float32")
print("divided by np.sqrt(50):  ", (single / np.sqrt(H)).dtype)
print("divided by math.sqrt(50):", (single / sqrt(H)).dtype)

# %% [markdown]
r"""
### 002, 5.2: what the formula leaves open

The formula is the paper's, and complete for one head. Its layer, even with the axes put right, sees padding,
sees the future, and does not know the order of the words:
"""

# %%
(y, _), _ = attention.forward(four)
(y_reordered, _), _ = attention.forward(four[::-1].copy())
print("sentences backwards, outputs backwards:", np.allclose(y_reordered, y[::-1]))

# %% [markdown]
r"""
For an *encoder's outputs*, which 5.3 has in mind, that matters less: the LSTM that made them has read in order.
For embeddings it is everything.

### 002, 5: what is missing to a Transformer

The heading is "Transformer架构", and what stands below it is its heart. The rest of it, in the order of the paper:

| part | what it does | where it is here |
|---|---|---|
| positions | say what comes first | (11.4), Tagger |
| several heads | look for several things | `SelfAttention(heads=…)` |
| residual connection | adds to what is there | (11.5), Tagger |
| layer normalisation (層正規化 / 层归一化) | keeps each vector's size | [layer_norm.py](../minis2s/nn/layer_norm.py), in recurrent cells only |
| feed-forward network (前饋網絡 / 前馈网络) | two matrices with a relu between, for each place by itself | not in minis2s |
| many such blocks | look again at what was found | not in minis2s |
| a decoder | causal self-attention, then attention to the encoder (chapter 9) | the mask and the attention, not the block |

A block is short, once its parts are there. Here is one, forward only:

$$z = \mathrm{LayerNorm}(x + \mathrm{SelfAttention}(x))$$

$$\mathrm{out} = \mathrm{LayerNorm}(z + \mathrm{relu}(z W_1 + b_1) W_2 + b_2)$$
"""

# %%
D_block, ones = 64, np.ones(64)
rng = np.random.default_rng(0)
blocks = [
    (
        SelfAttention(D_block, rng, heads=4, dtype="float64"),
        Linear(D_block, 4 * D_block, rng, dtype="float64"),
        Linear(4 * D_block, D_block, rng, dtype="float64"),
    )
    for _ in range(4)
]


def block(x, attention, first, second):
    """One block of a Transformer's encoder.  x (T,B,D) -> (T,B,D)"""
    (y, _), _ = attention.forward(x)
    z, _ = layer_norm(x + y, ones)
    inner, _ = first.forward(z)
    y, _ = second.forward(relu(inner))
    return layer_norm(z + y, ones)[0]


def difference(x):
    """How much places differ from their mean, as a share of their size."""
    return np.linalg.norm(x - x.mean(axis=0)) / np.linalg.norm(x)


x = bare_x = rng.standard_normal((20, 1, D_block))
for number, parts in enumerate(blocks, start=1):
    (bare_x, _), _ = parts[0].forward(bare_x)
    x = block(x, *parts)
    print(f"after layer {number}: places differ by {difference(bare_x):7.1e}", end=" ")
    print(f"with attention alone, by {difference(x):.2f} with blocks")

# %% [markdown]
r"""
Look at the left column. An average makes things alike, and averages of averages more so: after three layers
of nothing but self-attention (untrained, as these are) all 20 places hold the same vector, to the last digit.
Whatever stood there is lost. With the residual connections each place remains itself. This is why one seldom
sees self-attention alone.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the sections above. The backward pass of one head for a batch, without biases, as in 002 §5.2. Here
every array has the batch on axis 0, as `bmm` wants it.
"""


# %% exercise="self_attention_backward" points=3
def self_attention_backward(dY, WQ, WK, WV, cache):
    """dY (B,T,D), WQ, WK, WV (D,D), cache (X, Q, K, V, alpha): (B,T,D) four times, (B,T,T)
    -> dX (B,T,D), dWQ, dWK, dWV (D,D)
    """
    raise NotImplementedError


# %%
check.self_attention_backward(self_attention_backward)

# %% [markdown]
r"""
### 2. Predict, then run

a) All eight places of a sequence hold the same vector. The layer has a causal mask, and weights that you do
not know. How large is the weight with which the fifth place looks at the second?
"""

# %% exercise="weight_on_the_second" points=1
weight_on_the_second = None

# %%
check.weight_on_the_second(weight_on_the_second)

# %% [markdown]
r"""
b) A layer of `minis2s` starts with zero biases and its matrices drawn evenly from $-1/\sqrt{D}$ to
$1/\sqrt{D}$. Its inputs are independent numbers with mean 0 and variance 1; $D = 256$, four heads. What is
the standard deviation of $E$, after the division? To within 0.03. (A number drawn evenly from $-a$ to $a$ has
the variance $a^2/3$.)
"""

# %% exercise="score_deviation_at_start" points=1
score_deviation_at_start = None

# %%
check.score_deviation_at_start(score_deviation_at_start)

# %%
start = SelfAttention(256, np.random.default_rng(0), heads=4, dtype="float64")
start_p = {ours(name): array for name, array in start.params.items()}
start_x = np.random.default_rng(1).standard_normal((20, 8, 256))
_, _, (_, start_Q, start_K, *_) = multi_head(start_x, start_p, heads=4)
# print((start_Q @ start_K.swapaxes(2, 3) / sqrt(64)).std())

# %% [markdown]
r"""
c) One of the six arrays `"WQ"`, `"bQ"`, `"WK"`, `"bK"`, `"WV"`, `"bV"` can be set to anything without any
effect on $y$, so that its gradient is always 0 and it never learns. Which?
"""

# %% exercise="array_without_effect" points=1
array_without_effect = None

# %%
check.array_without_effect(array_without_effect)

# %% [markdown]
r"""
### 3. Find the planted bugs

This self-attention has three mistakes. It has gradients, and they would be right: those of what it computes.
So test laws. A sentence of a batch must come out as it does alone, without its padding.
"""


# %%
def broken_self_attention(x, p, heads, lengths):
    """x (T,B,D), lengths (B,) -> y (T,B,D), alpha (B,heads,T,T)"""
    T, B, D = x.shape
    d = D // heads
    Q = (x @ p["WQ"] + p["bQ"]).reshape(B, heads, T, d)
    K = (x @ p["WK"] + p["bK"]).reshape(B, heads, T, d)
    V = (x @ p["WV"] + p["bV"]).reshape(B, heads, T, d)
    real = np.arange(T) < lengths[:, None]  # (B,T)
    alpha = softmax(Q @ K.swapaxes(2, 3) / sqrt(D), mask=real[:, None, :, None])
    Y = (alpha @ V).transpose(2, 0, 1, 3).reshape(T, B, D)
    return Y @ p["WO"] + p["bO"], alpha


def broken_laws(attention):
    """By how much do the laws fail?"""
    full, short = np.array([4, 4, 4]), np.array([4, 2, 1])
    x = np.random.default_rng(0).standard_normal((4, 3, 10))
    in_batch, _ = attention(x, by_hand.params, 2, full)
    alone, _ = attention(x[:, 1:2], by_hand.params, 2, full[1:2])
    print(f"sentence 2 in a batch and alone differ by {np.abs(in_batch[:, 1:2] - alone).max():.4f}")
    padded, _ = attention(x[:, 1:2], by_hand.params, 2, short[1:2])
    cut, _ = attention(x[:2, 1:2], by_hand.params, 2, short[1:2])
    print(f"with and without its padding by          {np.abs(padded[:2] - cut).max():.4f}")


broken_laws(broken_self_attention)
print("\nand by the functions of this chapter:")
broken_laws(lambda x, p, heads, lengths: multi_head(x, p, heads, may_look(len(x), lengths))[:2])

# %% [markdown]
r"""
One mistake breaks both laws, one breaks the second alone, and one breaks none: that one you find only by
reading. Copy the body into the stub below and mend it. `broken_laws(mended_self_attention)` tells how far you
are.
"""


# %% exercise="mended_self_attention" points=3
def mended_self_attention(x, p, heads, lengths):
    """x (T,B,D), lengths (B,) -> y (T,B,D), alpha (B,heads,T,T)"""
    raise NotImplementedError


# %%
check.mended_self_attention(mended_self_attention)

# %% [markdown]
r"""
### 4. One key for many queries

A model that writes one word after another must keep the keys and values of all words so far, for every head.
Shazeer (2019) let all heads share *one* set of keys and values: each head has its own queries, (B,heads,T,d),
and $K$ and $V$ are (B,T,d). What is kept becomes smaller by the number of heads. Write it, without masks,
forward and backward. What is used by all heads now, and what must you do about it?
"""


# %% exercise="multi_query" points=1
def multi_query(Q, K, V):
    """Q (B,heads,T,d), K (B,T,d), V (B,T,d) -> Y (B,heads,T,d), alpha (B,heads,T,T)"""
    raise NotImplementedError


# %%
check.multi_query(multi_query)


# %% exercise="multi_query_backward" points=3
def multi_query_backward(dY, Q, K, V, alpha):
    """dY (B,heads,T,d) and what went in and came out -> dQ (B,heads,T,d), dK (B,T,d), dV (B,T,d)"""
    raise NotImplementedError


# %%
check.multi_query_backward(multi_query_backward)

# %% [markdown]
r"""
### 5. Distances instead of places

There is another way to tell the order, without $p_t$: let each head learn a number for each *distance*, and
add it to its scores (Raffel et al. 2020, in a simple form):

$$E_{ts} = \frac{q_t \cdot k_s}{\sqrt{d_k}} + r_{s-t}$$

The distances go from $-(T-1)$ to $T-1$. So $r$ is (heads,2T-1), with distance $s - t$ in column
$s - t + T - 1$. You are given $dE$. In how many scores of one sentence is $r_1$ used? Write $dr$.
"""


# %% exercise="distance_bias_backward" points=2
def distance_bias_backward(dE):
    """dE (B,heads,T,T) -> dr (heads,2T-1)"""
    raise NotImplementedError


# %%
check.distance_bias_backward(distance_bias_backward)

# %% [markdown]
r"""
## What to read next

- A. Vaswani et al., [Attention is all you need](https://arxiv.org/abs/1706.03762), 2017: §3.2 for this
  chapter (a footnote of §3.2.1 is our derivation of the root in one sentence), §3.5 on waves, §4 and its
  table 1 on costs, figure 1 for the whole.
- A. Rush et al., [The annotated Transformer](https://nlp.seas.harvard.edu/annotated-transformer/), 2018 and
  2022: that paper line by line, in PyTorch.
- J. Ba, J. Kiros, G. Hinton, [Layer normalization](https://arxiv.org/abs/1607.06450), 2016, §3.
- Y. Dong, J.-B. Cordonnier, A. Loukas, [Attention is not all you need](https://arxiv.org/abs/2103.03404),
  2021, §2: why places become alike without residual connections, and how fast.
- N. Shazeer, [Fast Transformer decoding: one write-head is all you need](https://arxiv.org/abs/1911.02150),
  2019, §3: exercise 4.
- C. Raffel et al., [Exploring the limits of transfer learning](https://arxiv.org/abs/1910.10683), 2020, §2.1:
  exercise 5.
- E. Voita et al., [Analyzing multi-head self-attention](https://arxiv.org/abs/1905.09418), 2019, §5 and §6:
  what heads of a real translation model look for, and how many can be taken away.
- T. Dao et al., [FlashAttention](https://arxiv.org/abs/2205.14135), 2022, §3: (11.1) to (11.3) without ever
  keeping all of $\alpha$.

Next is chapter 12: our layers against PyTorch's.
"""
