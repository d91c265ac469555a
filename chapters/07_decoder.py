# %% [markdown]
r"""
# 7 · The decoder and teacher forcing

解碼器與教師強制 · 解码器与教师强制 · the decoder and teacher forcing

The encoder has read the source and left one state behind. The decoder must make a sentence of it, one word at
a time. Each word it says depends on the words before it. Which words before it: those that it said itself, or
those that it should have said? While training one may choose. To choose the second is called teacher forcing.
It sounds like a detail, and it decides what is learnt.

At the end of this chapter you will have written a whole encoder-decoder in plain NumPy, on one page, forward
and backward; you will have followed the gradient from the loss through the decoder into the encoder; and you
will have trained it with a teacher, without one, and with half of one, and seen what each of them is good
for. You need Python and matrix products. What is used of the chapters before is said again in short.
"""

# %%
import inspect
import itertools

import numpy as np
from numpy.testing import assert_allclose as assert_close
from numpy.testing import assert_array_equal as assert_equal

from minis2s.data.batches import Example, make_batch
from minis2s.data.tasks import load_task
from minis2s.data.vocabulary import END, PAD, START
from minis2s.decoding import greedy
from minis2s.evaluation import evaluate
from minis2s.exercises import check
from minis2s.figures.teacher_forcing import teacher_forcing
from minis2s.functional import log_softmax, relu, relu_backward, softmax, softmax_backward
from minis2s.gradcheck import gradcheck
from minis2s.models import (
    ContextDecoder,
    Seq2Seq,
    Seq2SeqConfig,
    SignalConfig,
    SignalSeq2Seq,
    decoder,
    document,
)
from minis2s.models.bridge import Bridge
from minis2s.nn import LSTM, Embedding, MeanSquaredError, TiedLinear
from minis2s.optim import Adam, clip_by_global_norm, cosine
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing
from minis2s.training import Trainer
from minis2s.translator import Translator

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 000 (繁) | 基本架構 | the decoder begins with $h_T$; each output $y_t$ is the next input | where that stands in the equations |
| 000 (繁) | 編碼器-解碼器的數學公式 | $h'_1 = h_T$, $y_t = g(h'_t)$ | the update that is missing |
| 000 (繁) | PyTorch 實現編碼器-解碼器模型 | `model(src, tgt)`, and the loss against `tgt` | why that copies, and the shift |
| 001 (繁) | 2. 解碼器（Decoder） | the decoder's equations, without $h_T$ | (7.3), `<start>` and `<end>`; chapter 0 runs them |
| 002 (简) | 3.2 解码器的公式表示 | $s_t = g(s_{t-1}, y_{t-1}, h_n)$ | the context at every step, forward and backward |
| 002 (简) | 3.3 代码示例：简单的LSTM解码器 | a decoder that is fed `encoded` | what it should be fed |
| 002 (简) | 6.2 Seq2Seq模型的完整实现 | a loop that feeds back `output` | which model that is |
| 003 (简) | 3.2 解码器操作步骤, 4.2 解码器数学模型 | $W_{hs} h_N$ in every step | the same |
| 003 (简) | 5.2 解码器实现 | embedding, ReLU, LSTM, linear, one token at a time | the loop around it |
| 004 (简) | Seq2Seq 模型的工作流程 | `<start>`, `<end>` | what they are for, in the product of probabilities |
| 004 (简) | Seq2Seq 模型的实现; 注意事项 2. 教师强制（Teacher Forcing） | `teacher_forcing_ratio=0.5` | what is learnt with 1, with 0.5 and with 0 |

Chapter 5 says what is done with the logits, chapter 6 where the state comes from that the decoder begins with.
Chapter 8 asks how much one state can hold, and chapter 9 lets the decoder look back at all of them.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 編碼器、解碼器 | 编码器、解码器 | encoder, decoder |
| 起始符、結束符 | 起始符、结束符 | start token, end token |
| 詞元 | 词元 | token |
| 目標序列 | 目标序列 | target sequence |
| 右移一位 | 右移一位 | shifted right by one |
| 條件機率 | 条件概率 | conditional probability |
| 自迴歸 | 自回归 | autoregressive |
| 最大概似 | 最大似然 | maximum likelihood |
| 教師強制 | 教师强制 | teacher forcing |
| 自由運行 | 自由运行 | free running |
| 排程取樣 | 计划采样 | scheduled sampling |
| 曝光偏差 | 曝光偏差 | exposure bias |
| 貪婪解碼 | 贪心解码 | greedy decoding |
| 上下文向量 | 上下文向量 | context vector |
| 權重綁定 | 权重绑定 | tied weights |
| 因果性 | 因果性 | causality |
| 鏈式法則 | 链式法则 | chain rule |
| 隨時間反向傳播 | 随时间反向传播 | backpropagation through time, BPTT |
"""

# %% [markdown]
r"""
## Symbols

| in the documents | here | in the code | what it is | shape |
|---|---|---|---|---|
| $h_T$ (000), $h_n$ (002), $h_N$ (003), $c$ (004) | $h_S$ | `hs[-1]` | the encoder's last state | (B,H) |
| $h'_t$ (000), $s_t$ (002, 003), `hidden` (004) | $s_t$ | `s`, all of them `ss` | the decoder's state | (B,H) |
| $y_{t-1}$; `tgt` (000), `trg` (004) | $y_0 \ldots y_{T-1}$ | `y` | what is fed: `<start>` $y_1 \ldots$ | (T,B) |
| $y_t$; `tgt` again, `trg[1:]` | $y_1 \ldots y_T$ | `targets` | what should be said: $y_1 \ldots$ `<end>` | (T,B) |
| | $x_t$ | `x` | the vector of $y_{t-1}$, row $y_{t-1}$ of $E$ | (B,E) |
| | $\mathrm{logits}_t$ | `logits` | scores before the softmax | (B,V) |
| $y_t$ (001, 002, 003) | $p_t$ | `p` | the distribution, softmax of the logits | (B,V) |
| $W_{ys}$, $W_{ss}$, $b_s$ (003) | $W_x$, $W_h$, $b$ | `Wx`, `Wh`, `b` | weights of the recurrent cell | (E,H), (H,H), (H,) |
| $W_{hs}$ (003) | rows of $W_x$ | `Wx[E:]` | the weights that meet the context | (H,H) |
| $W$, $b$ (002), $W_{sy}$, $b_y$ (003) | $W_o$, $b_o$ (chapter 2: $W_y$, $b_y$) | `Wo`, `bo` | the output layer | (H,V), (V,) |
| $h_n$ at every step (002), $h_N$ (003) | $c$ | `c` | the context, here $h_S$ | (B,H) |
| `teacher_forcing_ratio` (004) | | `teacher_forcing`, `ratio` | the share of steps fed from the target | |
| `teacher_force` (004) | | `told` | of each step: is it fed from the target? | (T,) |
| `top1` (004) | $\hat y_t$ | `argmax` | the token that the decoder finds likeliest | (B,) |

S is the length of the source, T that of the target, `<end>` included; they need not be equal (000 writes T
for both). B is the number of sentences side by side, E the size of a word's vector, H that of a state, V that
of the vocabulary. Some letters have two meanings, and you will meet both:

- 000's $g$ is the output layer, 002's $g$ is the recurrent cell.
- $c$ is the context here and in 002 to 004; in the LSTM of chapter 3 it is the cell.
- $y_t$ is a distribution in one line of the documents and a token in the next. Here it is the token.
- $E$ is the table of the words' vectors; in shapes, (B,E), it is the size of one of them.
- Paper counts steps from 1, Python from 0. `y[0]` is $y_0$, which is `<start>`, and `ss[t]` is $s_t$. But the
  first prediction stands in `logits[0]`, and its target in `targets[0]`.
"""

# %% [markdown]
r"""
## The idea

Document 004 translates "Hello world" to 你好，世界. Here is the whole model, unrolled: two steps of the encoder, four
of the decoder. (The next cell only draws it; read on below.)
"""

# %%
READ, SAID = ["Hello", "world"], ["你好", "，", "世界", "<end>"]
NODES = {f"x{t}": (1.4 * t, 0, word) for t, word in enumerate(READ, start=1)}
NODES |= {f"h{t}": (1.4 * t, 1, f"$h_{t}$") for t in (1, 2)}
for t, (fed, word) in enumerate(zip(["<start>", *SAID], SAID), start=1):
    column = {"f": fed, "s": f"$s_{t}$", "p": f"$p_{t}$", "y": word}
    NODES |= {f"{row}{t}": (3 + 1.9 * t, y, column[row]) for y, row in enumerate(column)}
FORWARD = "x1 h1,x2 h2,h1 h2,h2 s1,s1 s2,s2 s3,s3 s4," + ",".join(
    f"f{t} s{t},s{t} p{t}" for t in (1, 2, 3, 4)
)
ROWS = {"fed": 0, "state": 1, "says": 2, "target": 3}


def draw_model(feed="y", back=(), said=()):
    """feed: from which row the next step is fed, "y" or "p"; back: where gradients go."""
    with drawing((9.6, 3.4)) as figure:
        ax = figure.add_subplot(xlim=(0.7, 11.9), ylim=(-0.4, 3.4))
        ax.axis("off")
        boxes = {}
        for name, (x, y, label) in NODES.items():
            look = {"boxstyle": "round,pad=0.35", "ec": "none" if name[0] == "y" else "0.4"}
            look["fc"] = "#DCEBF7" if name[0] in "hs" else "white"
            maths = "$" in label
            text = ax.text(x, y, label, ha="center", va="center", parse_math=maths, bbox=look)
            boxes[name] = text.get_bbox_patch()

        def arrow(start, end, **look):
            look = {"arrowstyle": "->", "color": "0.3", "shrinkA": 1, "shrinkB": 1} | look
            ax.annotate("", end, start, arrowprops=look)

        for start, end in map(str.split, FORWARD.split(",")):
            width = 3 if start + end == "h2s1" else 1
            ends = {"patchA": boxes[start], "patchB": boxes[end], "lw": width}
            arrow(NODES[start][:2], NODES[end][:2], **ends)
        for t in (1, 2, 3):
            (x, y, _), middle = NODES[f"{feed}{t}"], NODES[f"f{t}"][0] + 0.95
            look = {"color": COLOURS[0], "lw": 1.3, "linestyle": (0, (4, 2))}
            ax.plot([x + 0.4, middle, middle], [y, y, 0], marker="", **look)
            arrow((middle, 0), (NODES[f"f{t + 1}"][0] - 0.4, 0), **look | {"linestyle": "-"})
        for start, end in map(str.split, back):
            (x, y, _), (to_x, to_y, _) = NODES[start], NODES[end]
            dx, dy = (0.17, 0) if x == to_x else (0, 0.2)
            look = {"color": COLOURS[1], "lw": 1.8, "shrinkA": 12, "shrinkB": 12, "linestyle": "--"}
            arrow((x + dx, y + dy), (to_x + dx, to_y + dy), **look)
        for name, y in ROWS.items():
            ax.text(11.3, y, name, color="0.45", size=9, va="center")
        for x, y, label in said:
            ax.text(x, y, label, color=COLOURS[1], size=10, ha="center", parse_math=True)
    return figure


draw_model()

# %% [markdown]
r"""
- **Only the thick arrow** carries anything of the source to the decoder: $h_2$, a row of H numbers, in which
  the decoder begins. This is the plainest kind. Others are told the source again at every step, see below.
- **Each column** of the decoder is one step. It is fed a token, changes its state, and gives a distribution
  $p_t$ over the whole vocabulary, from which the next token is taken.
- **The first column** has no token before it. So it is fed a token that means nothing but "begin": `<start>`
  (起始符).
- **The last column** must say "that was all": `<end>` (結束符 / 结束符). Without it nobody would know when to stop.
- **The dashed lines** say where a step's input comes from. Here, while training, it is the target (目標 / 目标),
  one step late: the lower row is the upper row *shifted by one*. To say 世界 the decoder is given 你好 ， and not
  世界.

