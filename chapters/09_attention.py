# %% [markdown]
r"""
# 9 · Attention

注意力機制 · 注意力机制 · attention mechanism

So far, all that a decoder knew of its source was one vector. Attention lets it look back, at every step, at
all the states of the encoder, and choose.

At the end of this chapter you will have written attention, forward and backward, in plain NumPy, and derived
every line of it. You will have typed a date and seen where a model looked while it translated it. And if you
have document 002 open beside you, you will know why one of its lines must say `dim=0`, and what happens when
it does not.

This is the longest chapter, and it goes round three times:

- **Round 1: one attention**, the additive one, from the problem to the last gradient.
- **Round 2: the kinds.** Dot, general, concat, by position: what changes is the score, and little else.
- **Round 3: the decoder.** Where attention sits in it: before the step, after it, in the input, behind a gate.

Each section has its rounds in this order. On a first reading take round 1 alone, through all the sections as
far as the gradient check. It is complete in itself. Then come back for the other two.
"""

# %%
import inspect

import numpy as np
from matplotlib.patches import Rectangle

from minis2s.exercises import check
from minis2s.figures.alignment import DATES, alignment
from minis2s.figures.attention_kinds import REVERSAL, attention_kinds, exact_match
from minis2s.figures.trained import trained
from minis2s.functional import sigmoid, sigmoid_backward, softmax, softmax_backward, tanh_backward
from minis2s.gradcheck import gradcheck
from minis2s.models import (
    AttentionDecoder,
    CombineDecoder,
    GatedDecoder,
    LuongDecoder,
    Seq2Seq,
    document,
)
from minis2s.nn import (
    AdditiveAttention,
    Attention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    PositionAttention,
)
from minis2s.plots import COLOURS, attention_heatmap, attention_heatmaps, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 001 (繁) | 4. 注意力機制（Attention Mechanism） | in words: one vector loses information, weights decide which states count | equations for the words |
| 002 (简) | 4.1 注意力机制的原理 | weights from likeness, then a weighted average | why an average and not a choice |
| 002 (简) | 4.2 注意力机制的公式表示 | $\alpha_{t,i}$ and $c_t$; $\mathrm{score}(s_{t-1}, h_i)$ is left open | five scores, and the way back |
| 002 (简) | 4.3 代码示例：添加注意力机制的解码器 | a decoder in PyTorch | what its score sees, which axis its softmax takes, a version that runs |
| 003 (简) | 3.3 and 4.3 注意力机制数学模型 | the same three equations, with $a(s_{t-1}, h_i)$ | the same |
| 003 (简) | 5.3 注意力机制实现 | `AttnDecoder`, with `attn_combine` | what it looks at, and what it does not |
| 003 (简) | 9. 附录：常见问题与解答 | names three connections: 直接连接、注意力机制、门控机制 | equations for the third |

It comes after chapter 8, which measures what one vector costs, and before chapter 10, where all of it
translates. In chapter 11 (002, 5. Transformer架构) a sentence looks at itself.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 注意力機制 | 注意力机制 | attention mechanism |
| 編碼器、解碼器 | 编码器、解码器 | encoder, decoder |
| 瓶頸 | 瓶颈 | bottleneck |
| 查詢、鍵、值 | 查询、键、值 | query, key, value |
| 相似度得分 | 相似度得分 | score |
| 注意力權重 | 注意力权重 | attention weights |
| 加權平均 | 加权平均 | weighted average |
| 上下文向量 | 上下文向量 | context vector |
| 對齊 | 对齐 | alignment |
| 加性注意力 | 加性注意力 | additive attention |
| 點積注意力 | 点积注意力 | dot attention |
| 遮罩 | 掩码 | mask |
| 填充 | 填充 | padding |
| 輸入饋送 | 输入馈送 | input feeding |
| 門控連接 | 门控连接 | gated connection |
| 熱力圖 | 热力图 | heat map |
"""

# %% [markdown]
r"""
## Symbols

| in 002 | in 003 | here | in the code | what it is | shape |
|---|---|---|---|---|---|
| $h_i$ | $h_i$ | $h_i$ | `hs` | the encoder's state at place $i$ | (B,H), all of them (S,B,H) |
| $n$ | $N$ | $S$ | `S` | places in the source | |
| $s_{t-1}$ | $s_{t-1}$ | $s_{t-1}$ | `s` | the decoder's state | (B,Q) |
| | | $q_t$ | `queries` | what asks: $s_{t-1}$, or another vector | (B,Q), all (T,B,Q) |
| | | $r_t$ | `dr` only | $s_{t-1} W$, the query as it meets the keys | (B,A) |
| | | $k_i$ | `keys` | what $h_i$ is compared by | (B,A), all (S,B,A) |
| $e_{t,i}$ | $e_{t,i}$ | $e_{ti}$ | `e`, `scores` | score: how well $h_i$ answers | (S,B) a step |
| $\alpha_{t,i}$ | $\alpha_{t,i}$ | $\alpha_{ti}$ | `alpha`, `alphas` | weight: which share of the look goes to $h_i$ | (S,B) a step |
| $c_t$ | $c_t$ | $\mathrm{context}_t$ | `context`, `contexts` | what is brought back | (B,H), all (T,B,H) |
| $\mathrm{score}$ | $a$ | | `score` | the function that compares | |
| | | $W, U, b, v$ | `W`, `U`, `b`, `v` | what additive attention learns | (Q,A), (H,A), (A,), (A,) |
| $y_{t-1}$ | $y_{t-1}$ | $y_{t-1}$ | `y` | the vector of the word before | (B,E) |

B sentences in a batch, T steps of the decoder, S places in the source. Step $t$ counts what is written, place
$i$ counts what was read. A gradient has its name with a $d$: $d\alpha_{ti}$ is $\partial L/\partial\alpha_{ti}$.

The documents write $c_t$ for the context. In an LSTM that letter is taken (chapter 3), so here the context is
written out.
"""

# %% [markdown]
r"""
## The idea

### One vector is narrow

The decoders of chapter 7 begin from the encoder's last state. Whatever they are to know of the source, of a
sentence of five words or of fifty, has to fit into its H numbers. That is the bottleneck (瓶頸 / 瓶颈), and 001
§4 names it.

But the encoder has more to offer. On its way it has passed through a state at every place, $h_1$ to $h_S$,
and $h_i$ knows best what stands at place $i$. So far all but the last were thrown away. Keep them. And let the
decoder fetch, at each step, what it needs for the word that comes next.

### Look it up, softly

To fetch something one needs a way to ask. Think of a dictionary, Python's: each entry has a *key*, by which
it is found, and a *value*, which one gets. One comes with a *query*, and gets the value whose key equals it.

The decoder's query is its state $s_{t-1}$. No key will ever equal it. But one can say how well each key fits,
by a number, the *score*; and take the value with the highest. Is that a good way? Look at the slopes below: we
raise the last score a little, and see how the choice changes.
"""

# %%
scores = np.array([1.0, 2.0, 0.5, 1.9])
raised = scores + 0.001 * np.array([0, 0, 0, 1])


def hard(e):
    """All to the highest."""
    return (e == e.max()).astype(float)


def soft(e):
    """To each its share: the softmax of chapter 5."""
    return np.exp(e) / np.exp(e).sum()


for choose in (hard, soft):
    slopes = (choose(raised) - choose(scores)) / 0.001
    print(f"{choose.__name__}: weights {choose(scores)}, slopes {slopes}")
print(f"soft, of scores fifty times as large: {soft(50 * scores)}")

# %% [markdown]
r"""
The hard choice has slope 0: a slightly better score changes nothing, and from that nothing can be learnt. The
soft choice takes a bit of everything, most of what fits best; and to raise one score moves all four weights,
its own up, the others down. Where a clear choice is wanted, the network can make its scores large: then the
soft choice is nearly the hard one, as the last line shows.

That is attention (注意力機制 / 注意力机制), in three moves:

1. **Compare.** The decoder's state with each $h_i$. Out come S scores.
2. **Share.** The softmax makes weights of them, that sum to 1 *over the places of the source*.
3. **Fetch.** The average of the $h_i$ with these weights is the context vector (上下文向量).

Here they are as a picture. (The next cell only draws it; read on below.)
"""


# %%
def draw_attention(back=False):
    """One step of attention over three places; beside it the ways of the gradients."""
    with drawing((8.6, 4.1)) as figure:
        ax = figure.add_subplot(xlim=(-2.7, 10.9), ylim=(-0.7, 5.6), aspect="equal")
        ax.axis("off")

        def box(x, y, label, wide=0.6, colour="white"):
            look = {"width": 2 * wide, "height": 0.8, "ec": "0.4", "fc": colour, "zorder": 2}
            ax.add_patch(Rectangle((x - wide, y - 0.4), **look))
            ax.text(x, y, label, ha="center", va="center", parse_math=True, zorder=3)

        def arrow(x, y, to_x, to_y, label="", **look):
            look = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, "color": "0.2"} | look
            ax.annotate("", (to_x, to_y), (x, y), arrowprops=look, zorder=1)
            ax.text((x + to_x) / 2 - 0.12, (y + to_y) / 2, label, ha="right", va="center",
                    color=look["color"], parse_math=True)  # fmt: skip

        box(4, 1.7, r"compare:  $e_{ti} = v\cdot\tanh(s_{t-1}W + k_i)$", 4.2, "#DCEBF7")
        box(4, 3.2, "share:  softmax over $i$, the places of the source", 4.2, "#DCEBF7")
        box(4, 4.8, r"fetch:  $\sum_i\ \alpha_{ti} h_i$", 4.2, "#DCEBF7")
        box(-1.9, 1.7, "$s_{t-1}$")
        box(9.9, 4.8, r"$\mathrm{context}_t$", 0.95)
        for i, x in ((1, 1), (2, 4), (3, 7)):
            box(x, 0, f"$h_{i}$", 0.8)
            for y, to_y, label in ((0.4, 1.3, "k"), (2.1, 2.8, "e"), (3.6, 4.4, r"\alpha")):
                index = i if label == "k" else f"{{t{i}}}"
                arrow(x - 0.5, y, x - 0.5, to_y, f"${label}_{index}$")
            arrow(x + 0.5, 0.4, x + 0.5, 4.4, lw=3)
            if back:
                look = {"color": COLOURS[1], "lw": 1.6, "linestyle": "--"}
                for y, to_y in ((4.4, 3.6), (2.8, 2.1), (1.3, 0.4)):
                    arrow(x - 0.25, y, x - 0.25, to_y, **look)
                arrow(x + 0.75, 4.4, x + 0.75, 0.4, **look)
        arrow(-1.3, 1.7, -0.2, 1.7)
        arrow(8.2, 4.8, 8.95, 4.8)
        for x, y in ((1, 0), (4, 0)):
            arrow(x + 0.8, y, x + 2.2, y)
        if back:
            arrow(8.95, 5.05, 8.2, 5.05, color=COLOURS[1], lw=1.6, linestyle="--")
            arrow(-0.2, 1.95, -1.3, 1.95, color=COLOURS[1], lw=1.6, linestyle="--")
            ax.text(8.5, 2.5, "as value,\nas key:\nsum", color=COLOURS[1], va="center")
    return figure


draw_attention()

# %% [markdown]
r"""
Follow one $h_i$ upwards. It goes two ways. By the thin line, on the left, it is the *key*: it is compared, and
a weight comes of it. By the thick line it is the *value*: it is what the weight is multiplied by. The decoder
asks with $s_{t-1}$, from the left, and is given $\mathrm{context}_t$, on the right. At the next step it asks
again, with another state, and gets another context. The $h_i$ stay what they are.
"""

# %% [markdown]
r"""
## The equations