When the model is used there is no target. Then there is only one thing that can be fed: what was just said.
"""

# %%
draw_model(feed="p")

# %% [markdown]
r"""
The two pictures differ in three dashed lines. The upper one is **teacher forcing** (教師強制 / 教师强制): whatever
the pupil says, the teacher puts it right before the pupil goes on. The lower one is **free running** (自由運行 /
自由运行): the pupil goes on from whatever was said. The second is what we want in the end. Why then train with
the first? There are two answers. One is that a pupil whose first word is wrong learns little from the rest of
the sentence. The better one is in the next section: the first picture is what the probability of a sentence *is*.
"""

# %% [markdown]
r"""
## The equations

### The probability of a sentence

What we want of the model is a distribution over all target sentences, for every source: $p(y \mid x)$. There
are far too many sentences for one large table. But a sentence can be said word by word. By the definition of
a conditional probability (條件機率 / 条件概率), $p(a, b) = p(a) \cdot p(b \mid a)$: first $a$ must happen, and then
$b$, given that $a$ did. For three tokens, apply it twice:

$$p(y_1, y_2, y_3 \mid x) = p(y_1 \mid x) \cdot p(y_2, y_3 \mid y_1, x)$$

$$p(y_2, y_3 \mid y_1, x) = p(y_2 \mid y_1, x) \cdot p(y_3 \mid y_1, y_2, x)$$

and for any T

$$p(y_1 \ldots y_T \mid x) = \prod_{t=1}^{T} p(y_t \mid y_1 \ldots y_{t-1}, x)$$

Nothing has been assumed yet. This is true of every distribution over sentences. A model that gives one factor
after the other is called autoregressive (自迴歸 / 自回归).

Each factor is a distribution over the vocabulary, and that is just what one column of the picture gives. The last
token is always `<end>`. It makes sentences of all lengths comparable: 你好 costs the probability of 你好 *and* that of
stopping there.

### What that means for training

Train the model so that it gives the sentences of the data a high probability (最大概似 / 最大似然, maximum
likelihood). The logarithm turns the product into a sum, and a minus makes it a cost:

$$-\log p(y \mid x) = \sum_{t=1}^{T} -\log p(y_t \mid y_1 \ldots y_{t-1}, x)$$

This is the cross-entropy of chapter 5, (5.2), added up over the steps. Now look at what stands behind the
bar. It is $y_1 \ldots y_{t-1}$, the tokens *of this very sentence*. Not those that the model would have
preferred. So to compute the probability of the target, the decoder has to be fed the target. Teacher forcing
is no trick to train faster. **It is the likelihood**, and the shift by one is its bar: to the left of the bar
stands $y_t$, to the right what comes before $y_t$.

And if $y_t$ itself is fed at step $t$, as in the program of 000? Then the factor is $p(y_t \mid y_t)$. It is
1 for whoever can copy.

### The state

The equations of a decoder say how the factors are computed. It must remember $y_1 \ldots y_{t-1}$ and $x$
somehow, and all that it has for that is its state:

$$s_t = \mathrm{cell}(y_{t-1}, s_{t-1}), \qquad s_0 = h_S \tag{7.3}$$

$$\mathrm{logits}_t = \mathrm{features}_t W_o + b_o \tag{7.2}$$

$$p_t = \mathrm{softmax}(\mathrm{logits}_t)$$

The cell may be any of chapters 1, 3 and 4. In this chapter it is the plain one, with $x_t$ the vector of the token
$y_{t-1}$, row $y_{t-1}$ of a table $E$ (V,E):

$$x_t = E_{y_{t-1}} \tag{6.1}$$

$$s_t = \tanh(x_t W_x + s_{t-1} W_h + b)$$

$x_t$ is (B,E) and $W_x$ is (E,H); $s_{t-1}$ is (B,H) and $W_h$ is (H,H); so $s_t$ is (B,H). The features are
what the output layer reads, in the plain decoder just $s_t$; $W_o$ is (H,V), so the logits are (B,V). The
first output belongs to $s_1$, not to $s_0$: the decoder takes a step before it says anything.

Now an assumption *has* been made: that H numbers are enough to hold the source and all that was said.

(The numbers are those in the library's own files, [decoder.py](../minis2s/models/decoder.py) and its
neighbours. There the output layer's parameters are called `W` and `b` like any linear layer's.)

### Where the first state comes from

If the encoder reads both ways (chapter 6) it leaves two states, one of each direction, and the decoder needs
one. A small layer, the bridge, makes it; $W_b$ is (2H,H):

$$s_0 = \tanh([\overrightarrow{h} ; \overleftarrow{h}] W_b + b_b) \tag{7.1}$$

The semicolon puts two rows side by side, (B,H) and (B,H) to (B,2H). (Bahdanau et al. 2015 use the
right-to-left half alone.)

### The context at every step

In (7.3) the source is told once, in $s_0$. Whatever the decoder will need of it in step 20 must survive twenty
cells. 002 (3.2) and 003 (4.2), after Cho et al. (2014), tell it again at every step. With $c = h_S$:

$$s_t = \mathrm{cell}([y_{t-1} ; c], s_{t-1}) \tag{7.5}$$

$$\mathrm{features}_t = s_t \quad \text{or} \quad [s_t ; c ; y_{t-1}] \tag{7.6}$$

where in both $y_{t-1}$ stands for its vector $x_t$. The cell's input is now (B,E+H), so $W_x$ is (E+H,H). Its
first E rows meet $x_t$ and its last H rows meet $c$:

$$[x_t ; c] W_x = x_t W_x^{\mathrm{upper}} + c W_x^{\mathrm{lower}}$$

In 003 these are two matrices, $W_{ys}$ and $W_{hs}$ (there transposed, since its vectors are columns). The
second form of (7.6) lets the output layer see all three as well; then $W_o$ is (2H+E,V).

### Tied weights

The table $E$ has a row of E numbers for every word, and $W_o$ a column of H numbers for every word. If E = H
one may use the same numbers for both (Press and Wolf 2017):

$$\mathrm{logits}_t = s_t E^{\top} + b_o \tag{7.4}$$

The logit of a word is then the scalar product of the state with that word's own vector: the word is called
for by what looks like it. And VH numbers less have to be learnt.

### Vectors instead of words

Document 000 has no words. Its $y_t$ is a row of numbers, of which the loss is the mean squared error (5.4):

$$s_t = \mathrm{cell}(y_{t-1}, s_{t-1}), \qquad s_0 = h_S, \qquad y_0 = 0 \tag{7.7}$$

$$y_t = s_t W_o + b_o \tag{7.8}$$

A row of zeros stands for `<start>`. The rest is the same, with one difference that will matter: a vector that
is fed back is not a choice.

### What is fed

Let each step be *told* or not. If it is told it is fed the target's token. If not, it is fed the token that the
decoder itself found likeliest a step before:

$$\hat y_t = \arg\max_j (\mathrm{logits}_t)_j$$

- All steps told: teacher forcing (Williams and Zipser 1989).
- None but the first: free running.
- Each told with probability $\epsilon$, by lot: scheduled sampling (Bengio et al. 2015), if $\epsilon$ goes
  down in the course of training; with a constant $\epsilon$ it is the `teacher_forcing_ratio` of 004.

As in 004, one lot is drawn for a step and the whole batch. The first step is always told: `<start>`.

A step that is told does not have to wait for the output of the step before. So the lots cut the sentence into
**runs of known inputs**: the first step of a run has to wait for the decoder's own guess, all others are
known beforehand. A run can be handed to the recurrent layer as one sequence. This is how `minis2s` does it,
and so a teacher saves time as well: if all steps are told the whole sentence is one run. (Below, steps are
counted from 0, as in the code.)
"""

# %%
told = [True, True, True, False, True, False, False, True]
starts = [0, *(t for t in range(len(told)) if not told[t])]
for start, stop in zip(starts, [*starts[1:], len(told)]):
    first = "<start>" if start == 0 else "own guess"
    print(f"steps {start} to {stop - 1}: {first}", *(f"y[{t}]" for t in range(start + 1, stop)))

# %% [markdown]
r"""
## The backward pass, step by step

### Five rules

They were derived in chapters 1 and 3. Here they are in a line each. $dv$ is one name: the gradient of the
loss $L$ with respect to $v$, an array of the shape of $v$, which says for each number in $v$ how much $L$
rises per unit that this number is raised by little.

| | forward | backward | because |
|---|---|---|---|
| 1 | $y = \varphi(x)$, each number by itself | $dx = dy \odot \varphi'(x)$ | a unit of $x$ is $\varphi'$ units of $y$ |
| 2 | $y = u + v$ | $du = dy$, $dv = dy$ | a unit of $u$ is a unit of $y$ |
| 3 | $y = u \odot v$ | $du = dy \odot v$, $dv = dy \odot u$ | a unit of $u$ is $v$ units of $y$ |
| 4 | $x$ used in two places | $dx$ = what comes from one + what comes from the other | both effects add up |
| 5 | $Y = X W$ | $dX = (dY) W^{\top}$, $dW = X^{\top} (dY)$ | rules 3 and 4, entry by entry |

Rule 1 is the chain rule (鏈式法則 / 链式法则): raise $x$ by a little $\varepsilon$, and $y$ rises by
$\varphi' \varepsilon$, and the loss by $dy$ for each unit of that. Here $\varphi$ is the tanh, whose
derivative is $1 - \tanh^2$ (with $s = e^x - e^{-x}$ and $k = e^x + e^{-x}$, each the other's derivative, it
is $(s/k)' = (k \cdot k - s \cdot s)/k^2$).

Rule 5 in numbers. $Y_{nm} = \sum_d X_{nd} W_{dm}$. One number $X_{nd}$ is used in row $n$ of $Y$, once in
every column $m$, and there it is multiplied by $W_{dm}$. One number $W_{dm}$ is used in column $m$ of $Y$,
once in every row $n$, and there it is multiplied by $X_{nd}$. Each use gives the gradient times the other
side (rule 3), and the uses are summed (rule 4):

$$dX_{nd} = \sum_m dY_{nm} W_{dm} \qquad dW_{dm} = \sum_n X_{nd} dY_{nm}$$

which are the two matrix products of the table. A bias, added to every row, is used once in each of them:
$db_m = \sum_n dY_{nm}$.

Rule 4 will be needed more often here than anywhere: for the state, for the weights, for the words, for the
context, and for the encoder's last state.

Here is the way that we shall go: from each $p_t$ down into the state, along the states to the left, over the
thick arrow into the encoder, and from every state down to the word that it was fed. (Dashed and orange:
gradients. Where two of them meet in a state, as in $s_3$, they are summed.)
"""

# %%
BACK = ["p1 s1", "p2 s2", "p3 s3", "p4 s4", "s4 s3", "s3 s2", "s2 s1", "s1 h2", "h2 h1"]
BACK += ["s1 f1", "s2 f2", "s3 f3", "s4 f4", "h1 x1", "h2 x2"]
NOTES = [(9.2, 1.42, "sum"), (3.85, 1.42, "$ds_0 = dh_S$")]
draw_model("y", BACK, NOTES)

# %% [markdown]
r"""
### The loss and the softmax

Let $n$ be the number of tokens in the batch, padding not counted, and write $a$ for the logits of one of
them, whose target is $y$. Its part of the loss is, by (5.2),

$$\frac1n \left( \log \sum_k e^{a_k} - a_y \right)$$

Raise $a_j$. The logarithm's slope is 1 over its argument, and the argument's slope in $a_j$ is $e^{a_j}$:
together $e^{a_j} / \sum_k e^{a_k}$, which is $p_j$. The second term falls by one for each unit if $j = y$,
else not at all. So

$$d\mathrm{logits}_j = \frac1n \left( p_j - [j = y] \right) \tag{5.2'}$$

What was said, minus what should have been said. This is done for every step by itself, before any walking back.

### The output layer

$\mathrm{logits}_t = s_t W_o + b_o$ is a matrix product and a bias (rules 5 and 2). The state gets

$$ds_t^{\mathrm{out}} = d\mathrm{logits}_t W_o^{\top} \tag{7.2'}$$

(B,V) times (V,H), so (B,H). The weights are used in every step, and so (rule 4)

$$dW_o = \sum_t s_t^{\top} d\mathrm{logits}_t \qquad db_o = \sum_t \sum_{\text{rows}} d\mathrm{logits}_t$$

(H,B) times (B,V), so (H,V). The bias was added to every row of every step, so it gets the sum of all of them.

### The state

$s_t$ is used twice: by the output layer of step $t$ and by the cell of step $t+1$. Rule 4:

$$ds_t = ds_t^{\mathrm{out}} + ds_t^{\mathrm{next}}$$

At the last step nothing comes from a next one, and $ds_T^{\mathrm{next}} = 0$. Then back through the cell. By
rule 1 through the tanh, to its argument $a_t$ (again (B,H); the logits are done with):

$$da_t = ds_t \odot (1 - s_t^2) \tag{1.2'}$$

and by rule 5 to the state before, which will be what step $t-1$ is handed as its "next":

$$ds_{t-1}^{\mathrm{next}} = da_t W_h^{\top} \tag{7.3'}$$

Its weights get, again summed over the steps,

$$dW_x = \sum_t x_t^{\top} da_t \qquad dW_h = \sum_t s_{t-1}^{\top} da_t \qquad db = \sum_t \sum_{\text{rows}} da_t$$

and its input gets $dx_t = da_t W_x^{\top}$, (B,H) times (H,E), so (B,E).

(For an LSTM or GRU put its own step backward here, from chapter 3 or 4. Nothing else changes.)

### The words that were fed

$x_t$ is a row of the table $E$, copied. A copy hands its gradient back as it is. A word may be fed in many
places, in several sentences and steps; each place brings something back to the same row, and rule 4 says:
sum.

$$dE_v = \sum_{t, b \text{ with } y_{t-1,b} = v} dx_{t,b} \tag{6.1'}$$

In NumPy this is `np.add.at(dE, ids, dx)`. (`dE[ids] += dx` would not do: of a word that stands twice in `ids`
only one would be counted.)

### Into the encoder

Step 1 hands $ds_0$ to the left. Nothing else uses $s_0$, and $s_0$ *is* $h_S$. So

$$dh_S = ds_0$$

and here the encoder's own walk begins: at its last step, with this gradient and no other, since nobody looked
at its other states. So each $h_t$ but the last gets only what comes from the next step. With the encoder's own
weights, and $x_t$ the vector of the source's word $t$,

$$da_t = dh_t \odot (1 - h_t^2) \qquad dh_{t-1} = da_t W_h^{\top} \qquad dx_t = da_t W_x^{\top}$$

$$dW_x = \sum_t x_t^{\top} da_t \qquad dW_h = \sum_t h_{t-1}^{\top} da_t \qquad db = \sum_t \sum_{\text{rows}} da_t$$

for $t = S \ldots 1$, and from $dx_t$ to the source's table as in (6.1'). These are the decoder's lines with
another letter, and without the output layer. All that the encoder ever learns comes through the one (B,H)
array $dh_S$. If no logit depended on $s_0$, it would be 0.

With a bridge, (7.1), it is rule 1 and rule 5 once more:

$$da_b = ds_0 \odot (1 - s_0^2)$$

$$[d\overrightarrow{h} ; d\overleftarrow{h}] = da_b W_b^{\top} \tag{7.1'}$$

(B,H) times (H,2H), so (B,2H); its left half goes to the one direction, its right half to the other. And
$dW_b = [\overrightarrow{h} ; \overleftarrow{h}]^{\top} da_b$.

### The context at every step

Forward, rows were put side by side. Backward, they are cut apart again: each part gets the columns that it
gave. From $\mathrm{features}_t = [s_t ; c ; x_t]$, with (7.2') giving the gradient of the features, (B,2H+E),

$$[ds_t^{\mathrm{out}} ; dc_t^{\mathrm{out}} ; dx_t^{\mathrm{out}}] = d\mathrm{features}_t \tag{7.6'}$$

and from the cell's input $[x_t ; c]$

$$[dx_t^{\mathrm{in}} ; dc_t^{\mathrm{in}}] = da_t W_x^{\top} \tag{7.5'}$$

(B,H) times (H,E+H), so (B,E+H). $x_t$ was used twice, and gets the sum of two. The context was used in every step,
twice in each, and it is the first state besides. So, by rule 4,

$$dx_t = dx_t^{\mathrm{in}} + dx_t^{\mathrm{out}}$$

$$dh_S = ds_0 + \sum_t \left( dc_t^{\mathrm{in}} + dc_t^{\mathrm{out}} \right)$$

The encoder now hears from every step directly, and not only through the chain of states.

### Tied weights

In (7.4) stands $E^{\top}$ where $W_o$ stood. With $W_o = E^{\top}$, (H,V), (7.2') becomes

$$ds_t^{\mathrm{out}} = d\mathrm{logits}_t E \tag{7.4'}$$

and $dW_o = \sum_t s_t^{\top} d\mathrm{logits}_t$ is the gradient of the transposed table. So the table itself
gets its transpose,

$$dE^{\mathrm{out}} = \sum_t d\mathrm{logits}_t^{\top} s_t$$

(V,B) times (B,H), so (V,H). It comes on top of (6.1'), for the table is used in two places. (By (6.1') only
words that were fed get a gradient; by this one all words do.)

### No way back through a choice

Now let a step not be told. It is fed $\hat y_t = \arg\max_j (\mathrm{logits}_t)_j$. Does $\mathrm{logits}_t$
hear anything from step $t+1$ by this way?

Raise a logit by a little. Either the largest one stays the largest: then $\hat y_t$ is the same, the same row
of $E$ is fed, and step $t+1$ notices nothing. The derivative is 0. Or two of them were exactly equal, and the
choice jumps: then there is no derivative. But that is so at single points only, and nobody ever hits one. So
**no gradient flows through the choice**, and the backward pass is the one above, with the tokens that *were*
fed in place of $y_{t-1}$. Two ways remain open: from $s_{t+1}$ back to $s_t$ along the states, and from
$s_{t+1}$ down to the row of $E$ that was fed.

This is exact, and no approximation. But the loss as a function of the weights now has jumps, and of these the
gradient knows nothing. There will be a picture of it.

### A way back through a vector

In document 000's model (7.8) the output is a vector. Fed back, it is no choice; it is simply used twice, by
the loss of step $t$ and as input of step $t+1$. Let $dx_{t+1}$ be what comes back to the input of step $t+1$.
If it was the model's own output that was fed there, rule 4 says

$$dy_t = dy_t^{\mathrm{loss}} + dx_{t+1}$$

and if the target was fed, $dy_t = dy_t^{\mathrm{loss}}$. From there on it is as before,

$$ds_t^{\mathrm{out}} = dy_t W_o^{\top} \tag{7.8'}$$

$$ds_{t-1}^{\mathrm{next}} = da_t W_h^{\top}, \qquad dx_t = da_t W_x^{\top} \tag{7.7'}$$

with $da_t = (ds_t^{\mathrm{out}} + ds_t^{\mathrm{next}}) \odot (1 - s_t^2)$. Only one thing is new in the
order: step $t+1$ must have been taken back before $dy_t$ is known, so the output layer can no longer be done
for all steps at once.
"""

# %% [markdown]
r"""
## By hand

One page. Write the sentence, then the line that mirrors it. First the cell, which encoder and decoder share as a
function (each with weights of its own).
"""


# %%
def cell(x, s_prev, Wx, Wh, b):
    """x (B,E), s_prev (B,H) -> s (B,H)"""
    return np.tanh(x @ Wx + s_prev @ Wh + b)  # (1.1) (1.2)


def cell_backward(ds, x, s_prev, s, Wx, Wh):
    """ds (B,H) -> dx (B,E), ds_prev (B,H); dWx (E,H), dWh (H,H), db (H,) of this step"""
    da = ds * (1 - s**2)  # (1.2)'
    return da @ Wx.T, da @ Wh.T, x.T @ da, s_prev.T @ da, da.sum(axis=0)  # (1.1)'


# %% [markdown]
r"""
The encoder reads, and leaves its last state. Backward it is handed the gradient of that.
"""


# %%
def encode(source, E, Wx, Wh, b):
    """source (S,B) ids -> hs: h_0 = 0, h_1 … h_S, (B,H) each"""
    hs = [np.zeros((source.shape[1], len(Wh)))]
    for ids in source:
        hs.append(cell(E[ids], hs[-1], Wx, Wh, b))  # (6.1)
    return hs


def encode_backward(dh, source, hs, E, Wx, Wh, b):
    """dh (B,H), of h_S -> the gradients of E, Wx, Wh, b"""
    dE, dWx, dWh, db = map(np.zeros_like, (E, Wx, Wh, b))
    for t in reversed(range(len(source))):
        dx, dh, *dweights = cell_backward(dh, E[source[t]], hs[t], hs[t + 1], Wx, Wh)
        np.add.at(dE, source[t], dx)  # (6.1)'
        dWx, dWh, db = dWx + dweights[0], dWh + dweights[1], db + dweights[2]  # used S times
    return dE, dWx, dWh, db


# %% [markdown]
r"""
The decoder. `y` is `<start>` $y_1 \ldots$, `told` says of each step whether it is fed from `y`, `s` is $s_0$.
"""


# %%
def decode(y, told, s, E, Wx, Wh, b, Wo, bo):
    """y (T,B) ids, told (T,), s (B,H) -> logits (T,B,V), cache"""
    fed, ss, logits = y.copy(), [s], []
    for t in range(len(y)):
        if not told[t]:
            fed[t] = logits[-1].argmax(axis=1)  # its own guess, (B,)
        x = E[fed[t]]  # (6.1)  (B,E)
        ss.append(cell(x, ss[-1], Wx, Wh, b))  # (7.3)  (B,H)
        logits.append(ss[-1] @ Wo + bo)  # (7.2)  (B,V)
    return np.stack(logits), (fed, ss)


def decode_backward(dlogits, cache, E, Wx, Wh, b, Wo, bo):
    """dlogits (T,B,V) -> ds_0 (B,H), the gradients of E, Wx, Wh, b, Wo, bo"""
    fed, ss = cache
    dE, dWx, dWh, db, dWo, dbo = map(np.zeros_like, (E, Wx, Wh, b, Wo, bo))
    ds = np.zeros_like(ss[0])  # nothing comes from behind the end
    for t in reversed(range(len(fed))):
        dWo += ss[t + 1].T @ dlogits[t]
        dbo += dlogits[t].sum(axis=0)
        ds = ds + dlogits[t] @ Wo.T  # (7.2)'; the state is used twice: sum
        dx, ds, *dweights = cell_backward(ds, E[fed[t]], ss[t], ss[t + 1], Wx, Wh)  # (7.3)'
        np.add.at(dE, fed[t], dx)  # (6.1)'
        dWx, dWh, db = dWx + dweights[0], dWh + dweights[1], db + dweights[2]  # used T times
    return ds, (dE, dWx, dWh, db, dWo, dbo)


# %% [markdown]
r"""
Look for `told` in the second function. It is not there. What was fed is in the cache, and who chose it does not
matter.

The loss, and what the whole model is: the encoder's last state is the decoder's first, and on the way back the
gradient of the one is the gradient of the other.
"""


# %%
def cross_entropy(logits, targets):
    """logits (T,B,V), targets (T,B) ids -> loss, dlogits (T,B,V)"""
    wanted = np.eye(logits.shape[2])[targets]  # one-hot, (T,B,V)
    loss = -(wanted * log_softmax(logits)).sum() / targets.size  # (5.2) (5.3)
    return loss, (softmax(logits) - wanted) / targets.size  # (5.2)' (5.3)'


class Seq2SeqByHand:
    """source (S,B) ids, y (T,B) ids, told (T,) -> logits (T,B,V), cache"""

    def __init__(self, V, E, H, rng, scale):
        shapes = {"E": (V, E), "Wx": (E, H), "Wh": (H, H), "b": (H,)}
        self.encoder = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
        shapes |= {"Wo": (H, V), "bo": (V,)}
        self.decoder = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.params = {f"encoder.{name}": array for name, array in self.encoder.items()}
        self.params |= {f"decoder.{name}": array for name, array in self.decoder.items()}
        self.grads = {name: np.zeros_like(array) for name, array in self.params.items()}

    def forward(self, source, y, told):
        hs = encode(source, **self.encoder)
        logits, decoder_cache = decode(y, told, hs[-1], **self.decoder)  # s_0 = h_S
        return logits, (source, hs, decoder_cache)

    def backward(self, dlogits, cache):
        source, hs, decoder_cache = cache
        dh, of_decoder = decode_backward(dlogits, decoder_cache, **self.decoder)  # dh_S = ds_0
        of_encoder = encode_backward(dh, source, hs, **self.encoder)
        for name, grad in zip(self.grads, [*of_encoder, *of_decoder]):
            self.grads[name] += grad


# %% [markdown]
r"""
That was the page. All sentences in a batch have the same length here, so that there is no padding; chapters 5
and 6 have what is needed otherwise.

Is it a distribution over sentences? Take five words and all $5^3$ sentences of three words, and let a model
with random weights give each of them its probability, with the teacher. They should sum to 1.
"""

# %%
model = Seq2SeqByHand(V=5, E=4, H=3, rng=np.random.default_rng(0), scale=1.0)
targets = np.array(list(itertools.product(range(5), repeat=3))).T  # (3,125)
y = np.concatenate([np.full((1, 125), START), targets[:-1]])
source = np.tile([[4], [2], [3]], 125)  # one source, (3,125)


def probabilities(logits, targets):
    """What each sentence is given: the product over its steps.  (T,B,V), (T,B) -> (B,)"""
    each = np.take_along_axis(softmax(logits), targets[..., None], axis=2)[..., 0]
    return each.prod(axis=0)


logits, _ = model.forward(source, y, told=[True] * 3)
p = probabilities(logits, targets)
print(f"the likeliest sentence {targets[:, p.argmax()]} has {p.max():.4f}; all {p.sum():.6f}")

# %% [markdown]
r"""
### The other connections

The bridge, forward and backward:
"""


# %%
def bridge(ahead, back, Wb, bb):
    """ahead (B,H), back (B,H), the encoder's last states -> s_0 (B,H), cache"""
    pair = np.concatenate([ahead, back], axis=1)  # (B,2H)
    s0 = np.tanh(pair @ Wb + bb)  # (7.1)
    return s0, (pair, s0)


def bridge_backward(ds0, cache, Wb):
    """ds0 (B,H) -> dahead (B,H), dback (B,H), dWb (2H,H), dbb (H,)"""
    pair, s0 = cache
    da = ds0 * (1 - s0**2)
    dahead, dback = np.split(da @ Wb.T, 2, axis=1)  # (7.1)'
    return dahead, dback, pair.T @ da, da.sum(axis=0)


# %% [markdown]
r"""
A step with the context at every step. Its step backward is an exercise.
"""


# %%
def context_step(x, c, s_prev, Wx, Wh, b, Wo, bo):
    """x (B,E), c (B,H), s_prev (B,H) -> s (B,H), logits (B,V);  Wx (E+H,H), Wo (2H+E,V)"""
    s = cell(np.concatenate([x, c], axis=1), s_prev, Wx, Wh, b)  # (7.5)
    features = np.concatenate([s, c, x], axis=1)  # (7.6)
    return s, features @ Wo + bo  # (7.2)


# %% [markdown]
r"""
The tied output layer:
"""


# %%
def tied_output(ss, E, bo):
    """ss (T,B,H), E (V,H) -> logits (T,B,V)"""
    return ss @ E.T + bo  # (7.4)


def tied_output_backward(dlogits, ss, E):
    """dlogits (T,B,V) -> dss (T,B,H); dE (V,H), to be added to that of the embedding; dbo (V,)"""
    dss = dlogits @ E  # (7.4)'
    dE = np.einsum("tbv,tbh->vh", dlogits, ss)  # over all steps and rows
    return dss, dE, dlogits.sum(axis=(0, 1))


# %% [markdown]
r"""
And document 000's decoder over vectors. The line that the decoder over words does not have is `dy[t - 1] += dx`.
"""


# %%
def decode_vectors(y, told, s, Wx, Wh, b, Wo, bo):
    """y (T,B,D) vectors 0 y_1 …, told (T,), s (B,H) -> outputs (T,B,D), cache"""
    fed, ss, outputs = y.copy(), [s], []
    for t in range(len(y)):
        if not told[t]:
            fed[t] = outputs[-1]
        ss.append(cell(fed[t], ss[-1], Wx, Wh, b))  # (7.7)  (B,H)
        outputs.append(ss[-1] @ Wo + bo)  # (7.8)  (B,D)
    return np.stack(outputs), (told, fed, ss)


def decode_vectors_backward(dy, cache, Wx, Wh, b, Wo, bo):
    """dy (T,B,D), of the outputs -> ds_0 (B,H), the gradients of Wx, Wh, b, Wo, bo"""
    told, fed, ss = cache
    dWx, dWh, db, dWo, dbo = map(np.zeros_like, (Wx, Wh, b, Wo, bo))
    dy, ds = dy.copy(), np.zeros_like(ss[0])
    for t in reversed(range(len(fed))):
        dWo += ss[t + 1].T @ dy[t]
        dbo += dy[t].sum(axis=0)
        ds = ds + dy[t] @ Wo.T  # (7.8)'
        dx, ds, *dweights = cell_backward(ds, fed[t], ss[t], ss[t + 1], Wx, Wh)  # (7.7)'
        dWx, dWh, db = dWx + dweights[0], dWh + dweights[1], db + dweights[2]
        if not told[t]:
            dy[t - 1] += dx  # the output before was used here, too
    return ds, (dWx, dWh, db, dWo, dbo)


# %% [markdown]
r"""
### Greedy decoding in ten lines

When the model is used there is no `y`. Say the likeliest token, feed it, say the next; a sentence that has said
`<end>` is done.
"""


# %%
def say(model, source, longest):
    """source (S,B) ids -> the likeliest token of each step (T,B), <pad> after <end>"""
    E, Wx, Wh, b, Wo, bo = model.decoder.values()
    s, said = encode(source, **model.encoder)[-1], []
    y, done = np.full(source.shape[1], START), np.zeros(source.shape[1], dtype=bool)
    while len(said) < longest and not done.all():
        s = cell(E[y], s, Wx, Wh, b)  # (7.3)
        y = (s @ Wo + bo).argmax(axis=1)  # (7.2) (10.1)
        said.append(np.where(done, PAD, y))
        done |= y == END
    return np.stack(said)


# %% [markdown]
r"""
At each step this takes what looks best *now*. Chapter 10 looks further ahead.
"""

# %% [markdown]
r"""
## With a pencil

Two steps of the decoder by hand. $B = E = H = 1$, so every vector is a number. There are three words:
`<start>` is word 0, 好 is word 1, `<end>` is word 2. The target is 好 `<end>`, so `<start>` 好 is fed. Two facts
make it easy: $\tanh(\ln 2) = 0.6$ and $\tanh(\ln 3) = 0.8$.

The encoder has read one word with $x W_x = \ln 2$, so $h_1 = 0.6$, and this is $s_0$. The decoder has

- $W_x = 1$, $W_h = 0.25$, $b = 0$; vectors $E_0 = \ln 3 - 0.15 = 0.9486$ for `<start>` and $E_1 = -0.2$ for 好
- $W_o = (0, \tfrac{\ln 2}{0.8}, 0) = (0, 0.8664, 0)$ and $b_o = 0$

**Forward.** Everything with four digits; if you round at every line, the last one may differ.

| | fed | $a_t = x_t + 0.25 s_{t-1}$ | $s_t$ | logits $s_t W_o$ | $p_t$ | target | $-\log p$ |
|---|---|---|---|---|---|---|---|
| step 1 | 0.9486 | 0.9486 + 0.15 = ln 3 | **0.8** | 0, ln 2, 0 | ¼, ½, ¼ | 好 | ln 2 |
| step 2 | -0.2 | -0.2 + 0.2 = 0 | **0** | 0, 0, 0 | ⅓, ⅓, ⅓ | `<end>` | ln 3 |

$L = \tfrac12 (\ln 2 + \ln 3) = 0.8959$.

**Backward, step 2.** There are $n = 2$ tokens.

- $d\mathrm{logits}_2 = \tfrac12 (\tfrac13, \tfrac13, \tfrac13 - 1) = (0.1667, 0.1667, -0.3333)$
- $ds_2 = 0.1667 \cdot 0.8664 = 0.1444$ from its output, and nothing from a next step
- $da_2 = 0.1444 \cdot (1 - 0^2) = 0.1444$
- the word that was fed, 好: $dE_1 = 0.1444 \cdot 1 = 0.1444$
- to step 1: $ds_1^{\mathrm{next}} = 0.1444 \cdot 0.25 = 0.0361$

**Backward, step 1.**

- $d\mathrm{logits}_1 = \tfrac12 (\tfrac14, \tfrac12 - 1, \tfrac14) = (0.125, -0.25, 0.125)$
- $ds_1 = -0.25 \cdot 0.8664 + 0.0361 = -0.2166 + 0.0361 = -0.1805$: the two ways into $s_1$
- $da_1 = -0.1805 \cdot (1 - 0.8^2) = -0.0650$, and so $dE_0 = -0.0650$
- to the encoder: $dh_1 = ds_0 = -0.0650 \cdot 0.25 = -0.0162$

**The encoder.** $da = -0.0162 \cdot (1 - 0.6^2) = -0.0104$. With $W_x = 1$ this is the gradient of the source
word's vector.

**The weights.**

- $dW_x = 0.9486 \cdot (-0.0650) + (-0.2) \cdot 0.1444 = -0.0905$
- $dW_h = 0.6 \cdot (-0.0650) + 0.8 \cdot 0.1444 = 0.0765$
- $dW_o = 0.8 \cdot d\mathrm{logits}_1 + 0 \cdot d\mathrm{logits}_2 = (0.1, -0.2, 0.1)$

The same by the functions above:
"""

# %%
log2, log3 = np.log(2), np.log(3)
pencil_model = Seq2SeqByHand(3, 1, 1, np.random.default_rng(0), scale=0.0)
pencil_model.encoder["E"][2], pencil_model.encoder["Wx"][...] = log2, 1
pencil_model.decoder["E"][:, 0] = log3 - 0.15, -0.2, 0
pencil_model.decoder["Wx"][...], pencil_model.decoder["Wh"][...] = 1, 0.25
pencil_model.decoder["Wo"][0] = 0, log2 / 0.8, 0

logits, cache = pencil_model.forward(np.array([[2]]), np.array([[0], [1]]), [True, True])
loss, dlogits = cross_entropy(logits, np.array([[1], [2]]))
pencil_model.backward(dlogits, cache)

pencil = {
    "loss": ([0.8959], loss),
    "p": ([0.25, 0.5, 0.25, 0.3333, 0.3333, 0.3333], softmax(logits)),
    "dlogits": ([0.125, -0.25, 0.125, 0.1667, 0.1667, -0.3333], dlogits),
    "decoder.E": ([-0.065, 0.1444, 0], pencil_model.grads["decoder.E"]),
    "decoder.Wx": ([-0.0905], pencil_model.grads["decoder.Wx"]),
    "decoder.Wh": ([0.0765], pencil_model.grads["decoder.Wh"]),
    "decoder.Wo": ([0.1, -0.2, 0.1], pencil_model.grads["decoder.Wo"]),
    "encoder.E": ([0, 0, -0.0104], pencil_model.grads["encoder.E"]),
}
for name, (by_pencil, computed) in pencil.items():
    assert_close(np.ravel(computed), by_pencil, atol=1e-4)
    print(f"{name:10} pencil {np.array(by_pencil)}  computed {np.ravel(computed)}")

# %% [markdown]
r"""
## The gradient check

`gradcheck` moves every number of every parameter up and down by a little and compares what the loss does with
what `backward` says (chapters 1 and 3 say how). Take sizes that all differ, and more than one step and
sentence. First with the teacher:
"""


# %%
def example(V, S, T, B, rng):
    """A random source, y and targets."""
    targets = rng.integers(V, size=(T, B))
    y = np.concatenate([np.full((1, B), START), targets[:-1]])
    return rng.integers(V, size=(S, B)), y, targets


V, E, H, S, T, B = 6, 5, 3, 4, 7, 2
rng = np.random.default_rng(0)
model = Seq2SeqByHand(V, E, H, rng, scale=0.5)
source, y, targets = example(V, S, T, B, rng)
print(gradcheck(model, source, y, np.full(T, True)))

# %% [markdown]
r"""
And with every other step told, and with none but the first. `y` is what the teacher would have said to the
second sentence, `fed` what it was fed.
"""

# %%
for told in (np.arange(T) % 2 == 0, np.arange(T) == 0):
    _, (_, _, (fed, _)) = model.forward(source, y, told)
    report = gradcheck(model, source, y, told)
    verdict = "passes" if report.passed else "fails"
    print(f"told {told.astype(int)}: {verdict}, largest error {report.worst.error:.0e}")
    print(f"  y   {y[:, 1]}\n  fed {fed[:, 1]}")

# %% [markdown]
r"""
It passes: there is no gradient through a choice, and finite differences, which know nothing of derivations,
agree. (They would not if a choice flipped within their tiny step, which at these weights does not happen.)

The decoder over vectors, for which there *is* a way back:
"""


# %%
class VectorsByHand:
    """y (T,B,D), told (T,), s (B,H) -> outputs (T,B,D), cache"""

    def __init__(self, D, H, rng):
        shapes = {"Wx": (D, H), "Wh": (H, H), "b": (H,), "Wo": (H, D), "bo": (D,)}
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, s, vectors):
        return decode_vectors(vectors["y"], vectors["told"], s, **self.params)

    def backward(self, dy, cache):
        ds, of_weights = decode_vectors_backward(dy, cache, **self.params)
        for name, grad in zip(self.grads, of_weights):
            self.grads[name] += grad
        return ds, None


vectors = {"y": rng.standard_normal((T, B, E)), "told": np.arange(T) % 3 == 0}
print(gradcheck(VectorsByHand(E, H, rng), rng.standard_normal((B, H)), vectors))

# %% [markdown]
r"""
### With an error planted

A backward pass that believes in the teacher: it takes for granted that the target's tokens were fed.
"""


# %%
class Believer(Seq2SeqByHand):
    def forward(self, source, y, told):
        logits, (source, hs, (_, ss)) = super().forward(source, y, told)
        return logits, (source, hs, (y, ss))  # y, and not what was fed


planted = Believer(V, E, H, np.random.default_rng(0), scale=0.5)
report = gradcheck(planted, source, y, np.full(T, True))
print("all steps told:", "passes" if report.passed else "fails")
print(gradcheck(planted, source, y, np.arange(T) % 2 == 0))

# %% [markdown]
r"""
With teacher forcing throughout it passes, since there it is right. With own guesses it fails, and says where:
in the two arrays that meet what was fed, the decoder's table and its $W_x$. The others pass, for they take what
comes along the states. So check what you use: a gradient that is right in one mode may be wrong in the other.

### A mistake that no gradient check finds

Now feed the decoder the target *unshifted*, `targets` in place of `y`. The gradient is that of the wrong
thing, and perfectly right:
"""

# %%
print("passes" if gradcheck(model, source, targets, np.full(T, True)).passed else "fails")

# %% [markdown]
r"""
What finds it is another question. Before step $t$ is done the decoder must not know $y_t$. So change one
target word after the other and look which steps' logits move. A step may depend on what comes *before* it,
and on nothing else. This is called causality (因果性).
"""


# %%
def who_hears(feed):
    """Changed target words (rows) and the steps whose logits move (columns).  -> (T,T) of 0, 1"""
    logits, _ = model.forward(source, feed(targets), np.full(T, True))
    moved = np.zeros((T, T), dtype=int)
    for t in range(T):
        other = targets.copy()
        other[t] = (other[t] + 1) % V
        others, _ = model.forward(source, feed(other), np.full(T, True))
        moved[t] = np.abs(others - logits).max(axis=(1, 2)) > 0
    return moved


def shifted(targets):
    return np.concatenate([np.full((1, targets.shape[1]), START), targets[:-1]])


right, wrong = who_hears(shifted), who_hears(lambda targets: targets)
print("shifted            unshifted")
for row, other in zip(right, wrong):
    print(*row, "    ", *other)

# %% [markdown]
r"""
On the left word $t$ is heard in the steps after its own: the diagonal is empty. On the right the diagonal is
full. Each step is fed its own answer. Every autoregressive model should be asked this once.
"""

# %% [markdown]
r"""
## The same from minis2s

A `Seq2Seq` without attention, one direction, cell "rnn", is our page. Its parameters have longer names:
"""

# %%
NAMES = {"E": "embedding.W", "Wx": "rnn.layers.0.Wx", "Wh": "rnn.layers.0.Wh"}
NAMES |= {"b": "rnn.layers.0.b", "Wo": "output.W", "bo": "output.b"}
PLAIN = {"cell": "rnn", "bidirectional": False, "attention": "none"}


def long(name):
    """decoder.Wx -> decoder.rnn.layers.0.Wx"""
    side, _, own = name.partition(".")
    return f"{side}.{NAMES[own]}"


V, E, H, S, T, B = 9, 5, 3, 4, 6, 2
config = Seq2SeqConfig(V, V, embedding_size=E, hidden_size=H, **PLAIN)
library = Seq2Seq(config, np.random.default_rng(1), dtype="float64")
print(library)

# %% [markdown]
r"""
Give it the page's parameters, and it gives the page's logits and gradients, whoever feeds it. Its teacher is
the number `teacher_forcing`; the lots come from a random generator, for us as for it. (One convention is its
own: the vector of `<pad>`, id 0, is always 0 and never learnt. So the page's is set to 0 as well, and neither
may say `<pad>`.)
"""


# %%
def lots(T, ratio, rng):
    """Of each step: is it told?  The first one always is.  -> (T,)"""
    return np.array([True] + [bool(rng.random() < ratio) for _ in range(T - 1)])


rng = np.random.default_rng(2)
model = Seq2SeqByHand(V, E, H, rng, scale=0.7)
model.encoder["E"][PAD] = model.decoder["E"][PAD] = 0
model.decoder["bo"][PAD] = -9
library.load({long(name): array for name, array in model.params.items()})
source, targets = rng.integers(4, V, (S, B)), rng.integers(4, V, (T, B))
y = shifted(targets)

for ratio in (1.0, 0.5, 0.0):
    told = lots(T, ratio, np.random.default_rng(7))
    logits, cache = model.forward(source, y, told)
    (their_logits, _), their_cache = library.forward(
        source, None, y, teacher_forcing=ratio, rng=np.random.default_rng(7)
    )
    assert_close(their_logits, logits, rtol=1e-10)

    _, dlogits = cross_entropy(logits, targets)
    for each in (*model.grads.values(), *library.grads.values()):
        each.fill(0)
    model.backward(dlogits, cache)
    library.backward(dlogits, None, their_cache)
    for name, grad in model.grads.items():
        assert_close(library.grads[long(name)], grad, rtol=1e-8, atol=1e-12)
    print(f"teacher forcing {ratio}: told {told.astype(int)}, all the same")

# %% [markdown]
r"""
Greedy decoding, too, and the pieces of the other connections: the bridge, the tied output layer, and the
decoder with the context at every step.
"""

# %%
hypotheses = greedy(library, source, max_length=8)
for column, hypothesis in zip(say(model, source, longest=8).T, hypotheses):
    assert_equal([id for id in column if id not in (PAD, END)], hypothesis.ids)

ahead, back, ds0 = rng.standard_normal((3, B, H))
their_bridge = Bridge(1, 1, H, H, rng, dtype="float64")
Wb, bb = their_bridge.maps[0].params.values()
(their_s0,), cache = their_bridge.forward([((ahead,), (back,))])
s0, our_cache = bridge(ahead, back, Wb, bb)
assert_close(their_s0[0], s0, rtol=1e-12)
((their_dahead, their_dback),) = their_bridge.backward(((ds0,),), cache)
dahead, dback, dWb, dbb = bridge_backward(ds0, our_cache, Wb)
assert_close([*their_dahead, *their_dback], [dahead, dback], rtol=1e-12)
assert_close(their_bridge.maps[0].grads["W"], dWb, rtol=1e-12)

table, ss = Embedding(V, H, rng, dtype="float64"), rng.standard_normal((T, B, H))
tied = TiedLinear(table, H, dtype="float64")
logits, cache = tied.forward(ss)
assert_close(tied_output(ss, table.params["W"], tied.params["b"]), logits, rtol=1e-12)
dss, dE, dbo = tied_output_backward(logits, ss, table.params["W"])  # any numbers will do
assert_close(tied.backward(logits, cache), dss, rtol=1e-12)
assert_close(table.grads["W"], dE, rtol=1e-12)

c, s = ahead, ahead  # the context is the first state
every = ContextDecoder(V, E, H, rng, output_reads_context=True, cell="rnn", dtype="float64")
words, Wx, Wh, b, Wo, bo = every.params.values()
(logits, _), _ = every.forward(y, ((c,),))
for t in range(T):
    s, our_logits = context_step(words[y[t]], c, s, Wx, Wh, b, Wo, bo)
    assert_close(logits[t], our_logits, rtol=1e-10)
print("greedy decoding, bridge, tied output, context at every step: all the same")

# %% [markdown]
r"""
This is the part of the library that is about teaching:
"""

# %%
print(inspect.getsource(decoder.runs_of_known_inputs))
print(inspect.getsource(decoder.Decoder.forward))

# %% [markdown]
r"""
Where we take one step, it takes a run. `self.run` is what the kinds of decoder differ in: (7.3), (7.5), or
those with attention in chapter 9. The others of this chapter, checked in one random direction for each
parameter, with half of the steps told:
"""

# %%
GRU = {"cell": "gru", "attention": "none", "bidirectional": False}
KINDS = {
    "both ways and a bridge (7.1)": GRU | {"bidirectional": True},
    "tied weights (7.4)": GRU | {"tied": True, "embedding_size": 4},
    "context at every step (7.5)": GRU | {"context": "every step"},
    "and in the output (7.6)": GRU | {"context": "every step and output"},
}
half = {"teacher_forcing": 0.5, "every_entry": False}
for name, options in KINDS.items():
    config = Seq2SeqConfig(V, V, **{"embedding_size": E, "hidden_size": 4} | options)
    other = Seq2Seq(config, np.random.default_rng(0), dtype="float64")
    report = gradcheck(other, source, None, y, **half, rng=np.random.default_rng(7))
    verdict = "passes" if report.passed else "fails"
    print(f"{name:<30} {verdict}, largest error {report.worst.error:.0e}")

signal = SignalSeq2Seq(SignalConfig(3, 4, 3), np.random.default_rng(0), dtype="float64")
x, vectors = rng.standard_normal((S, B, 3)), rng.standard_normal((T, B, 3))
report = gradcheck(signal, x, None, vectors, **half, rng=np.random.default_rng(7))
verdict = "passes" if report.passed else "fails"
print(f"{'over vectors (7.7) (7.8)':<30} {verdict}, largest error {report.worst.error:.0e}")

# %% [markdown]
r"""
## Worth a look

### A choice has no slope

Here is the loss of the little model above as a function of one number of its parameters, the bias of one word
in the output layer: with the teacher, and with own guesses. The short lines have the slope that `backward`
says.
"""

# %%
WORD, biases = 5, np.linspace(-1.5, 2.5, 801)


def loss_and_slope(bias, told):
    model.decoder["bo"][WORD] = bias
    logits, cache = model.forward(source, y, told)
    loss, dlogits = cross_entropy(logits, targets)
    _, of_decoder = decode_backward(dlogits, cache[-1], **model.decoder)
    return loss, of_decoder[-1][WORD]


with drawing((8.6, 3.2)) as figure:
    for ax, name, told in zip(
        figure.subplots(1, 2, sharey=True),
        ("Teacher forcing", "Own guesses"),
        (np.full(T, True), np.arange(T) == 0),
    ):
        losses = np.array([loss_and_slope(bias, told)[0] for bias in biases])
        jumps = np.abs(np.diff(losses)) > 0.01
        ax.plot(biases, np.where(np.append(jumps, False), np.nan, losses), color=COLOURS[0])
        for bias in (-1.0, 0.75, 2.0):
            loss, slope = loss_and_slope(bias, told)
            aside, look = np.array([-0.3, 0.3]), {"linewidth": 2.5, "linestyle": "-"}
            ax.plot(bias + aside, loss + slope * aside, color=COLOURS[1], **look)
        ax.set_title(name)
        ax.set_xlabel(f"bias of word {WORD}")
        ax.grid()
    figure.axes[0].set_ylabel("loss")
figure

# %% [markdown]
r"""
On the left is a smooth curve. On the right there is a cliff near 0.9: from there on the bias is large enough to
change what the model says, other words are fed, and the loss falls by about 0.35 (in two jumps, close together).
At each point the slope is right. But the line at 0.75 runs on past the edge: it does not know that a little more
of this bias would gain so much. That is the price of training on own guesses by gradients alone.

### The page at work

Does the page learn? Let the source be eight letters out of ten and the target the same letters from right to
left. There are $10^8$ such sentences, so hardly any sentence of the test is ever met in training. Train three
models for each of the ratios 1, 0.5 and 0 of teacher forcing, that is nine models of 64 units, 500 steps
each.

Two practical things. $W_h$ begins as an orthogonal matrix, which turns a state without making it longer or
shorter; a plain cell learns faster so. And the norm of the gradient is cut to 1, as in 004.
"""

# %%
LETTERS, LENGTH = range(4, 14), 8  # the ids of the letters; 0 to 3 are <pad>, <start>, <end>, <unk>


def reversals(rng, B):
    """source (8,B), y (9,B), targets (9,B)"""
    source = rng.choice(LETTERS, (LENGTH, B))
    targets = np.concatenate([source[::-1], np.full((1, B), END)])
    return source, shifted(targets), targets


def train(draw, ratio, seed, steps, V=14, H=64, look=lambda model: None):
    """A model after so many steps, and what look(model) said every 50 steps."""
    rng = np.random.default_rng([seed, 1])
    model = Seq2SeqByHand(V, 16, H, rng, scale=0.1)
    for part in (model.encoder, model.decoder):
        part["Wh"][...], _ = np.linalg.qr(rng.standard_normal((H, H)))
    optimiser, slower, seen = Adam(), cosine(steps), []
    for step in range(steps):
        source, y, targets = draw(rng, 64)
        logits, cache = model.forward(source, y, lots(len(y), ratio, rng))
        _, dlogits = cross_entropy(logits, targets)
        for grad in model.grads.values():
            grad.fill(0)
        model.backward(dlogits, cache)
        clip_by_global_norm(model.grads, 1.0)
        optimiser.lr = 0.005 * slower(step)
        optimiser.update(model.params, model.grads)
        if step % 50 == 49:
            seen.append(look(model))
    return model, seen


test_source, test_y, test_targets = reversals(np.random.default_rng(99), 200)
TAUGHT, FREE = np.full(LENGTH + 1, True), np.arange(LENGTH + 1) == 0


def right_tokens(model, told, y=test_y):
    """Of each token of the test: is the likeliest one right?  -> (T,200)"""
    logits, _ = model.forward(test_source, y, told)
    return logits.argmax(axis=2) == test_targets


def look(model):
    """Whole sentences that are right in free running; tokens, with the teacher and without."""
    free, taught = right_tokens(model, FREE), right_tokens(model, TAUGHT)
    return free.all(axis=0).mean(), taught.mean(), free.mean()


RATIOS, SEEDS = (1.0, 0.5, 0.0), (0, 1, 2)
runs = {
    (ratio, seed): train(reversals, ratio, seed, steps=500, look=look)
    for ratio, seed in itertools.product(RATIOS, SEEDS)
}


def percent(shares):
    return ", ".join(f"{share:.0%}" for share in shares)


for ratio in RATIOS:
    exact = [runs[ratio, seed][1][-1][0] for seed in SEEDS]
    print(f"teacher forcing {ratio}: right sentences {percent(exact)}")

# %% [markdown]
r"""
Each number is the share of 200 test sentences that free running gets right to the last letter, one for each
of three seeds. Greedy decoding, `say`, is the same thing, without a `y`. The first three sentences, by the
first model:
"""

# %%
model, _ = runs[1.0, 0]
names = "abcdefghij"
for column, target in zip(say(model, test_source[:, :3], longest=20).T, test_targets.T):
    print("said  ", *(names[id - 4] if id > 3 else "<end>" if id == END else "" for id in column))
    print("target", *(names[id - 4] if id > 3 else "<end>" for id in target))

# %% [markdown]
r"""
All nine have learnt it, so the teacher has made no difference? Not in what they say. But feed them *one* wrong
letter: at the second step, in place of the first letter of the target, a random other one. All other steps are fed
what is right.
"""

# %%
wrong_y = test_y.copy()
wrong_y[1] = 4 + (test_y[1] - 4 + np.random.default_rng(5).integers(1, 10, 200)) % 10
after = {key: right_tokens(model, TAUGHT, wrong_y)[1:] for key, (model, _) in runs.items()}
for ratio in RATIOS:
    shares = [after[ratio, seed].mean() for seed in SEEDS]
    print(f"teacher forcing {ratio}: right of the 8 letters after it {percent(shares)}")

# %%
with drawing((9.4, 3)) as figure:
    learning, gap, harm = figure.subplots(1, 3)
    steps = np.arange(50, 501, 50)
    for n, ratio in enumerate(RATIOS):
        look_of = {"color": COLOURS[n], "linestyle": DASHES[n], "marker": MARKERS[n]}
        seen = np.array([runs[ratio, seed][1] for seed in SEEDS])  # (3,10,3)
        learning.plot(steps, seen[:, :, 0].mean(axis=0), label=f"{ratio}", **look_of)
        harm.plot(
            np.arange(2, 10), np.mean([after[ratio, seed].mean(axis=1) for seed in SEEDS], axis=0),
            label=f"{ratio}", **look_of,
        )  # fmt: skip
        gap.plot(steps, (seen[:, :, 1] - seen[:, :, 2]).mean(axis=0), label=f"{ratio}", **look_of)
    learning.set(title="Right sentences", xlabel="training step", ylim=(0, 1.03))
    gap.set(title="Right tokens: taught minus free", xlabel="training step")
    harm.set(title="Right tokens after a wrong one", xlabel="step of the sentence", ylim=(0, 1.03))
    for ax in (learning, gap, harm):
        ax.grid()
    learning.legend(title="teacher forcing", loc="lower right")
figure

# %% [markdown]
r"""
Means over the three seeds.

- **Left.** On this task all three learn about equally fast, and all get there. (004 says that teacher forcing
  speeds up training. It often does; below is a case.)
- **Middle.** How many more tokens are right with the teacher than in free running. With ratio 1 the decoder
  has never met a mistake of its own, and while it still makes some it does worse alone than its training lets
  one think: up to 4 tokens in a hundred. This is called **exposure bias** (曝光偏差; Ranzato et al. 2016). It
  fades as the mistakes become rare. With ratio 0 there is next to none: what that decoder is trained on is
  what it will meet.
- **Right.** One wrong letter has been fed. The decoder that was always told the truth believes it, loses its
  place and gets about half of all that follows wrong. The one that never had a teacher looks less at what it
  is fed and more at what it remembers. The one with half a teacher is nearer to the second.

So teacher forcing makes a decoder trust its input. Where the input can be trusted, no harm is done.

### When there are several right answers

Is ratio 0 the better one, then? Here is a source with three translations: "companion" is 朋友 four times in
ten, 伙伴 three times and 同伴 three times. (繁: 夥伴.) There is nothing to learn but these numbers. Train with the
teacher and without.
"""

# %%
IDS = {word: 4 + n for n, word in enumerate("朋友伙伴同")}
WORDS = {id: word for word, id in IDS.items()} | {END: ""}
SENTENCES = ["朋友"] * 4 + ["伙伴"] * 3 + ["同伴"] * 3


def companions(rng, B):
    """Ten sentences, the same at every step of training."""
    targets = np.array([[*(IDS[word] for word in sentence), END] for sentence in SENTENCES]).T
    return np.full((1, 10), 4), shifted(targets), targets


def after_start_and_after_peng(model):
    """What the model gives each word in the first step, and after 朋."""
    logits, _ = model.forward(np.array([[4]]), np.array([[START], [IDS["朋"]]]), [True, True])
    return softmax(logits)[:, 0, 4:]


for ratio in (1.0, 0.0):
    model, _ = train(companions, ratio, seed=0, steps=400, V=9, H=16)
    first, second = after_start_and_after_peng(model)
    said = "".join(WORDS[id] for (id,) in say(model, np.array([[4]]), longest=5))
    print(f"teacher forcing {ratio}: " + "  ".join(IDS))
    print(f"  in the first step: {first.round(2)}")
    print(f"  after 朋:          {second.round(2)}")
    print(f"  says: {said}")

# %% [markdown]
r"""
With the teacher, 友 follows 朋, as it always did. Without, the decoder ends up with 0.6 for 伴 after 朋, and says
朋伴, which it has never been taught. Why? In the first step 朋 is the likeliest, with
0.4. So 朋 is what it is fed in the second step, *whichever sentence it is*. And of all ten sentences six go on
with 伴. To make the loss as small as possible it must answer: after 朋, 伴 with 0.6. It has learnt exactly what
it was asked.

This is what the product of probabilities has told us. With own guesses in place of $y_1 \ldots y_{t-1}$ the
sum of the $-\log p$ is no longer the cost of any sentence. It asks for the distribution of the second word
*whatever the first one was*. More training does not mend it, nor does another way of drawing the guesses
(Huszár 2015). Real data are like this: hardly a sentence has only one translation.

Put together:

- Ratio 1 learns the right thing, and trusts what it is fed.
- Ratio 0 learns to do without, and where there is a choice it learns a mixture of all choices.
- What lies between is between, in both respects. Bengio et al. (2015) begin at 1, when guesses are worth
  nothing, and go down, and report better captions, parses and speech recognition for it.

### And with a GRU?

The same task, reversing, with the library's GRU, its `Trainer`, and words of one to five letters; 500 test
words that are not in training. After 5 epochs:
"""

# %%
splits = load_task("reverse", length=5, longest=6, longer=1, train=6_000, valid=1, test=500)
EPOCHS, EPOCH = 5, 94  # 94 batches of 64


def train_gru(forcing, seed):
    """The share of test words that come out right."""
    options = GRU | {"embedding_size": 16, "hidden_size": 32, "seed": seed}
    translator = Translator.untrained(splits.train, "characters", "characters", **options)
    options = {"schedule": cosine(EPOCHS * EPOCH), "teacher_forcing": forcing, "seed": seed}
    trainer = Trainer(translator.model, Adam(0.01), **options)
    for _ in range(EPOCHS):
        trainer.train_epoch(translator.encode(splits.train))
    return evaluate(translator.model, translator.encode(splits.test)).exact


def falling(step):
    return max(0.0, 1 - step / (EPOCHS * EPOCH))


for name, forcing in {"1.0": 1.0, "0.5": 0.5, "0.0": 0.0, "1 down to 0": falling}.items():
    shares = [train_gru(forcing, seed) for seed in (0, 1)]
    print(f"teacher forcing {name:<12} right words {percent(shares)}")

# %% [markdown]
r"""
Here the teacher speeds up training very much, with both seeds: first comes ratio 1, last ratio 0. Why a gated
cell should need a teacher more than the plain one these numbers do not say; nor that it will be so on your
data. Try it. (`evaluate` decodes greedily and never sees the target, whatever the ratio was in training.)

### One wrong token

The last picture is from a decoder of the library: number words to Chinese numerals, half trained. What is
wrong is dark.
"""

# %%
teacher_forcing()

# %% [markdown]
r"""
Above, the third step goes wrong, but the fourth is fed the target's 零 all the same, and goes on as if nothing
had happened. Below it is fed its own 四, and then says 十四: 544, in place of 504. That is one mistake, and not
four. After 五百四 the right thing to say *is* 十, and the model says so with 0.98. It has been taught what comes
after a beginning; it was not taught to come back from a wrong one. And a score that compares place by place
counts four.
"""

# %% [markdown]
r"""
## The document's own code

### 000: the answer stands beside the question

(Chapter 2 met this in the training loop.) The program of 000 calls `model(src, tgt)`, and takes the loss against
`tgt`. So at step $t$ the decoder is
fed $y_t$ and must say $y_t$. What it learns can be seen on data in which there is *nothing* to learn: sources
and targets of pure noise, independent of each other. The mean squared error should be 1, the variance of the
noise, for everybody. Here is its model (7.7, 7.8), in its sizes, trained on ever new noise and tested on
noise that it has not seen.
"""

# %%
rng = np.random.default_rng(0)


def noise(size):
    """source (3,B,10) and target (3,B,10), which have nothing to do with each other"""
    return rng.standard_normal((2, 3, size, 10)).astype("float32")


def unshifted(target):
    return target


def late(target):
    """0 y_1 y_2: the zeros stand for <start>"""
    return np.concatenate([np.zeros_like(target[:1]), target[:-1]])


def train_vectors(draw, feed, steps):
    model, loss = SignalSeq2Seq(document("000"), np.random.default_rng(0)), MeanSquaredError()
    optimiser = Adam(0.01)
    for _ in range(steps):
        source, target = draw()
        (outputs, _), cache = model.forward(source, None, feed(target))
        _, loss_cache = loss.forward(outputs, target)
        model.zero_grad()
        model.backward(loss.backward(1.0, loss_cache)[0], None, cache)
        optimiser.update(model.params, model.grads)
    return model


def error(model, source, target, feed):
    (outputs, _), _ = model.forward(source, None, feed(target))
    return ((outputs - target) ** 2).mean()


source, target = noise(2000)
for feed in (unshifted, late):
    model = train_vectors(lambda: noise(64), feed, 600)
    seen, blind = (error(model, x, target, feed) for x in (source, np.zeros_like(source)))
    print(f"{feed.__name__:<9}  error {seen:.3f}; with a source of zeros {blind:.3f}")

# %% [markdown]
r"""
Fed as in 000 the model predicts noise almost perfectly, which is impossible, and does so just as well without
the source: it copies. Shifted, it has the honest error. (PyTorch gives about 0.002, and about 1.) The remedy is one
line, `late`. In `minis2s` a batch of words cannot be made otherwise:
"""

# %%
batch = make_batch([Example([4, 5], [6, 7, 8]), Example([9], [10])])
print(f"fed (a row a sentence)\n{batch.y.T}\ntargets\n{batch.targets.T}")

# %% [markdown]
r"""
1 is `<start>`, 2 is `<end>`, 0 is padding.

### 000: a loss of 0, and then?

000 trains on one batch of noise, and there the program ends. Trained for longer its loss goes to 0. Now 基本架構 says
how a decoder is used: each output becomes the next input. So let us use it.
"""

# %%
source, target = noise(5)
model = train_vectors(lambda: (source, target), unshifted, 500)
free = ((model.generate(source, 3) - target) ** 2).mean()
print(f"fed its targets:        error {error(model, source, target, unshifted):.5f}")
print(f"fed its own outputs:    error {free:.2f}")
print(f"saying 0 all the time:  error {(target**2).mean():.2f}")

# %% [markdown]
r"""
That is on the very batch that it was trained on. The training loss says nothing here. Look at what the model
does in free running, on data that were held out.

### 000: one output for ever

數學公式 has $h'_1 = h_T$ and $y_t = g(h'_t)$, and no equation that makes $h'_2$ of $h'_1$; nor does $y_{t-1}$
enter anywhere. Taken at its word, the state stays what it is, and so does the output. What is meant is (7.3),
$h'_0 = h_T$ and $h'_t = f(y_{t-1}, h'_{t-1})$, and the code of 000 does it so. (`nn.LSTM` takes the step
before the first output, so $h_T$ is $h'_0$ in it and not $h'_1$.)

### 002, 3.3: the summary as a word

(Run by itself the snippet stops at `nn`; the imports of 2.3 mend that.) The formula of 3.2,
$s_t = g(s_{t-1}, y_{t-1}, h_n)$, is (7.5). The example calls `decoder(encoded, None)`:
$h_n$ goes in where the words should, once, and the state is `None`, which means zeros. There is no word at
all. What comes out is one step:
"""

# %%
lstm = LSTM(50, 50, np.random.default_rng(0), dtype="float64")  # the sizes of 002
h_n = np.random.default_rng(1).standard_normal((1, 1, 50))
(out, (h, c)), _ = lstm.forward(h_n)
print(f"decoder(encoded, None): {len(out)} step, where the comment has sequence_length")
try:
    lstm.forward(h_n, h)
except ValueError as mistake:
    print(mistake)

# %% [markdown]
r"""
The decoder returns `hidden` alone, as the encoder does, and 6.2 hands it on as the next state. But an LSTM's
state is a pair, and PyTorch says `index 1 is out of bounds for dimension 0 with size 1`; `minis2s` says it as
above. The right version returns `hidden, cell`, starts from the encoder's pair, and is fed words.

### 002, 6.2: the loop

In the published text `for t` stands on one line and `in range(...)` two lines below:
"""

# %%
try:
    compile("for t\n\n in range(1, 10):\n    pass", "6.2", "exec")
except SyntaxError as mistake:
    print(type(mistake).__name__)
print(f"joined, it makes {len(range(1, 10))} steps of a target of 10")

# %% [markdown]
r"""
Nine is right if the first of the ten is `<start>`; the comment has sequence_length. What is fed has 30
numbers where the decoder was built for 50, and PyTorch says `Expected 50, got 30`. With
`nn.LSTM(output_size, hidden_size)` it runs. And then `decoder_input = output`: the raw logits are fed back.
That is (7.7), free running over vectors, a model for signals. Of the target only the first row is ever used.
Change all others, and nothing changes:
"""

# %%
vectors = VectorsByHand(30, 50, np.random.default_rng(0))
target = np.random.default_rng(1).standard_normal((9, 1, 30))
other = np.concatenate([target[:1], -target[1:]])
first_only = {"told": np.arange(9) == 0}
outputs, _ = vectors.forward(np.zeros((1, 50)), {"y": target} | first_only)
others, _ = vectors.forward(np.zeros((1, 50)), {"y": other} | first_only)
print(f"largest difference: {np.abs(others - outputs).max()}")

# %% [markdown]
r"""
For words, feed the embedding of the target's word (told), or of the likeliest one (not told): `decode`. And 6.3's
translation of "ChatGPT is powerful" is of random numbers by an untrained model; chapter 10 does it with sentences.

### 003: told once, or at every step

4.2 has $W_{hs} h_N$ in every step, which is (7.5). The code of 5.2 is the plain decoder (7.3): $h_N$ can come
in as its first `hidden`, and is not seen again. Both are good decoders, and they are not the same. Take two
sources, and see how much the logits differ, step after step, under the same words (untrained, LSTM; the
difference in step 1 is 1):
"""

# %%
ids = np.random.default_rng(0)
y = ids.integers(4, 30, (40, 1))
h_N, other_h_N, c_N = ids.standard_normal((3, 1, 50))
for name in ("003 §9 direct", "002 §3"):
    config = document(name, 30, 30, embedding_size=50, hidden_size=50, cell="lstm")
    one = Seq2Seq(config, np.random.default_rng(0), dtype="float64").decoder
    logits, others = (one.forward(y, ((h, c_N),))[0][0] for h in (h_N, other_h_N))
    differences = np.abs(logits - others).max(axis=(1, 2))
    shares = differences[[0, 4, 9, 19, 39]] / differences[0]
    print(f"{'every step' if '002' in name else 'once':<10}  steps 1, 5, 10, 20, 40: {shares}")

# %% [markdown]
r"""
Told once, the source has faded after some steps, unless the cell learns to keep it. Told at every step it stays.
`minis2s` has both, by `context="state"` and `context="every step"`.

### 003, 5.2: one word, one sentence, half a table

- `F.relu` needs `import torch.nn.functional as F`; without it the first call ends in a `NameError`.
- `view(1, 1, -1)` makes one step of one sentence of whatever comes in. So the class is one step, and the loop
  around it, with `<start>`, teacher and `<end>`, is left to the reader: it is `decode`.
- `LogSoftmax` followed by a cross-entropy is harmless; chapter 5 shows why.
- There is a ReLU between the embedding and the LSTM. A number of the table that is below 0 comes out as 0,
  and by rule 1 its gradient is 0, for ever. A table drawn around 0 has half of them:
"""

# %%
table = Embedding(30, 16, np.random.default_rng(0), padding_idx=None, dtype="float64")
words = np.arange(30)[:, None]  # every word once
x, cache = table.forward(words)
table.backward(relu_backward(np.random.default_rng(1).standard_normal(x.shape), relu(x)), cache)
print(f"of the table's numbers {(table.grads['W'] == 0).mean():.0%} have no gradient")

# %% [markdown]
r"""
No data and no number of epochs will ever move them; of SGD and of Adam a number without gradient stays where
it is. The model trains all the same, with half its table. Without the ReLU, or with a linear layer before it,
all of the table learns.

### 004: is its loop off by one?

Here is the loop of 004 in NumPy: `trg` begins with `<start>` and ends with `<end>`, and `outputs` is as long
as `trg`.
"""


# %%
def loop_of_004(model, source, trg, ratio, rng):
    E, Wx, Wh, b, Wo, bo = model.decoder.values()
    s = encode(source, **model.encoder)[-1]
    outputs = np.zeros((*trg.shape, len(bo)))
    fed = trg[0]
    for t in range(1, len(trg)):
        s = cell(E[fed], s, Wx, Wh, b)
        outputs[t] = s @ Wo + bo
        fed = trg[t] if rng.random() < ratio else outputs[t].argmax(axis=1)
    return outputs


V, S, T, B = 10, 4, 6, 3
rng = np.random.default_rng(0)
model = Seq2SeqByHand(V, 5, 3, rng, scale=0.7)
source, words = rng.integers(4, V, (S, B)), rng.integers(4, V, (T - 1, B))
start, end = np.full((1, B), START), np.full((1, B), END)
trg = np.concatenate([start, words, end])  # (7,B)

outputs = loop_of_004(model, source, trg, 0.5, np.random.default_rng(7))
told = lots(T, 0.5, np.random.default_rng(7))
logits, _ = model.forward(source, trg[:-1], told)
assert_equal(outputs[1:], logits)
print("outputs[1:] are our logits; outputs[0] is", np.unique(outputs[0]))

# %% [markdown]
r"""
It is right. It only looks off by one, because it counts differently: `outputs[t]` is computed from
`trg[t - 1]` and compared with `trg[t]`, and both lose their first row by `[1:]` before the loss. Four things
are worth knowing:

- `outputs[0]` is never written. Whoever forgets the `[1:]` counts a row of zeros in, that is an even
  distribution, against `<start>`, and not even a perfect model has a loss near 0. (See the next cell.)
- It relies on `trg[0]` being `<start>`, as its text says and its code does not show. If `trg` begins with the
  first word, that word is fed and never asked for, and the model never learns to say it.
- The last lot is drawn for nothing: after the last step nobody is fed.
- The lots need `import random`, which is missing; without it the loop stops at the first one with a `NameError`.
"""

# %%
perfect = 30 * np.eye(V)[trg]  # logits that leave no doubt
perfect[0] = 0  # but for this row
(whole, _), (cut, _) = cross_entropy(perfect, trg), cross_entropy(perfect[1:], trg[1:])
print(f"loss of a perfect model with [1:] {cut:.3f}, without {whole:.3f}")

# %% [markdown]
r"""
### 004: a teacher in the examination

`teacher_forcing_ratio=0.5` is the default of `forward`, and `model.eval()` does not change it. So whoever
calls `model(src, trg)` to evaluate has half of the answers read out, another half every time. The loss of the
little model above, on the same sentences, four times:
"""

# %%
chance = np.random.default_rng(0)
for ratio in (0.5, 0.0):
    outputs = [loop_of_004(model, source, trg, ratio, chance) for _ in range(4)]
    losses = [cross_entropy(each[1:], trg[1:])[0] for each in outputs]
    print(f"ratio {ratio}: {np.array(losses)}")

# %% [markdown]
r"""
Pass 0 when you evaluate what is *said*; then the target is not looked at, and the numbers stay what they are.
To measure a *loss*, pass 1: $-\log p(y \mid x)$ is defined with the target before the bar. In `minis2s` the
ratio belongs to the `Trainer`, `evaluate` gives both numbers, and lots that nobody can draw are refused:
"""

# %%
try:
    library.forward(np.full((2, 1), 4), None, np.full((2, 1), 4), teacher_forcing=0.5)
except ValueError as mistake:
    print(mistake)

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been. It
never shows how. Run it as often as you like.

### 1. From a blank page

Close the page above. Take the plain decoder back, all steps: from the gradients of the logits to that of the first
state and those of all weights. `fed` are the tokens that were fed, `ss` are $s_0 \ldots s_T$.
"""


# %% exercise="decoder_backward" points=3
def decoder_backward(dlogits, fed, ss, E, Wx, Wh, Wo):
    """dlogits (T,B,V), fed (T,B), ss (T+1,B,H) -> ds0 (B,H), dE (V,E), dWx, dWh, db, dWo, dbo"""
    raise NotImplementedError


# %%
check.decoder_backward(decoder_backward)

# %% [markdown]
r"""
### 2. The context at every step

Now the decoder of `context_step`, whose step backward you have not seen in code. It begins in $s_0 = c$, and
$c$ is the encoder's last state. How many times is $c$ used? Return the gradient of the words' vectors and
that of $c$, with all of its uses in it.
"""


# %% exercise="context_decoder_backward" points=3
def context_decoder_backward(dlogits, x, c, ss, Wx, Wh, Wo):
    """dlogits (T,B,V), x (T,B,E), c (B,H), ss (T+1,B,H), Wx (E+H,H), Wo (2H+E,V)
    -> dx (T,B,E), dc (B,H)
    """
    raise NotImplementedError


# %%
check.context_decoder_backward(context_decoder_backward)

# %% [markdown]
r"""
### 3. Predict, then run

Targets are three letters, drawn at random out of ten, each as likely as any other, and then `<end>`. The
sources have nothing to do with them. A decoder is trained on ever new such pairs, for as long as you like.
What loss, a mean over all tokens, can it reach at best? To within 0.01.
"""

# %% exercise="best_honest_loss" points=1
best_honest_loss = None

# %%
check.best_honest_loss(best_honest_loss)

# %% [markdown]
r"""
The same decoder, but somebody feeds it the targets unshifted. What loss does it come near to?
"""

# %% exercise="loss_of_the_copier" points=1
loss_of_the_copier = None

# %%
check.loss_of_the_copier(loss_of_the_copier)

# %% [markdown]
r"""
Only now take away the first `#` in the last line.
"""


# %%
def three_letters(feed):
    def draw(rng, B):
        targets = np.concatenate([rng.choice(LETTERS, (3, B)), np.full((1, B), END)])
        return rng.choice(LETTERS, (3, B)), feed(targets), targets

    model, _ = train(draw, 1.0, seed=0, steps=200, H=32)
    source, y, targets = draw(np.random.default_rng(9), 500)
    logits, _ = model.forward(source, y, np.full(4, True))
    return cross_entropy(logits, targets)[0]


losses = [three_letters(feed) for feed in (shifted, unshifted)]
# print(losses)

# %% [markdown]
r"""
### 4. Half a teacher

"Companion" again. With ratio 1 the decoder learns 0 for 伴 after 朋 (or nearly), with ratio 0 it learns 0.6.
What does it learn with ratio 0.5? Think of all the times that 朋 is fed in the second step, and of who fed it.
To within 0.005. Then take away the first `#` below; the model, which is trained with lots, comes within some
hundredths of it.
"""

# %% exercise="companion_with_half_a_teacher" points=2
companion_with_half_a_teacher = None

# %%
check.companion_with_half_a_teacher(companion_with_half_a_teacher)

# %%
half_taught, _ = train(companions, 0.5, seed=0, steps=800, V=9, H=16)
# print(after_start_and_after_peng(half_taught)[1].round(3), *IDS)

# %% [markdown]
r"""
### 5. Find the planted bugs

This makes what a decoder is fed, and what it should say, of sentences of different lengths. It has two
mistakes. A model that is trained with it gets along, and the gradient check is happy. But the question who
hears whom is not:
"""


# %%
def broken_feed(sentences):
    """Lists of ids -> y (T,B), targets (T,B), padded with <pad>"""
    T = max(map(len, sentences))
    targets = np.full((T, len(sentences)), PAD)
    for b, ids in enumerate(sentences):
        targets[: len(ids) + 1, b] = [*ids, END][:T]
    y = targets.copy()
    y[0] = START
    return y, targets


y, targets = broken_feed([[6, 7, 8, 9], [5, 4]])
print(f"fed (a row a sentence)\n{y.T}\ntargets\n{targets.T}\n")

logits, _ = model.forward(source[:, :2], y, np.full(4, True))
for t in range(4):
    other = [[6, 7, 8, 9], [5, 4]]
    other[0][t] = 5
    others, _ = model.forward(source[:, :2], broken_feed(other)[0], np.full(4, True))
    heard = (others != logits).any(axis=(1, 2))
    print(f"word {t} of the first sentence changed: heard in steps", heard.astype(int))

# %% [markdown]
r"""
Mend it. (No word of a sentence may be heard in its own step, and every sentence must end.)
"""


# %% exercise="mended_feed" points=2
def mended_feed(sentences):
    """Lists of ids -> y (T,B) ids, targets (T,B) ids, padded with <pad>"""
    raise NotImplementedError


# %%
check.mended_feed(mended_feed)

# %% [markdown]
r"""
### 6. A schedule

Bengio et al. (2015, §2.4) let the ratio fall along an S: slowly at first, while guesses are worth nothing,
then fast, then slowly. Their *inverse sigmoid decay* is, in step $i$,

$$\epsilon_i = \frac{k}{k + e^{i / k}}$$

with a number $k \ge 1$ that says how long it takes. Write it such that step 100,000 with $k = 100$ gives 0
and not an overflow. (What has it to do with a sigmoid?) It can then be given to the library:
`teacher_forcing=lambda step: inverse_sigmoid_decay(step, 60)`; put it in the place of `falling` above.
"""


# %% exercise="inverse_sigmoid_decay" points=1
def inverse_sigmoid_decay(step, k):
    """step ≥ 0, k ≥ 1 -> the ratio of teacher forcing, a number from 0 to 1"""
    raise NotImplementedError


# %%
check.inverse_sigmoid_decay(inverse_sigmoid_decay)

# %% [markdown]
r"""
### 7. A way back through words

No gradient flows through a choice. So do not choose: feed the *mean* of all words' vectors, each as much as
the decoder believes in it,

$$x_{t+1} = p_t E, \qquad p_t = \mathrm{softmax}(\mathrm{logits}_t)$$

This is smooth, like (7.7), and errors of step $t+1$ teach step $t$ (Goyal et al. 2017 do something like it).
Here it is forward:
"""


# %%
def soft_decode(first, s, T, E, Wx, Wh, b, Wo, bo):
    """first (B,) ids, s (B,H) -> logits (T,B,V), cache"""
    x, xs, ss, logits = E[first], [], [s], []
    for _ in range(T):
        xs.append(x)
        ss.append(cell(x, ss[-1], Wx, Wh, b))
        logits.append(ss[-1] @ Wo + bo)
        x = softmax(logits[-1]) @ E  # (B,V) times (V,E)
    return np.stack(logits), (first, np.stack(xs), np.stack(ss), softmax(np.stack(logits)))


# %% [markdown]
r"""
Take it back. `softmax_backward(dp, p)` is the gradient of the logits for that of $p$ (chapter 5). Mind where
$\mathrm{logits}_t$ is used, and where $E$ is. The $x$ after the last step feeds nobody.
"""


# %% exercise="soft_decoder_backward" points=4
def soft_decoder_backward(dlogits, cache, E, Wx, Wh, Wo):
    """dlogits (T,B,V), cache of soft_decode -> ds0 (B,H), dE (V,E), dWx, dWh, db, dWo, dbo"""
    raise NotImplementedError


# %%
check.soft_decoder_backward(soft_decoder_backward)

# %% [markdown]
r"""
## What to read next

- R. Williams, D. Zipser, [A learning algorithm for continually running fully recurrent neural
  networks](https://doi.org/10.1162/neco.1989.1.2.270), Neural Computation 1(2), 1989: the part on
  teacher-forced learning, where the name comes from.
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §2: (7.3), and `<EOS>`.
- K. Cho et al., [Learning phrase representations using RNN encoder-decoder](https://arxiv.org/abs/1406.1078),
  2014, §2.2 and appendix A: the context at every step.
- S. Bengio, O. Vinyals, N. Jaitly, N. Shazeer, [Scheduled sampling for sequence prediction with recurrent
  neural networks](https://arxiv.org/abs/1506.03099), 2015, §2.4: the schedules.
- F. Huszár, [How (not) to train your generative model](https://arxiv.org/abs/1511.05101), 2015: what
  scheduled sampling learns in the limit.
- M. Ranzato et al., [Sequence level training with recurrent neural
  networks](https://arxiv.org/abs/1511.06732), 2016: exposure bias, and training on what is said.
- A. Lamb et al., [Professor forcing](https://arxiv.org/abs/1610.09038), 2016: states that should look the
  same, taught and free.
- K. Goyal, C. Dyer, T. Berg-Kirkpatrick, [Differentiable scheduled sampling for credit
  assignment](https://arxiv.org/abs/1704.06970), 2017: exercise 7.
- O. Press, L. Wolf, [Using the output embedding to improve language
  models](https://arxiv.org/abs/1608.05859), 2017, §3: tied weights.

Next is chapter 8: how much goes through the thick arrow.
"""