### Round 1: one attention

How does one compare two vectors? Additive attention (加性注意力, Bahdanau et al. 2015) uses a small network for it.
First it turns each $h_i$ into a key:

$$k_i = h_i U + b \tag{9.1}$$

$h_i$ is (B,H) and $U$ is (H,A), so $k_i$ is (B,A). There is no $t$ in this line. So it is computed **once a
sentence**, and not again at every step: S products with $U$ in place of S · T.

At step $t$ the decoder's state is brought to the same size, added to every key, put through a tanh, and $v$
makes one number of it:

$$e_{ti} = v \cdot \tanh(s_{t-1} W + k_i) \tag{9.4}$$

$s_{t-1} W$ is (B,Q) times (Q,A), so (B,A), as $k_i$ is. The dot is the inner product with $v$, (A,), so that
$e_{ti}$ is one number for each sentence, (B,), and all S of them are (S,B). In the documents this is
$\mathrm{score}(s_{t-1}, h_i)$ or $a(s_{t-1}, h_i)$. (The library's numbers follow its files: (9.4) stands in
[additive.py](../minis2s/nn/additive.py) with (9.1), the two below in
[attention.py](../minis2s/nn/attention.py).)

Scores become weights:

$$\alpha_{ti} = \frac{\exp(e_{ti})}{\sum_{j} \exp(e_{tj})} \tag{9.2}$$

and weights fetch:

$$\mathrm{context}_t = \sum_{i} \alpha_{ti} h_i \tag{9.3}$$

**Over what does the sum in (9.2) run?** Over $j = 1$ to $S$, the places of one source; 002 and 003 say the
same. The places of a sentence compete for the look of one step, so their weights share one whole. In an array
of scores (S,B), a column a sentence, that is axis 0. Axis 1 is the batch: sentences that lie side by side for
the sake of speed, and have nothing to share. Nothing in a program's shapes will tell you if you take the wrong
one: the result has the same shape. We come back to this when 002's code is run.

**The mask.** In a batch the shorter sources are filled up with padding (chapter 6). A softmax gives every
place a weight above 0, and so padding too. So the sum runs over the real places alone, and padding gets 0,
exactly. In code one sets the scores of padding to $-\infty$, and $e^{-\infty}$ is 0.

### Round 2: the kinds

From here on the query is called $q_t$, since other vectors than $s_{t-1}$ may ask. Everything but the score
stays as it is.

| kind | $e_{ti}$ | what it learns | what it needs | source |
|---|---|---|---|---|
| additive | $v \cdot \tanh(q_t W + h_i U + b)$ | $W, U, b, v$ | | Bahdanau et al. 2015 |
| concat | $v \cdot \tanh([q_t ; h_i] W + b)$ | $W, b, v$ | | Luong et al. 2015 |
| dot | $q_t \cdot h_i$ | nothing | Q = H | Luong et al. 2015 |
| general | $q_t \cdot (h_i W)$ | $W$ | | Luong et al. 2015 |
| position | entry $i$ of $q_t W + b$ | $W, b$ | a largest S | 003 §5.3 |

**Concat.** Put query and state side by side (`torch.cat` in the documents), $[q_t ; h_i]$, (B,Q+H), and let
one matrix $W$, (Q+H,A), meet both. Look at one column of the product. It is a sum over Q + H rows of $W$; the
first Q of them meet $q_t$, the others meet $h_i$:

$$[q_t ; h_i] W = q_t W_{\mathrm{upper}} + h_i W_{\mathrm{lower}}$$

So concat *is* additive attention, its $W$ and $U$ kept in one array. The library writes it as its number
(9.5) and computes it by (9.1) and (9.4).

**The tanh is not decoration.** Leave it out. Then the score is linear in both, with some vectors $w_s$ and
$w_h$: $e_{ti} = w_s \cdot q_t + w_h \cdot h_i$. Put that into (9.2):

$$\alpha_{ti} = \frac{e^{w_s \cdot q_t} e^{w_h \cdot h_i}}{\sum_j e^{w_s \cdot q_t} e^{w_h \cdot h_j}} = \frac{e^{w_h \cdot h_i}}{\sum_j e^{w_h \cdot h_j}}$$

The part of $q_t$ is the same for every $j$, comes out of the sum, and cancels. What is left does not know who
asks: at every step the decoder looks at the same places. The tanh prevents it, for $\tanh(x + y)$ is no sum of
a function of $x$ and one of $y$. Remember this one; we shall meet it in 002.

**Dot.** The inner product is large where two vectors point the same way:

$$e_{ti} = q_t \cdot k_i \tag{9.6}$$

with $k_i = h_i$. There is nothing to learn in it, so encoder and decoder must learn to speak one language, and
their states must have one size.

**General.** A matrix between them translates:

$$k_i = h_i W \tag{9.7}$$

with (9.6) as before. $W$ is (H,Q), and Q need not be H. Again the keys are made once a sentence.

**By position.** The last kind asks only *where*, not *what*. One matrix gives every place a score:

$$e_t = q_t W + b \tag{9.8}$$

$W$ is (Q,M), with M the longest source there may be; of the M numbers the first S are used. Look for $h_i$ in
this line. It is not there.

### Round 3: the decoder

A decoder with attention does three things at each step: it *looks* back, it takes a *step* from one state to
the next, and it *says* something. Papers and documents put them in different orders. Here are four; in each box
stands what it gives. (The next cell only draws.)
"""

# %%
PLACES = {
    "before the step\n(Bahdanau)": (
        {"s": (0, 0, "$s_{t-1}$"), "y": (2, 0, "$y_{t-1}$"), "look": (0.1, 1, "look"),
         "step": (1.3, 2, "step: $s_t$"), "say": (0.7, 3, r"say: $[s_t\,;\mathrm{context}_t]$")},
        "s look, s step, y step, look step, look say, step say",
    ),
    "after the step\n(Luong)": (
        {"s": (0, 0, "$s_{t-1}$"), "y": (1, 0, "$y_{t-1}$"), "fed": (2, 0, r"$\tilde{s}_{t-1}$"),
         "step": (1, 1, "step: $s_t$"), "look": (0, 2, "look"),
         "say": (0.7, 3, r"say: $\tilde{s}_t$")},
        "s step, y step, fed step, step look, look say, step say",
    ),
    "in the input\n(003 §5.3)": (
        {"s": (0, 0, "$s_{t-1}$"), "y": (2, 0, "$y_{t-1}$"), "look": (1, 1, "look"),
         "mix": (1.9, 2, "relu: $x_t$"), "say": (0.7, 3, "step, say: $s_t$")},
        "s look, y look, y mix, look mix, s say, mix say",
    ),
    "behind a gate\n(003 §9)": (
        {"s": (0, 0, "$s_{t-1}$"), "y": (2, 0, "$y_{t-1}$"), "step": (1, 1, "step: $s'_t$"),
         "look": (0, 2, "look"), "say": (0.8, 3, "gate, say: $s_t$")},
        "s step, y step, step look, look say, step say",
    ),
}  # fmt: skip

with drawing((9.4, 3.6)) as figure:
    for ax, (title, (nodes, edges)) in zip(figure.subplots(1, 4), PLACES.items()):
        ax.set(xlim=(-0.9, 2.8), ylim=(-0.4, 3.4))
        ax.set_title(title, size=10)
        ax.axis("off")
        boxes = {}
        for name, (x, y, label) in nodes.items():
            fill = "#DCEBF7" if name == "look" else "white"
            look = {"boxstyle": "round,pad=0.35", "ec": "0.4", "fc": fill}
            text = ax.text(x, y, label, ha="center", va="center", parse_math=True, bbox=look)
            boxes[name] = text.get_bbox_patch()
        for start, end in (edge.split() for edge in edges.split(", ")):
            ends = {"patchA": boxes[start], "patchB": boxes[end], "shrinkA": 2, "shrinkB": 2}
            dashed = {"linestyle": "--"} if start == "fed" else {}
            look = {"arrowstyle": "->", "color": "0.2"} | ends | dashed
            ax.annotate("", nodes[end][:2], nodes[start][:2], arrowprops=look)

figure

# %% [markdown]
r"""
**Before the step** (Bahdanau; 002 §4.2 and 003 §4.3 have this order, for their score is of $s_{t-1}$). The old
state asks. What it is given goes into the cell beside the word, through a matrix $C$, (H,Q) for a plain cell:

$$xa_t = y_{t-1} W_x + b + \mathrm{context}_t C \tag{9.9}$$

Here $b$ is the cell's own bias, not that of (9.1). Then comes the cell, which may be any of chapters 1, 3 and
4; they all begin from such an $xa_t$, (B,Q) or (B,3Q) or (B,4Q), and bring in $s_{t-1}$ by a $W_h$ of their own.
(An LSTM carries a pair; here and below $s$ is its $h$, and its cell goes along unmentioned.)

$$s_t = \mathrm{cell}(xa_t, s_{t-1}) \tag{9.10}$$

The output layer, $\mathrm{logits}_t = \mathrm{features}_t W_o + b_o$ of chapter 7, reads both:

$$\mathrm{features}_t = [s_t ; \mathrm{context}_t] \tag{9.11}$$

**After the step** (Luong). The step is taken first. The *new* state asks, $q_t = s_t$, and what it is given
is mixed into it:

$$s_t = \mathrm{cell}([y_{t-1} ; \tilde{s}_{t-1}], s_{t-1}) \tag{9.12}$$

$$\tilde{s}_t = \tanh([\mathrm{context}_t ; s_t] W_c + b) \tag{9.13}$$

The output layer reads $\tilde{s}_t$ alone. Without more, the cell would never hear what has been looked at, for
$\tilde{s}_t$ is not the state that goes on. So $\tilde{s}_{t-1}$ is fed to the cell beside the next word. That
is *input feeding* (輸入饋送 / 输入馈送), the dashed arrow; without it (9.12) has $y_{t-1}$ alone.

**In the input** (003 §5.3, `attn_combine`). Word and state ask together, $q_t = [y_{t-1} ; s_{t-1}]$; word and
context make the cell's input, and the output layer reads the state alone:

$$x_t = \mathrm{relu}([y_{t-1} ; \mathrm{context}_t] W + b) \tag{9.14}$$

$$s_t = \mathrm{cell}(x_t, s_{t-1}) \tag{9.15}$$

$\mathrm{relu}(a)$ is $a$ where $a$ is above 0, and 0 elsewhere.

**Behind a gate** (003 §9 names 门控机制 without equations; these are ours, after the GRU of chapter 4). A step
first; its result asks, $q_t = s'_t$; then a gate decides, for every unit by itself, how much of the state to
replace by news from the source:

$$s'_t = \mathrm{cell}(y_{t-1}, s_{t-1}) \tag{9.16}$$

$$g_t = \sigma([s'_t ; \mathrm{context}_t] W_g + b_g) \tag{9.17}$$

$$n_t = \tanh(\mathrm{context}_t W_n + b_n) \tag{9.18}$$

$$s_t = (1 - g_t) \odot s'_t + g_t \odot n_t \tag{9.19}$$

Every one of these decoders works with every kind of attention of round 2.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### Round 1: one attention

We use the rules of chapter 3. In short, with $dy$ the gradient of the loss with respect to $y$:

1. *A function of each number by itself*, $y = \varphi(x)$: $dx = dy \odot \varphi'(x)$. For the tanh that is
   $dy \odot (1 - y^2)$.
2. *Sums*, $y = u + v$: both get $dy$.
3. *Products*, $y = u \odot v$: each gets $dy$ times the other.
4. *What is used twice* gets the **sum** of what comes back from both uses.
5. *Matrix products*, $Y = XW$: $dX = dY W^{\top}$ and $dW = X^{\top} dY$.

And one more, which is hardly a rule:

6. *Side by side*, $y = [u ; v]$: cut $dy$ where $y$ was joined; $u$ gets the one piece, $v$ the other.

Rule 4 will have the most to do. Count who is used how often: $h_i$ is key and value (two ways), $k_i$ and
$h_i$ are looked at in every step (T times), $s_{t-1} W$ is added to every key (S times), and the weights stand
everywhere.

We are handed $d\mathrm{context}_t$, (B,H), from whatever the decoder did with it, and walk downwards through
the picture.
"""

# %%
draw_attention(back=True)

# %% [markdown]
r"""
**Equation (9.3)**, $\mathrm{context}_t = \sum_i \alpha_{ti} h_i$. For one sentence, $\alpha_{ti}$ is a number
and $h_i$ a row of H numbers. Written for column $m$: $\mathrm{context}_{tm} = \sum_i \alpha_{ti} h_{im}$. The
one number $\alpha_{ti}$ is used H times, in every column, and there it is multiplied by $h_{im}$ (rules 3 and
4):

$$d\alpha_{ti} = \sum_m d\mathrm{context}_{tm} h_{im} = d\mathrm{context}_t \cdot h_i \tag{9.3'}$$

And $h_{im}$ is multiplied by $\alpha_{ti}$. It is used like this in every step $t$, so

$$dh_i^{\mathrm{value}} = \sum_t \alpha_{ti} d\mathrm{context}_t$$

The first of these is worth a second look. It says: $\alpha_{ti}$ should grow if the loss wants the context to
move in the direction of $h_i$.

**Equation (9.2)**, the softmax. Fix a step and drop its $t$. Write $\alpha_i = E_i / Z$ with $E_i = e^{e_i}$
and $Z = \sum_j E_j$. The score $e_i$ is used in its own numerator, and in the $Z$ of *every* weight. Take its
own weight first, by the rule for quotients; $E_i$ is its own derivative, and $\partial Z / \partial e_i = E_i$:

$$\frac{\partial \alpha_i}{\partial e_i} = \frac{E_i Z - E_i E_i}{Z^2} = \alpha_i - \alpha_i \alpha_i$$

Now another weight, $j \neq i$. Only its $Z$ moves:

$$\frac{\partial \alpha_j}{\partial e_i} = -\frac{E_j E_i}{Z^2} = -\alpha_j \alpha_i$$

Sum what comes back from all S weights (rule 4):

$$de_i = d\alpha_i \alpha_i - \sum_j d\alpha_j \alpha_j \alpha_i$$

The sum runs over all $j$, with $j = i$ among them: that is the second half of the first formula. Take
$\alpha_i$ out and put the $t$ back:

$$de_{ti} = \alpha_{ti} \Big( d\alpha_{ti} - \sum_j \alpha_{tj} d\alpha_{tj} \Big) \tag{9.2'}$$

The sum in the bracket is the average of the $d\alpha$, with the weights $\alpha$. So a score is told to move
only by how much its $d\alpha$ *differs* from the average. Three things follow.

- $\sum_i de_{ti} = 0$. For with $m$ the average it is
  $\sum_i \alpha_{ti} d\alpha_{ti} - m \sum_i \alpha_{ti} = m - m$. What is given to one score is taken from
  others.
- Padding has $\alpha_{ti} = 0$, so $de_{ti} = 0$: what is masked gets no gradient. Nothing more has to be
  done for the mask on the way back.
- Put (9.3') in. The average is then, by (9.3),
  $\sum_j \alpha_{tj} d\mathrm{context}_t \cdot h_j = d\mathrm{context}_t \cdot \mathrm{context}_t$. So, where
  the weights are used for nothing else,

$$de_{ti} = \alpha_{ti} d\mathrm{context}_t \cdot (h_i - \mathrm{context}_t)$$

Look more at $h_i$ if it lies, seen from where you look now, in the direction that lowers the loss. That is
all that attention ever learns from.

**Equation (9.4)**, $e_{ti} = v \cdot z_{ti}$ with $z_{ti} = \tanh(a_{ti})$ and $a_{ti} = s_{t-1} W + k_i$. As
in (9.3), each side of the inner product gets the other, times the one number $de_{ti}$. $v$ is used for every
step, place and sentence, so its gradient sums over all three:

$$dv = \sum_t \sum_i \sum_{\text{rows}} de_{ti} z_{ti} \tag{9.4'}$$

$$dz_{ti} = de_{ti} v$$

Through the tanh (rule 1):

$$da_{ti} = de_{ti} v \odot (1 - z_{ti}^2)$$

and through the sum (rule 2) $da_{ti}$ goes to both its sides. The left one, call it $r_t = s_{t-1} W$, was
added to every key, so it sums over places. The right one was met in every step, so it sums over steps:

$$dr_t = \sum_i da_{ti} \qquad dk_i = \sum_t da_{ti}$$

$r_t = s_{t-1} W$ is a matrix product (rule 5):

$$ds_{t-1}^{\mathrm{query}} = dr_t W^{\top} \qquad dW = \sum_t s_{t-1}^{\top} dr_t$$

**Equation (9.1)**, $k_i = h_i U + b$, comes last. It was computed once, and it is taken back once, when all
steps have put their part into $dk_i$:

$$dU = \sum_i h_i^{\top} dk_i \tag{9.1'}$$

$$db = \sum_i \sum_{\text{rows}} dk_i \qquad dh_i^{\mathrm{key}} = dk_i U^{\top}$$

**The two ways meet.** $h_i$ was key and value:

$$dh_i = dh_i^{\mathrm{value}} + dh_i^{\mathrm{key}}$$

Both of them are sums over all steps of the decoder. So every word that is written tells every place in the
source directly, without going through the states in between, what it would have liked to read there. Here is
the second gift of attention, beside the wider view: a short way back. (Inside the encoder, $dh_i$ is what
chapter 3 called $dh_t^{\mathrm{out}}$, and what comes back from $h_{i+1}$ is added to it.)

### Round 2: the kinds

(9.2') and (9.3') stay. Only the way from $de_{ti}$ to query and keys is new.

**Dot**, $e_{ti} = q_t \cdot k_i$. Each side gets the other, times $de_{ti}$. The query meets all places, the
key meets all steps:

$$dq_t = \sum_i de_{ti} k_i \tag{9.6'}$$

$$dk_i = \sum_t de_{ti} q_t$$

In dot attention $k_i$ is $h_i$ itself, so $dh_i^{\mathrm{key}} = dk_i$.

**General**, $k_i = h_i W$: a matrix product (rule 5), once a sentence.

$$dW = \sum_i h_i^{\top} dk_i \tag{9.7'}$$

$$dh_i^{\mathrm{key}} = dk_i W^{\top}$$

**Concat** is additive attention. Its one $dW$ has two parts, joined as $W$ was: above, (Q,A), what (9.4') gives
to $W$; below, (H,A), what (9.1') gives to $U$.

**By position**, $e_t = q_t W + b$: rule 5 again, with $de_t$ as a row of M numbers, 0 beyond S.

$$dW = \sum_t q_t^{\top} de_t \tag{9.8'}$$

$$db = \sum_t \sum_{\text{rows}} de_t \qquad dq_t = de_t W^{\top} \qquad dh_i^{\mathrm{key}} = 0$$

The last one is the difference in a line: what stands at a place has no say in how much it is looked at, and is
never told to become easier to find.

**The linear score**, once more. With $e_{ti} = w_s \cdot q_t + w_h \cdot h_i$ the gradient of $w_s$ is
$\sum_t (\sum_i de_{ti}) q_t$. The bracket is 0, as we have seen. So $w_s$ not only has no effect: it
never moves.

### Round 3: the decoder

**Before the step.** We walk from (9.11) up. We are handed $d\mathrm{features}_t$ from the output layer, and
from step $t+1$ what belongs to $s_t$, $ds_t^{\mathrm{next}}$.

(9.11): cut (rule 6).

$$[ds_t^{\mathrm{out}} ; d\mathrm{context}_t^{\mathrm{out}}] = d\mathrm{features}_t \tag{9.11'}$$

$s_t$ is read by the output layer and goes on to the next step, so
$ds_t = ds_t^{\mathrm{out}} + ds_t^{\mathrm{next}}$.

(9.10): the cell, as in its own chapter. For a plain cell, $s_t = \tanh(xa_t + s_{t-1} W_h)$, it is

$$dxa_t = ds_t \odot (1 - s_t^2) \tag{9.10'}$$

$$ds_{t-1}^{\mathrm{cell}} = dxa_t W_h^{\top}$$

(9.9): three terms of a sum, all of which get $dxa_t$ (rules 2 and 5).

$$d\mathrm{context}_t = d\mathrm{context}_t^{\mathrm{out}} + dxa_t C^{\top} \tag{9.9'}$$

$$dy_{t-1} = dxa_t W_x^{\top} \qquad dW_x = \sum_t y_{t-1}^{\top} dxa_t \qquad dC = \sum_t \mathrm{context}_t^{\top} dxa_t$$

Now $d\mathrm{context}_t$ is whole: the context was read twice, by the cell and by the output layer. It goes
into round 1, and out comes, beside the gradients of the source, $ds_{t-1}^{\mathrm{query}}$. So the old state
was used twice as well, it was carried on and it asked:

$$ds_{t-1}^{\mathrm{next}} = ds_{t-1}^{\mathrm{cell}} + ds_{t-1}^{\mathrm{query}}$$

That is what step $t-1$ is handed. And so on to the first, where $ds_0$ goes to the state that the decoder began
from. (At the last step there is no next, and both of its parts are 0.)

In the other three every matrix has its gradient by rule 5, summed over the steps: what it was multiplied with,
transposed, times the gradient of the product. For (9.13), with $da_t$ for the bracket in (9.13') below, that is

$$dW_c = \sum_t [\mathrm{context}_t ; s_t]^{\top} da_t \qquad db = \sum_t \sum_{\text{rows}} da_t$$

and it is not written out again for the others.

**After the step.** Again from the last line up. $\tilde{s}_t$ is read by the output layer and fed to the next
step, so $d\tilde{s}_t$ is the sum of both. (9.13) is rules 1, 5 and 6:

$$[d\mathrm{context}_t ; ds_t^{\mathrm{mix}}] = \big( d\tilde{s}_t \odot (1 - \tilde{s}_t^2) \big) W_c^{\top} \tag{9.13'}$$

Attention turns $d\mathrm{context}_t$ into $ds_t^{\mathrm{query}}$. This time it is the *new* state that asked,
so it is needed before the cell:

$$ds_t = ds_t^{\mathrm{mix}} + ds_t^{\mathrm{query}} + ds_t^{\mathrm{next}}$$

Through the cell, whose input was two things side by side:

$$[dy_{t-1} ; d\tilde{s}_{t-1}^{\mathrm{fed}}] = d\mathrm{input}_t \tag{9.12'}$$

where $d\mathrm{input}_t$ and $ds_{t-1}^{\mathrm{next}}$ are what the cell's backward pass gives.

**In the input.** The cell first; for a plain cell, as above,

$$dx_t = dxa_t W_x^{\top} \tag{9.15'}$$

with $dxa_t = ds_t \odot (1 - s_t^2)$. The relu passes on what came from above 0, unchanged, and stops the rest:

$$[dy_{t-1}^{\mathrm{mix}} ; d\mathrm{context}_t] = \big( dx_t \odot [x_t \gt 0] \big) W^{\top} \tag{9.14'}$$

with $[x_t \gt 0]$ 1 where it is so and 0 elsewhere. Attention gives $dq_t$, which is cut, since the query was
word and state side by side: $[dy_{t-1}^{\mathrm{query}} ; ds_{t-1}^{\mathrm{query}}] = dq_t$. Each is added to
what its vector got elsewhere.

**Behind a gate.** $s_t$ is read by the output layer and carried on: $ds_t$ is the sum of both. Then (9.19) is
two products (rule 3); $g_t$ stands in both, once with a minus:

$$dg_t = ds_t \odot (n_t - s'_t) \tag{9.19'}$$

$$dn_t = ds_t \odot g_t \qquad ds_t^{\prime\mathrm{mix}} = ds_t \odot (1 - g_t)$$

(9.18) and (9.17) are a tanh and a sigmoid after a matrix product:

$$d\mathrm{context}_t^{\mathrm{new}} = \big( dn_t \odot (1 - n_t^2) \big) W_n^{\top} \tag{9.18'}$$

$$[ds_t^{\prime\mathrm{gate}} ; d\mathrm{context}_t^{\mathrm{gate}}] = \big( dg_t \odot g_t \odot (1 - g_t) \big) W_g^{\top} \tag{9.17'}$$

$d\mathrm{context}_t$ is the sum of the two and goes into attention, which gives $ds_t^{\prime\mathrm{query}}$.
So $s'_t$ has been used three times, and for the cell the sum of all three counts:

$$ds'_t = ds_t^{\prime\mathrm{mix}} + ds_t^{\prime\mathrm{gate}} + ds_t^{\prime\mathrm{query}} \tag{9.16'}$$
"""

# %% [markdown]
r"""
## By hand

### Round 1: one attention

One step. As in 002, arrays are time first: `hs` is (S,B,H), and everything that has a place $i$ has it on axis
0.
"""


# %%
def attend(s, hs, keys, W, v, real=None):
    """s (B,Q), hs (S,B,H), keys (S,B,A), real (S,B) -> context (B,H), alpha (S,B), cache"""
    z = np.tanh(s @ W + keys)  # (S,B,A): one query meets every key
    e = z @ v  # (9.4)  (S,B)
    if real is not None:
        e = np.where(real, e, -np.inf)
    powers = np.exp(e - e.max(axis=0))  # less the largest, lest it overflow: that cancels
    alpha = powers / powers.sum(axis=0)  # (9.2)  axis 0: the places of one sentence
    context = (alpha[:, :, None] * hs).sum(axis=0)  # (9.3)  (B,H)
    return context, alpha, (s, hs, z, alpha)


def attend_backward(dcontext, W, v, cache):
    """dcontext (B,H) -> the gradients of s, of hs as values, of keys, W, v"""
    s, hs, z, alpha = cache
    dalpha = (dcontext * hs).sum(axis=2)  # (9.3)'  (S,B)
    dvalues = alpha[:, :, None] * dcontext  # (S,B,H)
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=0))  # (9.2)'  (S,B)
    dv = (de[:, :, None] * z).sum(axis=(0, 1))  # (9.4)'  (A,)
    dkeys = de[:, :, None] * v * (1 - z**2)  # (S,B,A)
    dr = dkeys.sum(axis=0)  # r = s W meets every key: sum  (B,A)
    ds = dr @ W.T  # (B,Q)
    dW = s.T @ dr  # (Q,A)
    return ds, dvalues, dkeys, dW, dv


# %% [markdown]
r"""
All steps: the keys before the loop, their gradient after it. (In a decoder the steps wait for each other. Here
all queries are given, so that we can look at attention alone.)
"""


# %%
def attention_forward(queries, hs, W, U, b, v, real=None):
    """queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,S,B), a cache for every step"""
    keys = hs @ U + b  # (9.1)  (S,B,A), once a sentence
    contexts, alphas, caches = zip(*(attend(s, hs, keys, W, v, real) for s in queries))
    return np.stack(contexts), np.stack(alphas), caches


def attention_backward(dcontexts, W, U, v, caches):
    """dcontexts (T,B,H) -> the gradients of queries, hs, W, U, b, v"""
    hs = caches[0][1]
    dqueries, dvalues, dkeys, dW, dv = [], 0, 0, 0, 0
    for dcontext, cache in zip(dcontexts, caches):
        dquery, *parts = attend_backward(dcontext, W, v, cache)
        dqueries.append(dquery)
        totals = zip((dvalues, dkeys, dW, dv), parts)
        dvalues, dkeys, dW, dv = (total + part for total, part in totals)  # every step looks: sum
    dU = hs.reshape(-1, len(U)).T @ dkeys.reshape(-1, len(v))  # (9.1)'  all places and sentences
    db = dkeys.sum(axis=(0, 1))
    dhs = dvalues + dkeys @ U.T  # h_i is value and key: sum
    return np.stack(dqueries), dhs, dW, dU, db, dv


# %% [markdown]
r"""
### Round 2: the kinds

Concat needs no code of its own: its matrix, cut in two, is `W` and `U` above. The others, each as the score of
one step and its way back:
"""


# %%
def dot_score(q, keys):
    """q (B,A), keys (S,B,A) -> e (S,B)"""
    return (q * keys).sum(axis=2)  # (9.6)


def dot_score_backward(de, q, keys):
    """de (S,B) -> dq (B,A), dkeys (S,B,A)"""
    dq = (de[:, :, None] * keys).sum(axis=0)  # (9.6)'  one query meets every key: sum
    dkeys = de[:, :, None] * q
    return dq, dkeys


def general_keys(hs, W):
    """hs (S,B,H), W (H,Q) -> keys (S,B,Q)"""
    return hs @ W  # (9.7)


def general_keys_backward(dkeys, hs, W):
    """dkeys (S,B,Q), the sum over all steps -> dhs (S,B,H), dW (H,Q)"""
    dW = hs.reshape(-1, len(W)).T @ dkeys.reshape(-1, W.shape[1])  # (9.7)'
    return dkeys @ W.T, dW


def position_score(q, W, b, S):
    """q (B,Q), W (Q,M), b (M,) -> e (S,B): of M places those that the source has"""
    return (q @ W + b)[:, :S].T  # (9.8)


def position_score_backward(de, q, W):
    """de (S,B) -> dq (B,Q), dW (Q,M), db (M,)"""
    row = np.zeros((len(q), W.shape[1]))  # (B,M): the places beyond S were not used
    row[:, : len(de)] = de.T
    return row @ W.T, q.T @ row, row.sum(axis=0)  # (9.8)'


# %% [markdown]
r"""
### Round 3: the decoder

The decoder that looks before its step, with a plain cell. The weights are in a dict `p`.
"""


# %%
def decoder_step(y, s_prev, hs, keys, p):
    """y (B,E), s_prev (B,Q), hs (S,B,H), keys (S,B,A) -> features (B,Q+H), s (B,Q), cache"""
    context, _, looked = attend(s_prev, hs, keys, p["W"], p["v"])
    xa = y @ p["Wx"] + p["b_cell"] + context @ p["C"]  # (9.9)  (B,Q)
    s = np.tanh(xa + s_prev @ p["Wh"])  # (9.10)
    features = np.concatenate([s, context], axis=1)  # (9.11)
    return features, s, (y, s_prev, s, context, looked)


def decoder_step_backward(dfeatures, ds_next, p, cache):
    """dfeatures (B,Q+H), ds_next (B,Q) -> the gradients of s_prev, y, hs as values, keys, p"""
    y, s_prev, s, context, looked = cache
    Q = s.shape[1]
    ds = dfeatures[:, :Q] + ds_next  # (9.11)'  s_t is read and goes on: sum
    dxa = ds * (1 - s**2)  # (9.10)'
    dcontext = dfeatures[:, Q:] + dxa @ p["C"].T  # (9.9)'  read twice: sum
    dy = dxa @ p["Wx"].T
    dquery, dvalues, dkeys, dW, dv = attend_backward(dcontext, p["W"], p["v"], looked)
    ds_prev = dxa @ p["Wh"].T + dquery  # s_{t-1} was carried on, and asked: sum
    dp = {"W": dW, "v": dv, "Wx": y.T @ dxa, "Wh": s_prev.T @ dxa, "C": context.T @ dxa}
    return ds_prev, dy, dvalues, dkeys, dp | {"b_cell": dxa.sum(axis=0)}


# %% [markdown]
r"""
The other three, one step forward each. Their ways back were derived above; we shall see two of them in the
library's words, and you will write the third.
"""


# %%
def beside(*parts):
    """[u ; v]"""
    return np.concatenate(parts, axis=1)


def luong_step(y, states, hs, keys, p):
    """y (B,E), states (s (B,Q), fed (B,Q)) -> features (B,Q), the states after"""
    s, fed = states
    s = np.tanh(beside(y, fed) @ p["Wx"] + p["b_cell"] + s @ p["Wh"])  # (9.12)
    context, _, _ = attend(s, hs, keys, p["W"], p["v"])  # the new state asks
    s_tilde = np.tanh(beside(context, s) @ p["Wc"] + p["bc"])  # (9.13)
    return s_tilde, (s, s_tilde)


def combine_step(y, states, hs, keys, p):
    """y (B,E), states (s (B,Q),) -> features (B,Q), the states after"""
    (s,) = states
    context, _, _ = attend(beside(y, s), hs, keys, p["W"], p["v"])  # word and state ask
    x = np.maximum(beside(y, context) @ p["Wc"] + p["bc"], 0)  # (9.14)
    s = np.tanh(x @ p["Wx"] + p["b_cell"] + s @ p["Wh"])  # (9.15)
    return s, (s,)


def gated_step(y, states, hs, keys, p):
    """y (B,E), states (s (B,Q),) -> features (B,Q), the states after"""
    (s,) = states
    s = np.tanh(y @ p["Wx"] + p["b_cell"] + s @ p["Wh"])  # (9.16)  s'_t
    context, _, _ = attend(s, hs, keys, p["W"], p["v"])
    g = sigmoid(beside(s, context) @ p["Wg"] + p["bg"])  # (9.17)
    n = np.tanh(context @ p["Wn"] + p["bn"])  # (9.18)
    s = (1 - g) * s + g * n  # (9.19)
    return s, (s,)


# %% [markdown]
r"""
## With a pencil

Additive attention with every size 1: one sentence, two places, two steps; keys and queries are single numbers.
Two facts make it easy, $\tanh(\ln 3) = 0.8$ and $e^{\ln 3} = 3$.

Take $h_1 = 2$, $h_2 = 1$, $U = \ln 3$, $W = -\ln 3$, $b = 0$, and $v = \ln 3 / 0.8 = 1.3733$. The decoder asks
with $s = 1$ in step 1 and with $s = 2$ in step 2. The loss is
$L = \mathrm{context}_1 + 2 \cdot \mathrm{context}_2$. All with four digits; the last may differ if you round at
every line.

**Forward.** The keys, once: $k_1 = 2 \ln 3$, $k_2 = \ln 3$.

| | $sW$ | $a_1, a_2$ | $z_1, z_2$ | $e_1, e_2$ | $\alpha_1, \alpha_2$ | context |
|---|---|---|---|---|---|---|
| step 1 | $-\ln 3$ | $\ln 3$, 0 | 0.8, 0 | $\ln 3$, 0 | 3/4, 1/4 | ¾ · 2 + ¼ · 1 = **1.75** |
| step 2 | $-2 \ln 3$ | 0, $-\ln 3$ | 0, -0.8 | 0, $-\ln 3$ | 3/4, 1/4 | **1.75** |

In both steps the exponentials stand as 3 to 1, so the weights are the same, though the scores are not: a
softmax sees differences only. (With a single unit, place 1 has the higher score whatever $s$ is, since tanh
rises. To ask now for this place, now for that one, attention needs more units than one.)

**Backward, step 1.** $d\mathrm{context}_1 = 1$.

- (9.3'): $d\alpha_1 = 1 \cdot 2$, $d\alpha_2 = 1 \cdot 1$; as values, $h_1$ gets $0.75$ and $h_2$ gets $0.25$
- (9.2'): the average is ¾ · 2 + ¼ · 1 = 1.75, so $de_1 = 0.75 \cdot (2 - 1.75) = 0.1875$ and
  $de_2 = 0.25 \cdot (1 - 1.75) = -0.1875$; together 0, as it must be
- (9.4'): $dv = 0.1875 \cdot 0.8 - 0.1875 \cdot 0 = 0.15$;
  $da_1 = 0.1875 \cdot 1.3733 \cdot (1 - 0.8^2) = 0.0927$ and $da_2 = -0.1875 \cdot 1.3733 \cdot 1 = -0.2575$
- $dr_1 = 0.0927 - 0.2575 = -0.1648$

**Backward, step 2.** $d\mathrm{context}_2 = 2$, so $d\alpha$ and $de$ are twice as large: $de = 0.375, -0.375$; as
values 1.5 and 0.5.

- $dv = 0.375 \cdot 0 + 0.375 \cdot 0.8 = 0.3$; $da_1 = 0.375 \cdot 1.3733 \cdot 1 = 0.5150$,
  $da_2 = -0.375 \cdot 1.3733 \cdot 0.36 = -0.1854$
- $dr_2 = 0.5150 - 0.1854 = 0.3296$

**Sums.** Over steps:

- $dv = 0.15 + 0.3 = 0.45$ and $dW = 1 \cdot (-0.1648) + 2 \cdot 0.3296 = 0.4944$
- $dk_1 = 0.0927 + 0.5150 = 0.6077$, $dk_2 = -0.2575 - 0.1854 = -0.4429$; so $db = 0.1648$ and
  $dU = 2 \cdot 0.6077 + 1 \cdot (-0.4429) = 0.7725$
- $dh_1 = (0.75 + 1.5) + 0.6077 \cdot \ln 3 = 2.25 + 0.6676 = 2.9176$: value and key
- $dh_2 = (0.25 + 0.5) - 0.4429 \cdot \ln 3 = 0.75 - 0.4866 = 0.2634$

The same by the functions above:
"""

# %%
ln3 = np.log(3)
W, U, b, v = np.array([[-ln3]]), np.array([[ln3]]), np.zeros(1), np.array([ln3 / 0.8])
hs = np.array([2.0, 1]).reshape(2, 1, 1)  # (S,B,H)
queries = np.array([1.0, 2]).reshape(2, 1, 1)  # (T,B,Q)

contexts, alphas, caches = attention_forward(queries, hs, W, U, b, v)
dcontexts = np.array([1.0, 2]).reshape(2, 1, 1)
dqueries, dhs, dW, dU, db, dv = attention_backward(dcontexts, W, U, v, caches)

pencil = {
    "contexts": ([1.75, 1.75], contexts),
    "alphas": ([0.75, 0.25, 0.75, 0.25], alphas),
    "dhs": ([2.9176, 0.2634], dhs),
    "dW": ([0.4944], dW),
    "dU": ([0.7725], dU),
    "db": ([0.1648], db),
    "dv": ([0.45], dv),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:8} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

# %% [markdown]
r"""
## The gradient check

### Round 1: one attention

Chapter 3 has told how a gradient is checked: move every number by a little, up and down, and see what a loss
with random weights does. Our attention as a layer, with a mask: of S = 4 places the three sentences fill 2, 4
and 1.
"""


# %%
class AttentionByHand:
    """The functions above as a layer.  queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), cache"""

    def __init__(self, Q, H, A, rng, real=None):
        shapes = {"W": (Q, A), "U": (H, A), "b": (A,), "v": (A,)}
        self.params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.real = real

    def forward(self, queries, hs):
        contexts, _, caches = attention_forward(queries, hs, **self.params, real=self.real)
        return contexts, caches

    def backward(self, dcontexts, caches):
        W, U, v = (self.params[name] for name in "WUv")
        dqueries, dhs, *rest = attention_backward(dcontexts, W, U, v, caches)
        for name, grad in zip("WUbv", rest):
            self.grads[name] += grad
        return dqueries, dhs


T, S, B, Q, H, A = 2, 4, 3, 7, 5, 6  # all different, so that no wrong axis fits by chance
lengths = np.array([2, 4, 1])
real = np.arange(S)[:, None] < lengths  # (S,B)

rng = np.random.default_rng(0)
by_hand = AttentionByHand(Q, H, A, rng, real)
inputs = rng.standard_normal((T, B, Q)), rng.standard_normal((S, B, H))
print(gradcheck(by_hand, *inputs))

# %% [markdown]
r"""
Every row passes. Now plant a mistake that is easily made with attention: forget that $h_i$ is a key as
well, and give back $dh_i^{\mathrm{value}}$ alone.
"""


# %%
class OneWayBack(AttentionByHand):
    """As above; but of the two ways to h_i the one through the keys is left out."""

    def backward(self, dcontexts, caches):
        dqueries, _ = super().backward(dcontexts, caches)
        dhs = sum(
            attend_backward(dcontext, self.params["W"], self.params["v"], cache)[1]
            for dcontext, cache in zip(dcontexts, caches)
        )
        return dqueries, dhs


planted = OneWayBack(Q, H, A, np.random.default_rng(0), real)
print(gradcheck(planted, *inputs))

# %% [markdown]
r"""
It fails, and in one row only: `input hs`. Whoever checks no more than the weights of attention itself sees
nothing. All of them are right; it is the *encoder* that would be taught wrongly.

And would a mask's absence be noticed by the check? No: without a mask every gradient is right as well, the
gradient of another function. What finds it is a law of its own: a padded sentence has to come out as it does
without its padding.
"""

# %%
queries, hs = inputs
without_mask = AttentionByHand(Q, H, A, np.random.default_rng(0))
print("without a mask, gradcheck", "passes" if gradcheck(without_mask, *inputs).passed else "fails")

first = slice(0, 1)  # the first sentence has 2 places
alone, _ = without_mask.forward(queries[:, first], hs[:2, first])
for name, layer in {"with the mask": by_hand, "without": without_mask}.items():
    padded, _ = layer.forward(queries, hs)
    print(f"{name}: padding moves the context by {np.abs(padded[:, first] - alone).max():.4f}")

# %% [markdown]
r"""
### Round 3: the decoder

The whole decoder, over T steps. Look at the four sums: in a loop that goes backwards, everything that belongs
to the source grows with each step.
"""


# %%
class DecoderByHand:
    """y (T,B,E), s0 (B,Q), hs (S,B,H) -> features (T,B,Q+H), cache"""

    def __init__(self, E, Q, H, A, rng):
        shapes = {"W": (Q, A), "U": (H, A), "b": (A,), "v": (A,), "Wx": (E, Q), "Wh": (Q, Q)}
        shapes |= {"b_cell": (Q,), "C": (H, Q)}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, y, s0, hs):
        p, s, features, caches = self.params, s0, [], []
        keys = hs @ p["U"] + p["b"]  # (9.1)  once a sentence
        for y_t in y:
            feature, s, cache = decoder_step(y_t, s, hs, keys, p)
            features.append(feature)
            caches.append(cache)
        return np.stack(features), (hs, caches)

    def backward(self, dfeatures, cache):
        (hs, caches), p, dys = cache, self.params, []
        ds, dvalues, dkeys = 0, 0, 0
        for dfeature, step in zip(dfeatures[::-1], caches[::-1]):
            ds, dy, dvalues_t, dkeys_t, dp = decoder_step_backward(dfeature, ds, p, step)
            dys.append(dy)
            dvalues, dkeys = dvalues + dvalues_t, dkeys + dkeys_t  # every step looks: sum
            for name, grad in dp.items():
                self.grads[name] += grad  # every step has the same weights: sum
        self.grads["U"] += hs.reshape(-1, hs.shape[2]).T @ dkeys.reshape(-1, dkeys.shape[2])
        self.grads["b"] += dkeys.sum(axis=(0, 1))
        return np.stack(dys[::-1]), ds, dvalues + dkeys @ p["U"].T  # value and key: sum


E = 3
decoder = DecoderByHand(E, Q, H, A, rng)
y, s0, hs = (rng.standard_normal(shape) for shape in ((T, B, E), (B, Q), (S, B, H)))
print(gradcheck(decoder, y, s0, hs))

# %% [markdown]
r"""
## The same from minis2s

### Round 1: one attention

`minis2s.nn.AdditiveAttention` has the same parameters under the same names. It keeps the batch on axis 1 of
its weights, (T,B,S), where we have (T,S,B).
"""

# %%
layer = AdditiveAttention(Q, H, A, np.random.default_rng(1), dtype="float64")
layer.load(by_hand.params)

queries, hs = inputs
contexts, alphas, caches = attention_forward(queries, hs, **by_hand.params, real=real)
(their_contexts, their_alphas), cache = layer.forward(queries, hs, lengths)
np.testing.assert_allclose(their_contexts, contexts, rtol=1e-12)
np.testing.assert_allclose(their_alphas, alphas.swapaxes(1, 2), rtol=1e-12)

dcontexts = rng.standard_normal(contexts.shape)
params = (by_hand.params[name] for name in "WUv")
names = ("queries", "hs", "W", "U", "b", "v")
ours = dict(zip(names, attention_backward(dcontexts, *params, caches)))
their_dqueries, their_dhs = layer.backward(dcontexts, None, cache)
theirs = {"queries": their_dqueries, "hs": their_dhs} | layer.grads
for name, grad in ours.items():
    np.testing.assert_allclose(theirs[name], grad, rtol=1e-9, atol=1e-12)
    print(f"d{name:8} {grad.shape!s:10} the same")

# %% [markdown]
r"""
What the kinds share stands in one class, and the three equations are easy to find in it:
"""

# %%
print(inspect.getsource(Attention.attend))

# %% [markdown]
r"""
### Round 2: the kinds

Our scores beside the library's kinds: the weights, then every gradient.
"""

# %%
M = S + 2  # places that attention by position knows
new = np.random.default_rng(2)
kinds = {
    "dot": DotAttention(H, H),
    "general": GeneralAttention(Q, H, new, "float64"),
    "position": PositionAttention(Q, H, M, new, "float64"),
}
for name, layer in kinds.items():
    q = new.standard_normal((B, H if name == "dot" else Q))  # one step
    P = layer.params
    keys = general_keys(hs, P["W"]) if name == "general" else hs
    e = position_score(q, P["W"], P["b"], S) if name == "position" else dot_score(q, keys)
    alpha = softmax(e, axis=0)
    (their_contexts, their_alphas), cache = layer.forward(q[None], hs)
    np.testing.assert_allclose(their_alphas[0].T, alpha, rtol=1e-12)

    dcontext = new.standard_normal((B, H))
    de = softmax_backward((dcontext * hs).sum(axis=2), alpha, axis=0)  # (9.2)' of (9.3)'
    dhs = alpha[:, :, None] * dcontext
    their_dq, their_dhs = layer.backward(dcontext[None], None, cache)
    grads = {}
    if name == "position":
        dq, grads["W"], grads["b"] = position_score_backward(de, q, P["W"])
        dkeys = 0  # what stands there was not asked
    else:
        dq, dkeys = dot_score_backward(de, q, keys)
    if name == "general":
        dkeys, grads["W"] = general_keys_backward(dkeys, hs, P["W"])
    np.testing.assert_allclose(their_dq[0], dq, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(their_dhs, dhs + dkeys, rtol=1e-9, atol=1e-12)
    for param, grad in grads.items():
        np.testing.assert_allclose(layer.grads[param], grad, rtol=1e-9, atol=1e-12)
    print(f"{name:9} the same: alphas, dq, dhs{''.join(f', d{param}' for param in grads)}")

# %% [markdown]
r"""
And that concat is additive attention with its two matrices in one:
"""

# %%
concat = ConcatAttention(Q, H, A, new, "float64")
additive = AdditiveAttention(Q, H, A, new, "float64")
W_upper, W_lower = concat.params["W"][:Q], concat.params["W"][Q:]
additive.load({"W": W_upper, "U": W_lower, "b": concat.params["b"], "v": concat.params["v"]})
(_, alphas), _ = concat.forward(queries, hs)
(_, their_alphas), _ = additive.forward(queries, hs)
np.testing.assert_array_equal(alphas, their_alphas)

# %% [markdown]
r"""
### Round 3: the decoder

The library's decoders take word numbers and give logits, so around our steps we put the embedding of chapter
6 and the output layer of chapter 7. Then all four can be compared, over three steps.
"""

# %%
V = 9
NAMES = {
    "attention.": "", "rnn.layers.0.b": "b_cell", "rnn.layers.0.": "", "context_input.W": "C",
    "combine.W": "Wc", "combine.b": "bc", "gate.W": "Wg", "gate.b": "bg",
    "content.W": "Wn", "content.b": "bn",
}  # fmt: skip


def our_names(params):
    """The library's parameters under the names that they have in this chapter."""
    found = {}
    for name, array in params.items():
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        found[name] = array
    return found


def bahdanau_step(y, states, hs, keys, p):
    features, s, _ = decoder_step(y, *states, hs, keys, p)
    return features, (s,)


STEPS = {
    AttentionDecoder: bahdanau_step,
    LuongDecoder: luong_step,
    CombineDecoder: combine_step,
    GatedDecoder: gated_step,
}
ids = new.integers(1, V, (3, B))  # (T,B)
for Decoder, step in STEPS.items():
    asks = E + Q if Decoder is CombineDecoder else Q
    attention = AdditiveAttention(asks, H, A, new, "float64")
    decoder = Decoder(V, E, Q, new, attention, cell="rnn", dtype="float64")
    (logits, _), _ = decoder.forward(ids, ((s0,),), hs)

    p = our_names(decoder.params)
    keys = hs @ p["U"] + p["b"]  # (9.1)
    states = (s0, np.zeros_like(s0)) if Decoder is LuongDecoder else (s0,)
    for t in range(3):
        features, states = step(p["embedding.W"][ids[t]], states, hs, keys, p)
        np.testing.assert_allclose(features @ p["output.W"] + p["output.b"], logits[t], rtol=1e-9)
    checked = gradcheck(decoder, ids, ((s0,),), hs)
    print(f"{Decoder.__name__:17} the same; gradcheck {'passes' if checked.passed else 'FAILS'}")

# %% [markdown]
r"""
The last column says that the library's ways back are right for all four. Here are two of them. Read them
beside the third round above: each line is one of its displays.
"""

# %%
print(inspect.getsource(LuongDecoder.one_backward))
print(inspect.getsource(CombineDecoder.one_backward))

# %% [markdown]
r"""
(`attend_backward` is (9.3'), (9.2') and the way back of the score; `dmemory` is what goes to the source, as
values and as keys, and the decoder sums it over its steps.)
"""

# %% [markdown]
r"""
## Worth a look

### Your own sentence

Time to see it at work. The next cell trains a small model, an encoder in both directions and additive
attention before the step, to translate English dates into Chinese ones. It sees 350 batches of 64 pairs, for
some seconds; chapter 10 takes more time.
"""

# %%
translator, dates = trained(**DATES, steps=350)
for pair in dates.train[:5]:
    print(f"{pair.source:28} {pair.target}")

# %% [markdown]
r"""
Now write a date of your own, in one of these ways, and run the cell again. Each row is a character that was
written, and the darkness in it is where the model looked while it wrote it: row $t$ is $\alpha_{t1}$ to
$\alpha_{tS}$, and sums to 1.
"""

# %%
yours = "Monday, May 4, 2026"  # your date

(found,) = translator.translate([yours], max_length=40)
print(f"{yours}  ->  {found.text}")
print(f"It was in the training data: {any(yours == pair.source for pair in dates.train)}")
attention_heatmap(found.alphas, found.source_tokens, found.target_tokens)

# %% [markdown]
r"""
Read it row by row. The year is written from the far end of the line, and the weekday, which English has in
front, comes last. The decoder jumps to where it finds what it needs, as you do when you translate a date.
Nobody has told it where to look. It was told the right characters, and (9.2') did the rest.

Then look closer. While it writes a month's number it looks at the first letters of its name, which tell most
months apart. And some rows are spread out, or look beside what they write. $h_i$ is no picture of the character
at $i$ alone: the encoder has read both ways before, so $h_i$ knows its neighbours, and what is needed may be
fetched next door.

A heat map shows where weight went, and not why a word was chosen. To read it as an explanation is going too
far (the last two papers below quarrel about how far).

Now one day in three ways that it knows, and then what it has never seen:
"""

# %%
for text in ("20 July 1969", "1969-07-20", "7/20/1969", "July 1969", "tomorrow", "Hello world"):
    (answer,) = translator.translate([text], max_length=40)
    unknown = f"  (never seen: {' '.join(answer.unknown)})" if answer.unknown else ""
    print(f"{text:14} {answer.text}{unknown}")

# %% [markdown]
r"""
It answers everything with something like a date, and what is missing it makes up: it has learnt nothing else to
say.

### Does it look where it should?

For dates one can say where the truth is: the month's number has to come from the month's name. So the look
can be measured. Here is the first long date among those that were held out, with frames around the true
places:
"""

# %%
alignment()

# %% [markdown]
r"""
Nearly all of the look is in the frames, on this date and on the others. This was never part of the loss.

### The kinds side by side

The same task, the same training, five scores: write a text from right to left.
"""

# %%
attention_kinds()

# %% [markdown]
r"""
All five find the way, from the upper right to the lower left; what the letters *are* is not needed for that,
only where they stand. Now compare how.

- Dot attention runs beside the others, mostly one place to the right: to write its first `a` it looks most at the
  `g` after it. Its very first query shows why. These encoders read one way, from left to right, and the decoder
  begins from their last state: $s_0 = h_S$. With no matrix in between, hardly a key fits $h_S$ better than
  $h_S$ itself, and so the first look falls on `<end>`. From there it goes on, one place late; and no harm is
  done, for the state after a letter still knows the letter before.
- Additive and concat look alike; they are the same equations.
- Attention by position is the most blurred. It has to say "the fifth place" from the decoder's state alone,
  and cannot check by looking.

### What position cannot do

Reversing is the easiest task for position: place $t$ from the end, whatever stands there. In dates the place of
the year depends on how long the names before it are. The same model as above, the same training, with
attention by position:
"""

# %%
by_position, _ = trained(**DATES, attention="position", max_length=40, steps=350)
for name, model in {"additive": translator, "by position": by_position}.items():
    share = np.mean([
        answer.text == pair.target
        for answer, pair in zip(
            model.translate([pair.source for pair in dates.test], max_length=40), dates.test
        )
    ])  # fmt: skip
    print(f"{name:12} {share:.0%} of {len(dates.test)} held-out dates right")

(guess,) = by_position.translate([yours], max_length=40)
attention_heatmaps([
    (found.alphas, found.source_tokens, found.target_tokens, "additive"),
    (guess.alphas, guess.source_tokens, guess.target_tokens, "by position"),
])  # fmt: skip

# %% [markdown]
r"""
Below, the year is looked for at the end and the weekday in front, where they stand in most dates that have one.
The model is given what stands where it looks; but it cannot choose the place *by* what stands there. All that
it knows of the layout of this date it has to know from the decoder's state, and that is the bottleneck again.

### The places side by side

And the four decoders, Luong's with and without input feeding, on the reversed texts, all with additive
attention:
"""

# %%
CONTEXTS = {  # what Seq2SeqConfig calls them
    "input": "before the step",
    "output": "after the step",
    "output fed back": "after the step, fed back",
    "combined input": "in the input, 003 §5.3",
    "gate": "behind a gate, 003 §9",
}
for context, name in CONTEXTS.items():
    place = {} if context == "input" else {"context": context}
    model, texts = trained(**REVERSAL, attention="additive", **place, steps=400)
    right = exact_match(model, texts.test)
    print(f"{name:26} {model.model.size:6,} parameters  {right:4.0%} of {len(texts.test)} right")

# %% [markdown]
r"""
Four of the five are as good as each other: *that* the decoder looks is what counts; where in the step, on a
task like this, hardly. The gate stays behind a little, and does so from other seeds too (try `seed=1` in the
call). It is a slower learner here; that it is a worse one in the long run, this does not show.
"""

# %% [markdown]
r"""
## The document's own code

### 002, 4.3: three things in three lines

The equations of 4.2 are right: a softmax over $j = 1 \dots n$, an average over $i$. So let them correct the
code of 4.3. There, weights and context are

```python
attn_weights = torch.softmax(self.attn(torch.cat((x, hidden[0]), dim=2)), dim=1)
context = attn_weights * encoder_outputs
context = torch.sum(context, dim=1)
```

As published the call hands in `None` for `hidden`, and stops: `'NoneType' object is not subscriptable`. That is
soon put right, with a state $(h, c)$. Then the lines can be read. `encoder_outputs` is (sequence_length,
batch_size, hidden_size), as the comment beside it says: axis 0 is the source, axis 1 the batch.

1. **What the score sees.** `torch.cat((x, hidden[0]))` is the word and the state. $h_i$ is not in it. So there
   is *one* score for each sentence, and not one for each place.
2. **Which axis the softmax takes.** `dim=1` is the batch. So the weights sum to 1 over the *sentences*.
3. **Which axis is summed.** `dim=1` again: what should be an average over places is a sum over sentences.

Here is what they compute, in NumPy, first for a batch of one as in the document, then for four:
"""

# %%
H = 50  # as in 4.3
rng = np.random.default_rng(0)
w = rng.standard_normal(2 * H) / np.sqrt(2 * H)  # self.attn, a linear layer to one number


def published_weights(x, hidden):
    """x (1,B,H), hidden (1,B,H) -> (1,B,1)"""
    scores = np.concatenate([x, hidden], axis=2) @ w
    return softmax(scores[:, :, None], axis=1)


for B in (1, 4):
    weights = published_weights(*rng.standard_normal((2, 1, B, H)))
    print(f"B = {B}: weights of shape {weights.shape}: {weights.ravel()}, sum {weights.sum():.4f}")

# %% [markdown]
r"""
With one sentence the one weight is 1, whatever the network has learnt. Then the sum over the batch, of one
sentence, leaves all S places as they are: S rows, where one context was wanted. That is why it stops again, at
the next `torch.cat` (`Expected size 1 but got size 10`). Only where S = B, by chance, do the shapes fit, and it
runs. What does it do then? Change one sentence in a batch of ten, and see whose context changes:
"""

# %%
S = B = 10
x, hidden = rng.standard_normal((2, 1, B, H))
hs = rng.standard_normal((S, B, H))
other = hs.copy()
other[:, 3] += 1


def published_context(hs):
    return (published_weights(x, hidden) * hs).sum(axis=1)  # (S,H); read as (B,H)


lookup = AdditiveAttention(H, H, 16, rng, "float64")
for name, context in {
    "as published": published_context,
    "(9.1) to (9.4)": lambda hs: lookup.forward(hidden, hs)[0][0][0],
}.items():
    changed = np.abs(context(other) - context(hs)).max(axis=1) > 1e-9
    print(f"{name:15} the contexts of {changed.sum():2} of {B} sentences change")

# %% [markdown]
r"""
A translation that depends on who else happens to be in the batch: it would come out differently tomorrow. And
nothing complains; every shape is right.

Let us mend it in two moves and draw all three states of the repair. Three sentences of four words each are the
columns; in each cell stands the weight of that word at one step of the decoder; below each column is its sum.
"""

# %%
SENTENCES = ["the cat sat down", "we read old books", "rain fell all night"]
S, B = 4, 3
rng = np.random.default_rng(3)
of_the_sentence, of_the_place = rng.standard_normal((1, B)), rng.standard_normal((S, B))
of_the_sentence *= 0.4
REPAIRS = {
    "as published: one score a sentence,\nsoftmax over the sentences (dim=1)": softmax(
        np.repeat(of_the_sentence, S, axis=0), axis=1
    ),
    "the score sees $h_i$,\nsoftmax still over the sentences": softmax(of_the_place, axis=1),
    "softmax over the places\nof each sentence (dim=0)": softmax(of_the_place, axis=0),
}

with drawing((9.2, 3.4)) as figure:
    for ax, (title, weights) in zip(figure.subplots(1, 3), REPAIRS.items()):
        ax.pcolormesh(weights, cmap="Blues", vmin=0, vmax=1, edgecolors="0.8", linewidth=0.5)
        ax.set(xlim=(0, B + 0.9), ylim=(S + 0.8, 0))
        ax.set_title(title, size=10, parse_math=True)
        ax.axis("off")
        for b, sentence in enumerate(SENTENCES):
            for i, word in enumerate(sentence.split()):
                colour = "white" if weights[i, b] > 0.5 else "0.2"
                text = f"{word}\n{weights[i, b]:.2f}"
                ax.text(b + 0.5, i + 0.5, text, ha="center", va="center", color=colour, size=9)
        for b, total in enumerate(weights.sum(axis=0)):
            ax.text(b + 0.5, S + 0.4, f"Σ {total:.2f}", ha="center", va="center")
        for i, total in enumerate(weights.sum(axis=1)):
            ax.text(B + 0.1, i + 0.5, f"Σ {total:.2f}", va="center", size=9, color="0.5")

figure

# %% [markdown]
r"""
- **Left.** All words of a sentence have one weight, for the score did not look at them. The rows sum to 1: "the"
  competes with "we" and "rain", which stand in other people's sentences.
- **Middle.** Now words differ. But still the rows sum to 1 and the columns to anything. Each place of the
  source gets its share *from the neighbours in the batch*.
- **Right.** The columns sum to 1. Each sentence spends its look on its own words.

How does one remember which axis? Ask who competes with whom. Places of one sentence compete to be looked at;
words of the vocabulary (chapter 5) compete to be said; sentences of a batch never compete for anything. And a
program can be made to ask: `attention_heatmap` refuses what does not sum to 1 over the source.
"""

# %%
_, wrong, _ = REPAIRS.values()
try:
    attention_heatmap(wrong.T, source=["h1", "h2", "h3", "h4"], target=SENTENCES)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
### 002, 4.3: a score that cannot ask

With $h_i$ in the score and the right axis, is it attention? `self.attn` is one linear layer, from $[s ; h_i]$
to one number, with no tanh. We have seen in round 2 what becomes of it. In numbers, over $S = 6$ places, with
two states that have nothing to do with each other:
"""

# %%
S = 6
w_s, w_h = rng.standard_normal((2, H)) / np.sqrt(H)
s, other_s = rng.standard_normal((2, H))
hs = rng.standard_normal((S, H))
for state in (s, other_s):
    print(f"linear: scores {hs @ w_h + state @ w_s}  weights {softmax(hs @ w_h + state @ w_s)}")

concat = ConcatAttention(H, H, 16, rng, "float64")
concat.params["v"] *= 10  # as training might, so that the weights differ enough to be seen
(_, alphas), _ = concat.forward(np.stack([s, other_s])[:, None], hs[:, None])
for alpha in alphas[:, 0]:
    print(f"concat: weights {alpha}")

alpha = softmax(hs @ w_h)
de = softmax_backward(hs @ rng.standard_normal(H), alpha)
dw_s = de.sum() * s  # w_s meets s once for every place
print(f"sum of de: {abs(de.sum()):.0e}; largest entry of dw_s: {np.abs(dw_s).max():.0e}")

# %% [markdown]
r"""
Other scores, the same weights: the linear score looks at the same places at every step, and its $w_s$ is never
told to move (what is printed is rounding). The concat score has the tanh in between, and asks. So the right
version of the three lines is

```python
s = hidden[0].expand_as(encoder_outputs)                                   # (S,B,H)
scores = self.v(torch.tanh(self.attn(torch.cat((s, encoder_outputs), dim=2))))
attn_weights = torch.softmax(scores, dim=0)                                # the source
context = (attn_weights * encoder_outputs).sum(dim=0, keepdim=True)        # (1,B,H)
```

with `self.attn` a layer from 2H to A numbers, `self.v` one from A to 1, and a state that is the pair $(h, c)$,
on the way in and on the way out. In `minis2s` the model of this section has a name. (Its context goes into the
cell as well, (9.9); in 4.3 it goes to the output alone.) Ten places, four sentences, six steps, and then
another third sentence:
"""

# %%
rng = np.random.default_rng(0)
config = document("002 §4", 30, 30, embedding_size=7, hidden_size=9)
model = Seq2Seq(config, rng, "float64")
source, y = rng.integers(4, 30, (10, 4)), rng.integers(4, 30, (6, 4))
(logits, alphas), _ = model.forward(source, None, y)
print(f"{config.attention} attention, logits {logits.shape}, alphas {alphas.shape}")

other = source.copy()
other[:, 2] = source[::-1, 2]
(others, _), _ = model.forward(other, None, y)
print("changed:", (np.abs(others - logits).max(axis=(0, 2)) > 1e-9).tolist())

# %% [markdown]
r"""
### 003, 5.3: weights without a look

4.3 of the same document has $e_{t,i} = a(s_{t-1}, h_i)$. Its code in 5.3 has a form that one meets in many
places:

```python
attn_weights = F.softmax(
    self.attn(torch.cat((embedded[0], hidden[0][0]), 1)), dim=1)
```

(For `F` an import is missing.) `self.attn` is a linear layer to `max_length` numbers. It is (9.8), with the
query $[y_{t-1} ; s_{t-1}]$: `encoder_outputs` is not in the line. So the weights are the same for any source:
"""

# %%
H, M = 16, 10  # M is max_length
rng = np.random.default_rng(0)
position = PositionAttention(2 * H, H, M, rng, "float64")
query = rng.standard_normal((1, 1, 2 * H))
hs = rng.standard_normal((M, 1, H))
sources = {"some source": hs, "100 times it": 100 * hs, "backwards": hs[::-1].copy()}
for name, source in sources.items():
    (_, alphas), _ = position.forward(query, source)
    print(f"{name:12} {alphas[0, 0]}")

# %% [markdown]
r"""
There are always `max_length` weights. A source of five places stops the code of 5.3 at the `bmm`. Filled up
with rows of zeros, as is usual, it runs, and then the zeros take their share of the look:
"""

# %%
shorter = hs.copy()
shorter[6:] = 0  # six real places, four of padding
(_, alphas), _ = position.forward(query, shorter)
print(f"without lengths: {alphas[0, 0, 6:].sum():.0%} of the weight lies on padding")
(_, alphas), _ = position.forward(query, shorter, lengths=np.array([6]))
print(f"with lengths:    {alphas[0, 0, 6:].sum():.0%}")
(_, alphas), _ = position.forward(query, hs[:5])
print(f"a source of five: weights {alphas[0, 0]}")
try:
    position.forward(query, rng.standard_normal((12, 1, H)))
except ValueError as error:
    print(error)

# %% [markdown]
r"""
Before training every place gets about the same, so four places of padding in ten get about four tenths. In
`minis2s`, `lengths` is the mask: padding gets 0, and a short source uses the first of the M scores. A source
longer than M is an error that says so.

`document("003 §5.3")` is the model of the code, `document("003 §4.3")` that of the formula, and
`document("003 §5.3 by content")` has the code's decoder, (9.14) and (9.15), with a score that looks.

### 001, 4: words, and more than one thing that they fit

001 says that weights decide how much attention each encoder state gets, and gives no equation. That is true of
every kind in this chapter, and they do not agree:
"""

# %%
s, hs = rng.standard_normal((1, 1, H)), rng.standard_normal((6, 1, H))
for kind in (DotAttention(H, H), AdditiveAttention(H, H, H, rng, "float64")):
    (_, alphas), _ = kind.forward(s, hs)
    print(f"{type(kind).__name__:18} {alphas[0, 0]}")

# %% [markdown]
r"""
The same state, the same source: untrained dot attention has made up its mind already, additive attention is
still open to everything. A word like 動態地選擇 leaves this open; an equation does not.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where. It never shows how. Run it as often as you like.

### 1. From a blank page

The way back of the additive score, for all steps at once: from $de$ to $r_t = s_{t-1} W$, to the keys and
to $v$. Three sums over different axes; which, and why?
"""


# %% exercise="additive_score_backward" points=3
def additive_score_backward(de, z, v):
    """de (T,S,B), z (T,S,B,A) the tanh, v (A,) -> dr (T,B,A), dkeys (S,B,A), dv (A,)"""
    raise NotImplementedError


# %%
check.additive_score_backward(additive_score_backward)

# %% [markdown]
r"""
### 2. Predict, then run

A batch of B = 4 sentences with S = 12 places each. All scores are equal. Someone takes the softmax over axis 1,
as in the middle of the picture above. What do the weights of *one* sentence sum to? Only then take away the
first `#` in the cell after the check.
"""

# %% exercise="weights_of_one_sentence" points=1
weights_of_one_sentence = None

# %%
check.weights_of_one_sentence(weights_of_one_sentence)

# %%
weights = softmax(np.zeros((12, 4)), axis=1)
# print(weights.sum(axis=0))

# %% [markdown]
r"""
### 3. Which one cannot ask?

Four scores. With one of them the weights, after the softmax over $i$, are the same for every query, whatever has
been learnt. Which? ($w$, $u$ and $v$ are vectors, $W$ is a matrix.)

- "a": $q_t \cdot (h_i W)$
- "b": $v \cdot \mathrm{relu}([q_t ; h_i] W)$
- "c": $\tanh(w \cdot q_t) + \tanh(u \cdot h_i)$
- "d": $(w \cdot q_t)(u \cdot h_i)$
"""

# %% exercise="score_that_cannot_ask" points=1
score_that_cannot_ask = None

# %%
check.score_that_cannot_ask(score_that_cannot_ask)

# %% [markdown]
r"""
### 4. Find the planted bugs

A mask is to give padding the weight 0, exactly, and leave a padded sentence as it is without its padding. This
one has two mistakes. Look at the columns: three sentences of 2, 4 and 1 places.
"""


# %%
def broken_masked_attention(e, hs, lengths):
    """e (S,B), hs (S,B,H), lengths (B,) -> alpha (S,B), context (B,H)"""
    real = np.arange(len(e))[:, None] <= lengths  # (S,B)
    powers = np.exp(e - e.max(axis=0))
    alpha = powers / powers.sum(axis=0) * real
    return alpha, (alpha[:, :, None] * hs).sum(axis=0)


rng = np.random.default_rng(0)
alpha, _ = broken_masked_attention(rng.standard_normal((4, 3)), np.zeros((4, 3, 1)), [2, 4, 1])
print(alpha)


# %% exercise="mended_masked_attention" points=2
def mended_masked_attention(e, hs, lengths):
    """e (S,B), hs (S,B,H), lengths (B,) -> alpha (S,B), context (B,H)"""
    raise NotImplementedError


# %%
check.mended_masked_attention(mended_masked_attention)

# %% [markdown]
r"""
### 5. Behind the gate

Write the way back through (9.19), (9.18) and (9.17). You are handed $ds_t$, whole. Give what comes back to
$s'_t$ *without* the part through attention, and to the context and the weights. `sigmoid_backward(dy, y)` and
`tanh_backward(dy, y)` are rule 1, with `y` the output.
"""


# %% exercise="gated_mix_backward" points=3
def gated_mix_backward(ds, Wg, Wn, cache):
    """ds (B,Q), Wg (Q+H,Q), Wn (H,Q), cache (s_new (B,Q), context (B,H), g (B,Q), n (B,Q))
    -> ds_new (B,Q), dcontext (B,H), dWg, dbg, dWn, dbn
    """
    raise NotImplementedError


# %%
check.gated_mix_backward(gated_mix_backward)

# %% [markdown]
r"""
### 6. Predict, then run: how sure is dot attention?

Query and keys have 256 numbers each, all drawn from the standard normal distribution. There are ten places,
and nothing has been learnt: no place is better than another. On average, how large is the largest of the ten
weights of dot attention? To within 0.1. (How large are its scores? Each is a sum of 256 products.)
"""

# %% exercise="largest_of_ten_weights" points=1
largest_of_ten_weights = None

# %%
check.largest_of_ten_weights(largest_of_ten_weights)

# %%
rng = np.random.default_rng(0)
e = (rng.standard_normal((2000, 1, 256)) * rng.standard_normal((2000, 10, 256))).sum(axis=2)
# print(softmax(e).max(axis=1).mean(), softmax(e / 16).max(axis=1).mean())

# %% [markdown]
r"""
### 7. Scaled dot attention

So one divides the score by the square root of the size, $e_{ti} = q_t \cdot h_i / \sqrt{H}$ (Vaswani et al. 2017;
in chapter 11 it is all there is). Write the whole way back, from the contexts to queries and `hs`. Keys and
values are both $h_i$.
"""


# %% exercise="scaled_dot_lookup_backward" points=3
def scaled_dot_lookup_backward(dcontexts, queries, hs, alphas):
    """dcontexts (T,B,H), queries (T,B,H), hs (S,B,H), alphas (T,S,B)
    -> dqueries (T,B,H), dhs (S,B,H)
    """
    raise NotImplementedError


# %%
check.scaled_dot_lookup_backward(scaled_dot_lookup_backward)

# %% [markdown]
r"""
### 8. Position and content together

Luong et al. (2015, §3.2) let the decoder say where to look *and* compare: it predicts a centre $p_t$ in the
source, and what is far from it counts less. With places counted from 0 and a fixed width $\sigma$,

$$w_{ti} = \alpha_{ti} \exp\left( -\frac{(i - p_t)^2}{2\sigma^2} \right) \qquad \mathrm{context}_t = \sum_i w_{ti} h_i$$

and $\alpha$ as in (9.2); the $w_{ti}$ need not sum to 1. Here is one step forward. Write the step back. $p_t$ is
one number a sentence: in how many places is it used?
"""


# %%
def local_attention(e, hs, p, sigma):
    """e (S,B), hs (S,B,H), p (B,) -> context (B,H), cache"""
    alpha = softmax(e, axis=0)  # (S,B)
    near = np.exp(-((np.arange(len(e))[:, None] - p) ** 2) / (2 * sigma**2))  # (S,B)
    context = ((alpha * near)[:, :, None] * hs).sum(axis=0)
    return context, (hs, alpha, near, p, sigma)


# %% exercise="local_attention_backward" points=4
def local_attention_backward(dcontext, cache):
    """dcontext (B,H), cache (hs, alpha, near, p, sigma) -> de (S,B), dhs (S,B,H), dp (B,)"""
    raise NotImplementedError


# %%
check.local_attention_backward(local_attention_backward)

# %% [markdown]
r"""
## What to read next

- D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
  translate](https://arxiv.org/abs/1409.0473), 2015: §3.1 the decoder and its attention, §5.2 and figure 3 heat
  maps of sentences, appendix A.1.2 why the keys are computed once.
- M.-T. Luong, H. Pham, C. Manning, [Effective approaches to attention-based neural machine
  translation](https://arxiv.org/abs/1508.04025), 2015: §3.1 dot, general, concat; §3.2 local attention; §3.3
  input feeding.
- A. Graves, [Generating sequences with recurrent neural networks](https://arxiv.org/abs/1308.0850), 2013,
  §5.1: a soft window that slides over a text. Attention by position, a year earlier, done so that it can only
  be right in order.
- K. Xu et al., [Show, attend and tell](https://arxiv.org/abs/1502.03044), 2015, §4: attention over the places
  of a picture, soft and hard.
- D. Britz et al., [Massive exploration of neural machine translation
  architectures](https://arxiv.org/abs/1703.03906), 2017: additive and multiplicative scores compared on large
  data.
- A. Vaswani et al., [Attention is all you need](https://arxiv.org/abs/1706.03762), 2017, §3.2.1: scaled dot
  attention, and why it is scaled.
- S. Jain, B. Wallace, [Attention is not explanation](https://arxiv.org/abs/1902.10186), 2019; and S. Wiegreffe,
  Y. Pinter, [Attention is not not explanation](https://arxiv.org/abs/1908.04626), 2019: what a heat map may be
  taken for.

Next is chapter 10, where a model with attention translates real sentences.
"""
