# %% [markdown]
r"""
# 6 · The encoder

編碼器 · 编码器 · the encoder

The cells of chapters 1 to 4 read vectors. A sentence is made of words; sentences that are read together have
different lengths; and what a word means often shows only in what comes after it. An encoder (編碼器 / 编码器) is
a cell with everything around it that sentences need.

At the end of this chapter you will have written one in plain NumPy, forward and backward: words become ids, ids
become vectors, padding fills up what is short and counts nothing, the sentence is read in both directions and in
several layers, and dropout keeps the network from trusting any one number. You will have seen that a padded
sentence gives the same numbers as the sentence alone, in the outputs and in every gradient.
"""

# %%
import inspect
from itertools import pairwise

import numpy as np

from minis2s.backend import map_tree
from minis2s.data.batches import padded
from minis2s.data.tasks import load_task
from minis2s.data.vocabulary import Vocabulary
from minis2s.exercises import check
from minis2s.figures.padding_and_masks import padding_and_masks
from minis2s.gradcheck import gradcheck
from minis2s.layer import Composite
from minis2s.models import Encoder
from minis2s.models.bridge import Bridge
from minis2s.nn import (
    LSTM,
    RNN,
    Bidirectional,
    Dropout,
    Embedding,
    Linear,
    MeanSquaredError,
    Stack,
    layer_norm,
    recurrent,
)
from minis2s.optim import Adam
from minis2s.plots import COLOURS, DASHES, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 000 (繁) | 基本架構 1, 優勢 | $x_t$ is, for example, a word's embedding; sequences may have any length | where the embedding comes from; what a batch of different lengths needs |
| 002 (简) | 2.1 编码器的功能, 2.2 编码器的公式表示, 2.3 代码示例：简单的LSTM编码器 | $X = (x_1, \dots, x_n)$ becomes $h_n$ | from words to $x_t$; what the leading 1 in its shape counts |
| 003 (简) | 3.1 编码器操作步骤, 5.1 编码器实现 | preprocess, run the cell, return the state; an embedding and an LSTM, one word a call | all words of all sentences in one call |
| 004 (简) | 编码器（Encoder）, 实现, 注意事项 1 | embedding, dropout, an LSTM of two layers; sequences are to be padded | the gradient of each; what keeps the padding out |

It comes after chapters 1 to 4, which have the cells, and 5, which has the loss. Chapter 7 takes the encoder's last
state and makes a sentence of it; chapter 9 looks at all of its states.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 編碼器 | 编码器 | encoder |
| 上下文向量 | 上下文向量 | context vector |
| 詞元 | 词元 | token: a word, a character, a mark |
| 詞彙表、詞表 | 词汇表、词表 | vocabulary |
| 編號 | 编号 | id |
| 獨熱向量 | 独热向量 | one-hot vector |
| 詞嵌入 | 词嵌入 | word embedding |
| 批次 | 批次 | batch |
| 填充、填充符 | 填充、填充符 | padding, the token `<pad>` |
| 遮罩 | 掩码 | mask |
| 雙向循環神經網絡 | 双向循环神经网络 | bidirectional recurrent network |
| 層 | 层 | layer |
| 隨機失活、丟棄法 | 随机失活、丢弃法 | dropout |
| 訓練、評估 | 训练、评估 | training, evaluation |
| 層正規化 | 层归一化 | layer normalisation |
| 均值、變異數 | 均值、方差 | mean, variance |
| 權重綁定 | 权重绑定 | tied weights |
"""

# %% [markdown]
r"""
## Symbols

| in 002 §2 | in 003 §5.1 | in 004 | here | in the code | what it is | shape |
|---|---|---|---|---|---|---|
| | `input` | `src` | $\mathrm{id}_t$ | `ids`, of an encoder `source` | the words by number | (T,B) |
| | `embedding` | `embedding` | $W$ | `embedding`, its `W` | one row for each word | (V,D) |
| $x_t$ | `embedded` | `embedded` | $x_t$ | `x[t]` | the vectors of the words at place $t$ | (B,D) |
| | | `dropout` | $p$ | `p`, `dropout` | the share that is dropped | |
| | | | $k$ | `mask` | 1 where a number is kept, 0 where it is dropped | as what it drops |
| | | | $m_t$ | `active`; `m` below | 1 where place $t$ is a word, 0 where it is padding | (B,1) |
| $h_t$ | `output` | `outputs` | $h_t$ | `hs` | the states at all places | (T,B,H), (T,B,2H) |
| $h_n$ | `hidden` | `hidden`, `cell`; $c$ | $h_T$ | `states`, one for each layer | the last state: a summary of the sentence | (B,H) |
| $n$ | | $T$ | $T$ | `T`; `S` in a translator | places in the batch, padding included | |
| | | | $n_b$ | `lengths` | words of sentence $b$ | (B,) |

V is the number of words that are known, D the size of a word's vector, B the number of sentences in a batch,
H the size of the state. The library's files write $m$ for three things: the mask of dropout, the mask of
padding, and the mean in layer normalisation. Here they are $k$, $m_t$ and $\mu$. And in
[embedding.py](../minis2s/nn/embedding.py) the id is $y_t$, because a decoder looks up its words with the same
line.
"""

# %% [markdown]
r"""
## The idea

A sentence goes through five stations.

1. **Words become numbers.** Every word that the model knows has a number, its id. Sentences that are read together
   are put side by side as the columns of one array, and short ones are filled up with the id 0, `<pad>`.
2. **Numbers become vectors.** A table has a row for each id. To read a word is to look up its row. The rows are
   weights like all others: they are learnt.
3. **The cell reads from left to right**, and at padding it does nothing: the state stays what it was.
4. **A second cell reads from right to left**, so that at each word one has heard what comes before and what comes
   after. It meets the padding first, and does nothing there either.
5. **Both are put side by side.** That is what the encoder says of each place. And the last state of each direction
   sums up the whole sentence.

Here it is for a sentence of three words in a batch where another one has four. (The next cell only draws it.)
"""

# %%
WORDS = {"the": 4, "cat": 5, "sleeps": 9, "<pad>": 0}
LEVELS = {
    "word": 0, "id": 0.8, "vector xₜ": 1.6,
    "left to right": 2.55, "right to left": 3.35, "both: hₜ": 4.25,
}  # fmt: skip


def draw_encoder():
    """Words, ids, vectors, two chains of cells, what they say of each place; padding is grey."""
    with drawing((8.8, 4.2)) as figure:
        ax = figure.add_subplot(xlim=(-2.9, 8.3), ylim=(-0.4, 4.6))
        ax.axis("off")
        for name, y in LEVELS.items():
            ax.text(-2.9, y, name, va="center", color=COLOURS[0])

        def box(x, level, label, pad=False, fill="white"):
            look = {"boxstyle": "round,pad=0.35", "ec": "0.4", "ls": "--" if pad else "-"}
            look |= {"fc": "0.93" if pad else fill}
            colour, y = "0.45" if pad else "0", LEVELS[level]
            return ax.text(x, y, label, ha="center", va="center", color=colour, bbox=look)

        def arrow(start, end, width=1):
            ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
            look = {"arrowstyle": "->", "color": "0.3", "lw": width, "shrinkA": 1, "shrinkB": 1}
            ax.annotate("", end.get_position(), start.get_position(), arrowprops=look | ends)

        chains = {"left to right": [box(-1.6, "left to right", "0")], "right to left": []}
        for t, (word, number) in enumerate(WORDS.items()):
            pad = word == "<pad>"
            boxes = [box(2 * t, "word", word, pad), box(2 * t, "id", number, pad)]
            boxes += [box(2 * t, "vector xₜ", "0 0 0" if pad else "● ● ●", pad)]
            both = box(2 * t, "both: hₜ", "● ●  0 0" if pad else "● ●  ● ●", pad)
            for start, end in pairwise(boxes):
                arrow(start, end)
            for name, chain in chains.items():
                aside = -0.45 if name == "left to right" else 0.45
                chain.append(box(2 * t + aside, name, "=" if pad else "cell", pad, "#DCEBF7"))
                if not pad:
                    arrow(boxes[-1], chain[-1])
                arrow(chain[-1], both)
        chains["left to right"].append(box(7.6, "left to right", "last state"))
        chains["right to left"].append(box(7.9, "right to left", "0"))
        chains["right to left"].insert(0, box(-1.4, "right to left", "last state"))
        for start, end in pairwise(chains["left to right"]):
            arrow(start, end, 2)
        for end, start in pairwise(chains["right to left"]):
            arrow(start, end, 2)
    return figure


draw_encoder()

# %% [markdown]
r"""
Look at the grey column. The vector of `<pad>` goes nowhere, and the two boxes `=` hand on what they were given:
from the left the last state of the sentence, from the right the 0 with which the second chain began.
"""

# %% [markdown]
r"""
## The equations

### From words to ids

What counts as a word is a matter of taste: a word, a character, a piece of either. Whatever it is, it is called a
token (詞元 / 词元). The vocabulary (詞彙表 / 词汇表) numbers the tokens that were seen in training. Four numbers
are taken: `<pad>` is 0, `<start>` 1, `<end>` 2, and `<unk>`, for whatever was not seen, is 3.
"""

# %%
sentences = ["the dog sees the cat", "hello world", "the cat sleeps"]
vocabulary = Vocabulary.build(sentence.split() for sentence in sentences)
print(vocabulary.tokens)
for sentence in [*sentences, "the mouse sleeps"]:
    print(f"{sentence:20}", vocabulary.encode(sentence.split()))

# %% [markdown]
r"""
"the" comes twice in the first sentence and has the same number both times. "mouse" is unknown. Now the three
sentences become one batch: a column for each sentence, filled up with 0.
"""

# %%
ids = padded([vocabulary.encode(sentence.split()) for sentence in sentences])  # (T,B)
lengths = np.array([len(sentence.split()) for sentence in sentences])  # (B,)
print(ids)
print("lengths", lengths)

# %% [markdown]
r"""
Why columns? So that `ids[t]` is what the cell reads at step $t$: one word of each sentence. (The figures below
show a sentence as a row, as one reads it.)

### From ids to vectors

The number itself means nothing: 7 is not more than 4. So it is only used to find a row in a table $W$ (V,D):

$$x_t = W_{\mathrm{id}_t} \tag{6.1}$$

and the row of `<pad>` is 0. This is an embedding (詞嵌入 / 词嵌入).

A lookup does not look like something that has a derivative. But it is a matrix product in disguise. Write the id 2
as a row of V numbers, all 0 but for a 1 at place 2 (counted from 0): a one-hot vector (獨熱向量 / 独热向量). Such a row
times $W$ is the sum of all rows of $W$, each times a 0, but for row 2, which is times 1.
"""

# %%
V, D = 5, 3
W = np.arange(V * D).reshape(V, D)
one_hot = np.array([0, 0, 1, 0, 0])
print(one_hot @ W, W[2])

# %% [markdown]
r"""
So (6.1) is a linear layer whose input is one-hot. Nobody computes it so, since of V products V - 1 are with 0; but
it will tell us the gradient.

### Dropout

A network that has seen few sentences learns them by heart. Dropout (隨機失活 / 随机失活) makes that difficult: while
training, and only then, each number is set to 0 with probability $p$, so that nothing can rely on any one number
being there. What is kept is divided by the probability of being kept:

$$y = x \odot \frac{k}{1-p} \tag{6.2}$$

where each entry of $k$ is 0 with probability $p$ and else 1, drawn anew each time. Why the division? Look at one
number $x$. With probability $1-p$ it becomes $x/(1-p)$, with probability $p$ it becomes 0. On average it is

$$(1-p) \cdot \frac{x}{1-p} + p \cdot 0 = x$$

as without dropout. So in evaluation (評估 / 评估), when a sentence is translated, dropout is simply left out: $y = x$.
(Srivastava et al. 2014 make the weights smaller in evaluation instead. To divide in training is called *inverted*
dropout, and is what libraries do now.)

Where is it put? As in 004: on the vectors of the words, and between two layers. Not on the way from $h_{t-1}$ to
$h_t$: a number that is to be remembered for T steps would have to survive T draws, and does so with probability
$(1-p)^T$.

### Padding

A row of the batch whose sentence has ended must not go on reading. Chapter 3 has shown that zeros are not nothing:
a cell that reads a vector 0 still changes its state. So let $m_t$ (B,1) be 1 in the rows where place $t$ is a word
and 0 where it is padding, that is, $m_t = 1$ where $t \le n_b$. Let the cell compute what the state would be
after this step, and call it $h_t^{\mathrm{after}}$. Then

$$h_t = m_t \odot h_t^{\mathrm{after}} + (1 - m_t) \odot h_{t-1} \tag{6.3}$$

$m_t$ is (B,1) and the states are (B,H): one decision a row. Where $m_t$ is 1, this is the new state; where it is
0, the old one. The state is *carried*. An LSTM carries its cell $c_t$ in the same way.

It follows that the last state is each sentence's own. For a sentence of $n$ words, $m_t$ is 0 at all places
after $n$, and (6.3) says $h_{n+1} = h_n$, $h_{n+2} = h_{n+1}$, and so on:

$$h_T = h_n$$

### Both directions

At "bank" in "the bank of the river" a cell that reads from left to right has not heard of the river yet. A second
cell, with weights of its own, reads from right to left, and the encoder says both:

$$h_t = [\overrightarrow{h}_t ; \overleftarrow{h}_t] \tag{6.4}$$

(B,H) beside (B,H) is (B,2H). $\overrightarrow{h}_t$ has read the words 1 to $t$, $\overleftarrow{h}_t$ the
words $n$ to $t$; both have read word $t$. This is a bidirectional network (雙向循環神經網絡 / 双向循环神经网络).

In a batch there is a trap. From right to left, the padding comes *first*. The second cell ought to start at each
sentence's own last word, and these are at different places. Must we turn round every row by itself? No: (6.3)
does it. The loop runs from $t = T$ down to 1, and "before" is now $h_{t+1}$; as long as a row is in its padding,
$m_t$ is 0 and the state stays what it was at the start, 0. At $t = n$ the cell begins to read, with a fresh state.

Mind also where each direction *ends*: left to right at the last place, right to left at place 1. At the last place
the right half of (6.4) has read one word, or, in a row that ends in padding, none at all.

### Layers

A second layer reads what the first one says, as if it were words, with dropout between:
$x_t^{(2)} = \mathrm{dropout}(h_t^{(1)})$. With both directions it reads 2H numbers, and so at its first step
it knows something of the whole sentence already. There is no new equation in this; one feeds the output of
one into the other, and each layer has a last state of its own.

### Two last states, one first state

A decoder that starts from the encoder's last state can take one state, and now there are two. A bridge joins them,
by one more layer:

$$s_0 = \tanh([\overrightarrow{h}_T ; \overleftarrow{h}_1] W_b + b_b) \tag{7.1}$$

$W_b$ is (2H,H), so $s_0$ is (B,H). Its number is of chapter 7, which begins with $s_0$. With several layers there
is a bridge for each; with LSTMs there is one more for the cell.

### Layer normalisation

An option. When pre-activations grow large, all tanhs and gates are saturated and let little gradient through
(chapter 1). Layer normalisation (層正規化 / 层归一化) takes the N numbers $a$ of one row, whatever they are, and shifts
and scales them to mean 0 and variance 1:

$$z = (a - \mu) r \tag{6.5}$$

$$y = \gamma \odot z \tag{6.6}$$

where $\mu = \frac1N \sum_j a_j$ is the mean (均值), $r = 1 / \sqrt{v + \epsilon}$ with the variance
(變異數 / 方差) $v = \frac1N \sum_j (a_j - \mu)^2$, and $\epsilon = 10^{-5}$, so that one never divides by 0. $\gamma$
(N,), `gain` in the code, is learnt: the network may undo the scaling where it does not help. In `minis2s`, a
recurrent layer with `layer_norm=True` has $a_t = \gamma \odot z_t + b$, where $z_t$ is made of
$x_t W_x + h_{t-1} W_h$.

Each row is normalised by itself. So neither the other sentences of the batch nor their padding have a say in it.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### The five rules

Chapters 1 and 3 derive them; here they are in a line each. $dy$ is the gradient of the loss $L$ with respect to
$y$: an array of the shape of $y$, each entry of which says by how much $L$ rises for each unit that this entry of
$y$ is raised.

1. $y = \varphi(x)$, each number by itself: $dx = dy \odot \varphi'(x)$. For the tanh,
$dx = dy \odot (1 - y^2)$. 2. $y = u + v$: $du = dy$ and $dv = dy$. 3. $y = u \odot v$: $du = dy \odot v$ and
$dv = dy \odot u$. 4. What is used in several places gets the sum of what comes back from each. 5. $Y = XW$:
$dX = dY W^{\top}$ and $dW = X^{\top} dY$. A bias that is added to all rows gets the sum of the rows of $dY$.

We walk back through the stations, and take them in the order of the equations.

### The embedding

Write all places of all sentences below each other, N = TB of them, as one matrix of one-hot rows, $O$ (N,V). Then
(6.1) is $X = O W$, with $X$ (N,D), and rule 5 says

$$dW = O^{\top} dX$$

with shapes (V,N) times (N,D), so (V,D). What is row $v$ of this? Its entry in column $d$ is

$$dW_{vd} = \sum_{j} (O^{\top})_{vj} dX_{jd} = \sum_{j} O_{jv} dX_{jd}$$

and $O_{jv}$ is 1 where place $j$ has the word $v$, and 0 elsewhere. So only these places are left in the sum:

$$dW_v = \sum_{j : \mathrm{id}_j = v} dx_j \tag{6.1'}$$

**A word's row gets the sum of the gradients of all places where the word stands.** Rule 4 says the same without
any matrix: the row is used once for each occurrence. A word that does not occur in the batch has gradient 0. The
row of `<pad>` is not looked up but 0 by definition, so it has gradient 0 as well. And ids have no gradient at all:
one cannot raise a word by a little.

To add rows of one array to chosen rows of another is called scatter-add. The obvious line for it is wrong:
"""

# %%
ids_now, dx_now = np.array([7, 2, 7]), np.array([[1.0], [10], [100]])
right, wrong = np.zeros((8, 1)), np.zeros((8, 1))
np.add.at(right, ids_now, dx_now)
wrong[ids_now] += dx_now
print("np.add.at(dW, ids, dx)  row 2:", right[2], " row 7:", right[7])
print("dW[ids] += dx           row 2:", wrong[2], " row 7:", wrong[7])

# %% [markdown]
r"""
`dW[ids] += dx` is short for `dW[ids] = dW[ids] + dx`. NumPy first takes the three rows out, adds, and has three
new rows, 1, 10 and 100. Then it writes them back, to row 7, to row 2, and to row 7 again, where the 100 overwrites
the 1. Of a word that comes $k$ times, only the last place counts, and no error is raised. `np.add.at` adds one
place after the other. How much would be lost in a real batch? Here are 32 dates, read character by character.
"""

# %%
dates = [list(pair.source) for pair in load_task("dates").train[:32]]
letters = Vocabulary.build(dates)
date_ids = padded([letters.encode(date) for date in dates])
real = date_ids[date_ids != 0]
print("".join(dates[0]), "|", "".join(dates[1]), "|", "".join(dates[2]), "| …")
print(f"{real.size} characters, {np.unique(real).size} of them different:", end=" ")
print(f"{np.unique(real).size / real.size:.0%} of the gradients would be kept")

# %% [markdown]
r"""
(The library sorts the ids first, so that equal ones lie together and can be summed in a few large additions
instead of many small ones. The sums are the same.)

### Dropout

The mask is what chance gave, and no function of anything; so (6.2) is an elementwise product with a constant, and
rule 3 gives

$$dx = dy \odot \frac{k}{1-p} \tag{6.2'}$$

with *the same* mask as forward. A number that was dropped had no influence on the loss, and gets no gradient. That
is why the mask is in the cache.

### Padding

Equation (6.3) is $h_t = m_t \odot h_t^{\mathrm{after}} + (1-m_t) \odot h_{t-1}$. Let $dh_t$ be the gradient
of $h_t$ with every use of $h_t$ in it. Rules 2 and 3 give

$$dh_t^{\mathrm{after}} = m_t \odot dh_t \tag{6.3'}$$

$$dh_{t-1}^{\mathrm{carried}} = (1 - m_t) \odot dh_t$$

The first goes into the cell, and comes out of it as $da_t$, and from there to $x_t$, to the weights and to
$h_{t-1}$. The second goes past the cell. $h_{t-1}$ was used in both, so by rule 4

$$dh_{t-1} = da_t W_h^{\top} + (1 - m_t) \odot dh_t$$

(and to this comes what reaches $h_{t-1}$ from outside, from whoever looks at it). It looks like a sum, but in each
row one of the two is 0. In a row that is reading, $m_t = 1$: it is the recurrent layer of chapter 1. In a row
that has ended, $m_t = 0$:

- $dh_t^{\mathrm{after}} = 0$, so $da_t = 0$ in this row. Nothing reaches $x_t$, and this row adds nothing to
  $dW_x$, $dW_h$ and $db$.
- $dh_{t-1} = dh_t$: the gradient of the last state passes through the padding untouched, and arrives at the
  sentence's own last word as if there had been no padding.

### Padded = unpadded

So let a sentence of $n$ words be read alone, and then in a batch where all have T places.

*Forward.* At the places 1 to $n$ both compute the same from the same. After that, $h_T = h_n$. So the last state
and the states at real places are equal. If whoever goes on from here looks at real places only, as attention with
a mask (chapter 9) and the loss with a mask (chapter 5) do, then the loss is equal too.

*Backward.* Into the places after $n$ comes nothing from outside, but for the gradient of $h_T$, which walks
through them untouched; none of them adds to any weight. From $n$ down to 1 both compute the same from the
same. So all gradients are equal. From right to left it is the same argument, with the padding at the
beginning: the state stays 0, and what is left of the gradient after word $n$ passes on to the 0, where nobody
asks for it. ∎

This is not "nearly". We shall test it to twelve digits.

### Both directions

Each number of (6.4) is a number of one of the two halves, as it is. So the gradient is cut where the halves
meet:

$$d\overrightarrow{h}_t = (dh_t)_{1 \dots H} \qquad d\overleftarrow{h}_t = (dh_t)_{H+1 \dots 2H} \tag{6.4'}$$

Each direction is then taken back by itself, against its own reading order: what has been read from right to left
is taken back from left to right. And $x_t$ was read by both, so by rule 4 its gradient is the sum of the two that
come back.

### Layers

The gradient of what the second layer read is, through the dropout between, what reaches the states of the first
layer from outside. To it comes the gradient of the first layer's own last state, if somebody has used it. In the
padding the second layer sends back 0, as we have just seen; so "padded = unpadded" holds for the layer below too.

### Two last states, one first state

Let $u = [\overrightarrow{h}_T ; \overleftarrow{h}_1]$, (B,2H), so that $s_0 = \tanh(u W_b + b_b)$. Rule 1,
then rule 5:

$$da = ds_0 \odot (1 - s_0^2)$$

$$du = da W_b^{\top} \qquad dW_b = u^{\top} da \qquad db_b = \textstyle\sum_{\text{rows}} da \tag{7.1'}$$

(B,H) times (H,2H) is (B,2H); cut in half, it is what reaches the two last states.

### Layer normalisation

Equation (6.6) is a product. $\gamma$ is used once for every row of every batch and step, so by rules 3 and 4

$$dz = dy \odot \gamma \qquad d\gamma = \textstyle\sum_{\text{rows}} dy \odot z \tag{6.6'}$$

Equation (6.5) takes some patience, because every number of the row has a hand in $\mu$ and in $r$. Take one row,
and do it one small step at a time. Forward:

$$c_j = a_j - \mu \qquad v = \tfrac1N \textstyle\sum_j c_j^2 \qquad r = (v + \epsilon)^{-1/2} \qquad z_j = c_j r$$

Backward from $dz$:

**$z_j = c_j r$** is a product. $c_j$ gets $dz_j r$. And $r$ is used in all N of them, so $dr = \sum_k dz_k c_k$.

**$r = (v+\epsilon)^{-1/2}$** has the derivative $-\frac12 (v+\epsilon)^{-3/2} = -\frac12 r^3$. So
$dv = -\frac12 r^3 dr$.

**$v = \frac1N \sum_j c_j^2$**. In it $c_j$ stands as $\frac1N c_j^2$, whose derivative is $\frac2N c_j$. So
$c_j$ gets another $dv \cdot \frac2N c_j = -\frac1N r^3 c_j dr$. Both together, with $dr$ written out:

$$dc_j = r dz_j - \tfrac1N r^3 c_j \textstyle\sum_k dz_k c_k$$

Now $c = z/r$, so $r^3 c_j c_k = r z_j z_k$:

$$dc_j = r dz_j - r z_j \cdot \tfrac1N \textstyle\sum_k dz_k z_k = r (dz_j - z_j \mathrm{mean}(dz \odot z))$$

**$c_j = a_j - \mu$**. $a_j$ gets $dc_j$. And $\mu$ is used N times, with a minus: $d\mu = -\sum_k dc_k$.

**$\mu = \frac1N \sum_j a_j$**. In it $a_j$ has the factor $\frac1N$, so it gets another
$-\frac1N \sum_k dc_k$. Together

$$da_j = dc_j - \mathrm{mean}(dc)$$

What is the mean of $dc$? In the formula for $dc_j$, both $r$ and $\mathrm{mean}(dz \odot z)$ are the same for
all $j$. So it is $r (\mathrm{mean}(dz) - \mathrm{mean}(z) \mathrm{mean}(dz \odot z))$; and
$\mathrm{mean}(z) = 0$, for that is what normalising does. What is left is $r \mathrm{mean}(dz)$.

All in one line:

$$da = r (dz - \mathrm{mean}(dz) - z \odot \mathrm{mean}(dz \odot z)) \tag{6.5'}$$

It can be read. To raise all $a_j$ alike changes nothing, so the part of the gradient that would is taken
away: the mean. To stretch all $a_j$ away from $\mu$ changes (but for $\epsilon$) nothing, so that part is
taken away too: the one along $z$. What is left is scaled by $r$, as forward.
"""

# %% [markdown]
r"""
## By hand

Each station, forward and backward. The embedding, with the row of `<pad>` held at 0:
"""

# %%
PAD = 0


def embed(ids, W):
    """ids (T,B), W (V,D) -> x (T,B,D), cache"""
    real = (ids != PAD)[:, :, None]  # (T,B,1)
    return W[ids] * real, (ids, real, W.shape)  # (6.1)


def embed_backward(dx, cache):
    """dx (T,B,D) -> dW (V,D)"""
    ids, real, shape = cache
    dW = np.zeros(shape)
    np.add.at(dW, ids, dx * real)  # (6.1)'
    return dW


# %% [markdown]
r"""
Dropout. Without a generator of random numbers, which is to say in evaluation, it does nothing.
"""


# %%
def drop(x, p, rng=None):
    """x (…) -> y (…), mask"""
    mask = 1.0 if rng is None else (rng.random(x.shape) < 1 - p) / (1 - p)  # k / (1 - p)
    return x * mask, mask  # (6.2)


def drop_backward(dy, mask):
    """dy (…) -> dx (…)"""
    return dy * mask  # (6.2)'


y, mask = drop(np.ones((4, 8)), 0.25, np.random.default_rng(0))
print(y)
many, _ = drop(np.ones(1_000_000), 0.25, np.random.default_rng(0))
print(f"the mean of a million: {many.mean():.3f}")

# %% [markdown]
r"""
One direction. The cell is the plain one of chapter 1, $h_t = \tanh(x_t W_x + h_{t-1} W_h + b)$; any other
would do. Python counts from 0, so place $t$ is a word where `t < lengths`. To read back to front is to walk
through the times back to front, and nothing else.
"""


# %%
def read(x, lengths, Wx, Wh, b, back=False):
    """x (T,B,D), lengths (B,) -> hs (T,B,H), the last state h (B,H), a cache for every step"""
    T, B, H = *x.shape[:2], len(Wh)
    h, hs, caches = np.zeros((B, H)), np.zeros((T, B, H)), []
    for t in reversed(range(T)) if back else range(T):
        m = (t < lengths)[:, None]  # (B,1), True where there is a word
        after = np.tanh(x[t] @ Wx + h @ Wh + b)  # (1.1) (1.2)
        caches.append((t, m, x[t], h, after))
        h = np.where(m, after, h)  # (6.3)
        hs[t] = h
    return hs, h, caches


def read_backward(dhs, dh, Wx, Wh, caches):
    """dhs (T,B,H) from outside, dh (B,H) of the last state -> dx (T,B,D), dWx, dWh, db"""
    dx = np.zeros((*dhs.shape[:2], len(Wx)))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(len(Wh))
    for t, m, x_t, h_prev, after in reversed(caches):
        dh = dh + dhs[t]  # h is used outside and in the next step: sum
        dafter, dcarried = dh * m, dh * ~m  # (6.3)'
        da = dafter * (1 - after**2)  # (1.2)'
        dh = da @ Wh.T + dcarried  # (1.1)'; the state before is used twice: sum
        dx[t] = da @ Wx.T
        dWx, dWh, db = dWx + x_t.T @ da, dWh + h_prev.T @ da, db + da.sum(axis=0)
    return dx, dWx, dWh, db


# %% [markdown]
r"""
`np.where` picks one of the two; it does not multiply and add, so a carried state is the same to the last bit.
`read_backward` does not need to know the direction: the caches lie in the order of reading, and it takes them from
the last to the first.

Both directions:
"""


# %%
def read_both_ways(x, lengths, ahead, back):
    """x (T,B,D), for each direction Wx, Wh, b -> hs (T,B,2H), two last states (B,H), caches"""
    hs_ahead, h_ahead, cache_ahead = read(x, lengths, *ahead)
    hs_back, h_back, cache_back = read(x, lengths, *back, back=True)
    hs = np.concatenate([hs_ahead, hs_back], axis=2)  # (6.4)
    return hs, (h_ahead, h_back), (cache_ahead, cache_back)


def read_both_ways_backward(dhs, dlast, ahead, back, caches, one_way_backward=read_backward):
    """dhs (T,B,2H), dlast two of (B,H) -> dx (T,B,D), for each direction dWx, dWh, db"""
    dhs_ahead, dhs_back = np.split(dhs, 2, axis=2)  # (6.4)'
    dx_ahead, *dahead = one_way_backward(dhs_ahead, dlast[0], *ahead[:2], caches[0])
    dx_back, *dback = one_way_backward(dhs_back, dlast[1], *back[:2], caches[1])
    return dx_ahead + dx_back, dahead, dback  # x is read twice: sum


# %% [markdown]
r"""
And the whole: embedding, then layers with dropout before each. Backward is forward in reverse.
"""


# %%
class EncoderByHand:
    """ids (T,B), lengths (B,) -> hs (T,B,2H), the two last states of each layer"""

    embed_backward = staticmethod(embed_backward)
    read_backward = staticmethod(read_backward)

    def __init__(self, V, D, H, layers, p, rng):
        shapes = {"W": (V, D)}
        for layer in range(layers):
            for way in ("ahead", "back"):
                shapes[f"{layer} {way} Wx"] = (2 * H if layer else D, H)
                shapes[f"{layer} {way} Wh"] = (H, H)
                shapes[f"{layer} {way} b"] = (H,)
        self.params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.layers, self.p = layers, p

    def zero_grad(self):
        for grad in self.grads.values():
            grad[...] = 0

    def weights(self, layer):
        """Wx, Wh, b of the two directions."""
        return [
            [self.params[f"{layer} {way} {name}"] for name in ("Wx", "Wh", "b")]
            for way in ("ahead", "back")
        ]

    def forward(self, ids, lengths, rng=None):
        x, embedded = embed(ids, self.params["W"])
        last, caches = [], []
        for layer in range(self.layers):
            x, mask = drop(x, self.p, rng)
            x, states, cache = read_both_ways(x, lengths, *self.weights(layer))
            last.append(states)
            caches.append((mask, cache))
        return (x, tuple(last)), (embedded, caches)

    def backward(self, dhs, dlast, cache):
        embedded, caches = cache
        dx = dhs
        for layer in reversed(range(self.layers)):
            mask, cache = caches[layer]
            dx, *dweights = read_both_ways_backward(
                dx, dlast[layer], *self.weights(layer), cache, self.read_backward
            )
            for way, dway in zip(("ahead", "back"), dweights):
                for name, grad in zip(("Wx", "Wh", "b"), dway):
                    self.grads[f"{layer} {way} {name}"] += grad
            dx = drop_backward(dx, mask)
        self.grads["W"] += self.embed_backward(dx, embedded)


rng = np.random.default_rng(0)
encoder = EncoderByHand(len(vocabulary), D=5, H=2, layers=1, p=0.0, rng=rng)
(hs, ((h_ahead, h_back),)), _ = encoder.forward(ids, lengths)
print("'hello world', both halves of hs at each of its five places:")
print(hs[:, 1])
print("last states", h_ahead[1], h_back[1])

# %% [markdown]
r"""
The second sentence has two words. From place 2 on, the left half is carried unchanged. The right half is 0 in the
padding, begins to read at the last word, and ends at the first. So the last states stand in different places: that
of the left half everywhere from the last word on, that of the right half at the top.

What if the second direction were not told the lengths?
"""

# %%
x, _ = embed(ids, encoder.params["W"])
_, (Wx, Wh, b) = encoder.weights(0)
all_places = np.full(3, len(ids))
for bias in (0 * b, b):
    _, h, _ = read(x, lengths, Wx, Wh, bias, back=True)
    _, h_pads_first, _ = read(x, all_places, Wx, Wh, bias, back=True)
    off = np.linalg.norm(h_pads_first[1] - h[1]) / np.linalg.norm(h[1])
    print(f"bias {bias}: 'hello world' is off by {off:.0%}")

# %% [markdown]
r"""
With biases of 0 nothing is wrong: the vector of `<pad>` is 0, the state is 0, and $\tanh(0) = 0$. Biases of 0
are what a fresh network has in `minis2s` (a forget gate's bias of 1 does no harm here). A test on a fresh
network would pass, and the mistake would begin with the first step of training. The other cells are no
different. Test with biases that are not 0.

The bridge, and layer normalisation:
"""


# %%
def bridge(h_ahead, h_back, Wb, bb):
    """(B,H), (B,H), Wb (2H,H), bb (H,) -> s0 (B,H), cache"""
    u = np.concatenate([h_ahead, h_back], axis=1)  # (B,2H)
    s0 = np.tanh(u @ Wb + bb)  # (7.1)
    return s0, (u, s0)


def bridge_backward(ds0, Wb, cache):
    """ds0 (B,H) -> dh_ahead (B,H), dh_back (B,H), dWb (2H,H), dbb (H,)"""
    u, s0 = cache
    da = ds0 * (1 - s0**2)
    du = da @ Wb.T  # (7.1)'
    return *np.split(du, 2, axis=1), u.T @ da, da.sum(axis=0)


def normalise(a, gain, epsilon=1e-5):
    """a (B,N), gain (N,) -> y (B,N), cache"""
    c = a - a.mean(axis=1, keepdims=True)
    r = 1 / np.sqrt((c**2).mean(axis=1, keepdims=True) + epsilon)  # (B,1)
    z = c * r  # (6.5)
    return gain * z, (z, r)  # (6.6)


def normalise_backward(dy, gain, cache):
    """dy (B,N) -> da (B,N), dgain (N,)"""
    z, r = cache
    dgain = (dy * z).sum(axis=0)  # (6.6)'
    dz = dy * gain
    along = (dz * z).mean(axis=1, keepdims=True)
    return r * (dz - dz.mean(axis=1, keepdims=True) - z * along), dgain  # (6.5)'


# %% [markdown]
r"""
## With a pencil

### Two sentences, two words

Let there be two words, "go" and "on", and two sentences: "go on" and "go". In a batch:

| place | sentence 1 | sentence 2 |
|---|---|---|
| 1 | go | go |
| 2 | on | `<pad>` |

Every array is a number: D = H = 1. Let the vector of "go" be $\ln 3$ and that of "on" be $-0.4$; $W_x = 1$,
$W_h = 0.5$, bias 0. Recall $\tanh(\ln 3) = 0.8$. The loss is the sum of the two last states.

**Forward.** Both sentences read "go" from the state 0: $h_1 = \tanh(\ln 3) = 0.8$ for both.

- Sentence 1 reads "on": $\tanh(-0.4 + 0.5 \cdot 0.8) = \tanh(0) = 0$. So $h_2 = 0$.
- Sentence 2 has ended: $h_2 = h_1 = 0.8$. (Had it read the padding, it would be $\tanh(0 + 0.4) = 0.38$.)

**Backward, place 2.** $dh_2 = 1$ for both sentences.

- Sentence 1, $m = 1$: $da = 1 \cdot (1 - 0^2) = 1$. To the vector of "on": $1 \cdot W_x = 1$. To $h_1$:
  $1 \cdot W_h = 0.5$.
- Sentence 2, $m = 0$: $da = 0$. To $h_1$: all of it, 1.

**Backward, place 1.** $1 - 0.8^2 = 0.36$.

- Sentence 1: $da = 0.5 \cdot 0.36 = 0.18$.
- Sentence 2: $da = 1 \cdot 0.36 = 0.36$.

**The weights.** The word "go" stands in two places, so its row gets $0.18 + 0.36 = 0.54$. The row of "on" gets 1.
Then $dW_x = \sum x \cdot da = -0.4 \cdot 1 + \ln 3 \cdot (0.18 + 0.36) = 0.1933$;
$dW_h = \sum h_{t-1} \cdot da = 0.8 \cdot 1 = 0.8$; $db = 1 + 0.18 + 0.36 = 1.54$.
"""

# %%
W = np.array([[0], [np.log(3)], [-0.4]])  # <pad>, go, on
pencil_ids, pencil_lengths = np.array([[1, 1], [2, 0]]), np.array([2, 1])
Wx, Wh, b = np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1)

x, embedded = embed(pencil_ids, W)
hs, h, caches = read(x, pencil_lengths, Wx, Wh, b)
dx, dWx, dWh, db = read_backward(np.zeros_like(hs), np.ones((2, 1)), Wx, Wh, caches)
dW = embed_backward(dx, embedded)

pencil = {
    "h": ([0, 0.8], h),
    "dW": ([0, 0.54, 1], dW),
    "dWx": ([0.1933], dWx),
    "dWh": ([0.8], dWh),
    "db": ([1.54], db),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(computed.ravel(), by_pencil, atol=1e-4)
    print(f"{name:4} pencil {np.array(by_pencil)}  computed {computed.ravel()}")

wrong = np.zeros_like(W)
wrong[pencil_ids] += dx
print("dW by dW[ids] += dx:", wrong.ravel())

# %% [markdown]
r"""
In the last line sentence 2 has overwritten what sentence 1 had to say of "go".

### Five numbers, normalised

Let $a = (0, 0, 0, 0, 5)$ and $\gamma = 1$, and forget $\epsilon$. The mean is 1, so $c = (-1, -1, -1, -1, 4)$. The
variance is $(1 + 1 + 1 + 1 + 16)/5 = 4$, so $r = \frac12$ and $z = (-0.5, -0.5, -0.5, -0.5, 2)$.

Backward from $dz = (1, 0, 0, 0, 0)$: $\mathrm{mean}(dz) = 0.2$ and $\mathrm{mean}(dz \odot z) = -0.5/5 = -0.1$. So
$da_j = \frac12 (dz_j - 0.2 + 0.1 z_j)$:

- first number: $\frac12 (1 - 0.2 - 0.05) = 0.375$
- second to fourth: $\frac12 (0 - 0.2 - 0.05) = -0.125$
- fifth: $\frac12 (0 - 0.2 + 0.2) = 0$

They sum to 0, as they must.
"""

# %%
y, cache = normalise(np.array([[0.0, 0, 0, 0, 5]]), np.ones(5))
da, _ = normalise_backward(np.array([[1.0, 0, 0, 0, 0]]), np.ones(5), cache)
np.testing.assert_allclose(da[0], [0.375, -0.125, -0.125, -0.125, 0], atol=1e-4)
print("z ", y[0])
print("da", da[0])

# %% [markdown]
r"""
## The gradient check

As in chapter 3: `gradcheck` takes a fixed random number for every output, sums up the products as the loss,
and moves each weight by a little, up and down. Ids and lengths are whole numbers and are not moved. Dropout
would draw another mask for every trial; so the generator starts anew from the same seed each time. Two
layers, both directions, dropout of 0.3, a word that comes three times, and three different lengths:
"""

# %%
small_ids = np.array([[1, 4, 2], [3, 1, 0], [1, 0, 0], [5, 0, 0]])  # (T,B)
small_lengths = np.array([4, 2, 1])
by_hand = EncoderByHand(V=6, D=3, H=2, layers=2, p=0.3, rng=np.random.default_rng(0))
print(gradcheck(by_hand, small_ids, lengths=small_lengths, rng=np.random.default_rng(7)))

# %% [markdown]
r"""
Now two planted errors. The first is the embedding with `dW[ids] += dx`. The second reads forward with the lengths
and goes back without them, as if every $m_t$ were 1.
"""


# %%
class LosesRepeats(EncoderByHand):
    @staticmethod
    def embed_backward(dx, cache):
        ids, real, shape = cache
        dW = np.zeros(shape)
        dW[ids] += dx * real
        return dW


class ForgetsLengths(EncoderByHand):
    @staticmethod
    def read_backward(dhs, dh, Wx, Wh, caches):
        all_words = [(t, np.ones_like(m), *rest) for t, m, *rest in caches]
        return read_backward(dhs, dh, Wx, Wh, all_words)


planted = LosesRepeats(V=6, D=3, H=2, layers=1, p=0.0, rng=np.random.default_rng(0))
print(gradcheck(planted, small_ids, lengths=small_lengths))

# %% [markdown]
r"""
Only the table fails, and the check names the place: row 1, of that word. Would it
always be found? Here are the right encoder and the two planted ones over three batches: all words different
and all sentences of one length; a word twice; different lengths.
"""

# %%
batches = {
    "all different": (np.array([[1, 2], [3, 4]]), np.array([2, 2])),
    "a word twice": (np.array([[1, 2], [3, 1]]), np.array([2, 2])),
    "two lengths": (np.array([[1, 2], [3, 0]]), np.array([2, 1])),
}
print(" " * 16, *(f"{name:14}" for name in batches))
for network in (EncoderByHand, LosesRepeats, ForgetsLengths):
    model = network(V=6, D=3, H=2, layers=1, p=0.0, rng=np.random.default_rng(0))
    reports = [gradcheck(model, some, lengths=given) for some, given in batches.values()]
    print(f"{network.__name__:16}", *(f"{'passes' if r.passed else 'FAILS':14}" for r in reports))

# %% [markdown]
r"""
A check sees what its batch has in it. On a batch without repeats and without padding all three pass.

### The other check: padded = unpadded

A gradient check cannot find every mistake. An encoder that reads its padding, forward and backward, has
perfectly right gradients, of the wrong function. So there is a second law. Take sentences of different
lengths in one batch, with three places more than any of them needs; and take each sentence alone, as it is.
The states must be equal, and the gradients of the batch must be the sum of those of the sentences (the loss
being a sum).
"""


# %%
def expect_padding_counts_nothing(model, ids, lengths, extra=3):
    """AssertionError unless a sentence gives the same numbers alone and in a padded batch."""
    rng = np.random.default_rng(0)
    longer = np.pad(ids, ((0, extra), (0, 0)))
    (hs, last), cache = model.forward(longer, lengths)
    real = np.arange(len(longer))[:, None] < lengths  # (T,B)
    dhs = rng.standard_normal(hs.shape) * real[:, :, None]  # padding is not looked at
    dlast = map_tree(lambda h: rng.standard_normal(h.shape), last)
    model.zero_grad()
    model.backward(dhs, dlast, cache)
    of_the_batch = {name: grad.copy() for name, grad in model.grads.items()}

    model.zero_grad()
    for row, n in enumerate(lengths):
        one = slice(row, row + 1)
        alone, cache = model.forward(ids[:n, one], lengths[one])
        equal(hs[:n, one], alone[0], "hs")
        equal(of_row(last, one), alone[1], "last states")
        model.backward(dhs[:n, one], of_row(dlast, one), cache)  # adds up
    for name, grad in model.grads.items():
        equal(of_the_batch[name], grad, name)


def of_row(states, one):
    return map_tree(lambda array: array[one], states)


def equal(found, expected, name):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15, err_msg=name)


expect_padding_counts_nothing(by_hand, small_ids, small_lengths)
print("states, last states and all gradients: equal")

# %% [markdown]
r"""
(`map_tree` does something with every array in a nesting of tuples. Dropout is off here: for another shape it would
draw another mask.) And if the lengths are ignored, forward and backward alike?
"""


# %%
class ReadsPadding(EncoderByHand):
    def forward(self, ids, lengths, rng=None):
        return super().forward(ids, np.full_like(lengths, len(ids)), rng)


planted = ReadsPadding(V=6, D=3, H=2, layers=1, p=0.0, rng=np.random.default_rng(0))
report = gradcheck(planted, small_ids, lengths=small_lengths)
print("gradient check:", "passes" if report.passed else "fails")
try:
    expect_padding_counts_nothing(planted, small_ids, small_lengths)
    print("padded = unpadded: passes")
except AssertionError:
    print("padded = unpadded: fails")

# %% [markdown]
r"""
The gradient check is content. The second law is not.

Layer normalisation has its own check: `gradcheck` takes any class.
"""


# %%
class NormaliseByHand:
    def __init__(self, N, rng):
        self.params, self.grads = {"gain": rng.standard_normal(N)}, {"gain": np.zeros(N)}

    def forward(self, a):
        return normalise(a, self.params["gain"])

    def backward(self, dy, cache):
        da, dgain = normalise_backward(dy, self.params["gain"], cache)
        self.grads["gain"] += dgain
        return da


rng = np.random.default_rng(0)
print(gradcheck(NormaliseByHand(5, rng), rng.standard_normal((3, 5))))

# %% [markdown]
r"""
## The same from minis2s

`minis2s.models.Encoder` has an embedding, dropout and a stack of layers. Its parameters carry their way in their
names. Give it ours, and it gives the same.
"""

# %%
encoder = Encoder(
    6, 3, 2, np.random.default_rng(1), cell="rnn", layers=2, bidirectional=True, dtype="float64"
)
WAYS = {"ahead": "left_to_right", "back": "right_to_left"}
ours_to_theirs = {"W": "embedding.W"} | {
    f"{layer} {way} {name}": f"rnn.layers.{layer}.{theirs}.{name}"
    for layer in range(2) for way, theirs in WAYS.items() for name in ("Wx", "Wh", "b")
}  # fmt: skip
encoder.load({ours_to_theirs[name]: array for name, array in by_hand.params.items()})

(hs, last), cache = by_hand.forward(small_ids, small_lengths)
(their_hs, their_last), their_cache = encoder.forward(small_ids, small_lengths)
np.testing.assert_allclose(their_hs, hs, rtol=1e-12)

dhs = rng.standard_normal(hs.shape)
dlast = map_tree(lambda h: rng.standard_normal(h.shape), last)
by_hand.zero_grad()
by_hand.backward(dhs, dlast, cache)
encoder.backward(dhs, tuple(((ahead,), (back,)) for ahead, back in dlast), their_cache)
for name, grad in by_hand.grads.items():
    np.testing.assert_allclose(encoder.grads[ours_to_theirs[name]], grad, rtol=1e-9, atol=1e-12)
    print(f"{name:12} {ours_to_theirs[name]:33} {grad.shape!s:7} the same")

# %% [markdown]
r"""
A state is a tuple there, (h,) or (h, c). The second law holds with any cell:
"""

# %%
for cell in ("rnn", "lstm", "gru"):
    model = Encoder(6, 3, 4, rng, cell=cell, layers=2, bidirectional=True, dtype="float64")
    for param in model.params.values():
        param[...] = 0.5 * rng.standard_normal(param.shape)  # biases too
    expect_padding_counts_nothing(model, small_ids, small_lengths)
    print(f"{cell:4} padded = unpadded, states and all {len(model.grads)} gradients")

# %% [markdown]
r"""
Dropout, bridge and layer normalisation:
"""

# %%
x = rng.standard_normal((4, 3, 5))
y, cache = Dropout(0.3).forward(x, np.random.default_rng(0))
np.testing.assert_array_equal(y, x * cache.mask)
print("dropout's mask holds", np.unique(cache.mask), "and 1 / 0.7 is", round(1 / 0.7, 4))

layer = Bridge(1, 1, 2, 3, rng, "float64")  # one layer, one part (h), from 2 numbers each way to 3
h_ahead, h_back, ds0 = *rng.standard_normal((2, 4, 2)), rng.standard_normal((4, 3))
Wb, bb = layer.params["maps.0.W"], layer.params["maps.0.b"]
s0, cache = bridge(h_ahead, h_back, Wb, bb)
((their_s0,),), their_cache = layer.forward((((h_ahead,), (h_back,)),))
np.testing.assert_allclose(their_s0, s0)
(((dahead,), (dback,)),) = layer.backward(((ds0,),), their_cache)
np.testing.assert_allclose([dahead, dback], bridge_backward(ds0, Wb, cache)[:2])
print("bridge: the same")

a, dy, gain = *rng.standard_normal((2, 3, 6)), rng.standard_normal(6)
y, cache = normalise(a, gain)
their_y, their_cache = layer_norm.layer_norm(a, gain)
np.testing.assert_allclose(their_y, y)
da, dgain = normalise_backward(dy, gain, cache)
their_da, their_dgain = layer_norm.layer_norm_backward(dy, gain, their_cache)
np.testing.assert_allclose(their_da, da)
np.testing.assert_allclose(their_dgain, dgain)
print("layer normalisation: the same")

# %% [markdown]
r"""
The two lines of (6.3), as they stand in [recurrent.py](../minis2s/nn/recurrent.py). A state is a tuple of arrays
there, so that the cell of an LSTM is carried too.
"""

# %%
print(inspect.getsource(recurrent.carry))
print(inspect.getsource(recurrent.carry_backward))

# %% [markdown]
r"""
## Worth a look

### Padding, and the three masks

A small batch from English to Chinese, as the library has it; here a sentence is a row, and padding is hatched.
"""

# %%
padding_and_masks()

# %% [markdown]
r"""
Top left the sources, with their lengths (`<end>` is counted). Top right: by how much the state moves at each
place; in the padding, by 0. That is (6.3), and the mask of this chapter. The other two come into it as well,
since "padded = unpadded" was promised on condition that nobody looks at padding: at the bottom left the
targets, where padding has weight 0 in the loss (chapter 5), and at the bottom right attention, which gives it
weight 0 (chapter 9).
"""

# %% [markdown]
r"""
### Who has heard of whom

A sentence of six words and two places of padding. Change the word at one place, and see by how much the states
change at every place. An untrained layer will do, since this is about who *can* know.
"""

# %%
T, D, H = 8, 4, 8
six_words = np.array([6])
rng = np.random.default_rng(0)
both_ways = Bidirectional("gru", D, H, rng, dtype="float64")
x = rng.standard_normal((T, 1, D))
(hs, _), _ = both_ways.forward(x, lengths=six_words)
change = np.zeros((6, T, 2 * H))  # of the word changed, of the place where it is felt
for s in range(6):
    other = x.copy()
    other[s] = rng.standard_normal((1, D))
    (hs_other, _), _ = both_ways.forward(other, lengths=six_words)
    change[s] = (hs_other - hs)[:, 0]

with drawing((8.6, 2.7)) as figure:
    titles = {"left to right": slice(0, H), "right to left": slice(H, None), "both": slice(None)}
    for ax, (title, part) in zip(figure.subplots(1, 3, sharey=True), titles.items()):
        felt = np.linalg.norm(change[:, :, part], axis=2)
        ax.pcolormesh(felt, vmin=0, edgecolors="0.75", linewidth=0.6)
        for s, t in np.argwhere(felt == 0):
            ax.text(t + 0.5, s + 0.5, "0", ha="center", va="center", color="0.5")
        ax.set(title=title, ylim=(6, 0), xlabel="state at place t", aspect="equal")
        ax.set(xticks=np.arange(T) + 0.5, xticklabels=[1, 2, 3, 4, 5, 6, "pad", "pad"])
        ax.set(yticks=np.arange(6) + 0.5, yticklabels=range(1, 7))
    figure.axes[0].set_ylabel("word changed")
figure

# %% [markdown]
r"""
- From left to right a word is felt at its own place and after it; below the diagonal there are exact zeros. What
  is felt at word 6 is felt in the padding too, unchanged: it is carried.
- From right to left it is felt at its own place and before it, and in the padding nothing is felt: that direction
  has not begun there.
- Both together: at each word, every word.

And along each row the colour fades, away from the word that was changed: what was said long ago is felt less.
Chapters 8 and 9 are about that.
"""

# %% [markdown]
r"""
### Words that grow alike

The rows of an embedding start as random numbers. What do they become? Here is a small world with ten words:
up, down, left, right and stay, each in English and in Chinese. A sentence of one to six words is a walk, and
the target is where it ends. Nobody says which words mean the same. The rows have two numbers each, so that
they can be drawn as points.
"""

# %%
MOVES = {
    "up": (0, 1), "上": (0, 1), "down": (0, -1), "下": (0, -1), "left": (-1, 0), "左": (-1, 0),
    "right": (1, 0), "右": (1, 0), "stay": (0, 0), "停": (0, 0),
}  # fmt: skip


class Walker(Composite):
    """ids (T,B), lengths (B,) -> the places where the walks end (B,2)"""

    def __init__(self, V, rng):
        self.encoder = Encoder(V, 2, 16, rng, cell="rnn")
        self.output = Linear(16, 2, rng)

    def forward(self, ids, lengths):
        (_, ((h,),)), encoder_cache = self.encoder.forward(ids, lengths)
        place, output_cache = self.output.forward(h)
        return place, (encoder_cache, output_cache)

    def backward(self, dplace, cache):
        dh = self.output.backward(dplace, cache[1])
        self.encoder.backward(None, ((dh,),), cache[0])


rng = np.random.default_rng(4)
world = Vocabulary(MOVES)
model, loss, optimiser = Walker(len(world), rng), MeanSquaredError(), Adam(0.01)
step_of = np.array([(0, 0)] * 4 + list(MOVES.values()), dtype="float32")
W = model.params["encoder.embedding.W"]
trail = [W.copy()]
for step in range(400):
    words = [rng.integers(4, len(world), rng.integers(1, 7)).tolist() for _ in range(32)]
    walks, walk_lengths = padded(words), np.array([len(walk) for walk in words])
    place, cache = model.forward(walks, walk_lengths)
    value, loss_cache = loss.forward(place, step_of[walks].sum(axis=0))
    model.zero_grad()
    model.backward(loss.backward(1.0, loss_cache)[0], cache)
    optimiser.update(model.params, model.grads)
    trail.append(W.copy())
    if step in (0, 99, 399):
        print(f"after {step + 1:3} steps the mean squared error is {value:.3f}")
trail = np.array(trail)  # (401,V,2)

# %%
with drawing((6, 4.6)) as figure:
    ax = figure.add_subplot(aspect="equal")
    white = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8}
    look = {"textcoords": "offset points", "ha": "center", "va": "center", "bbox": white}
    for word in MOVES:
        xs, ys = trail[:, world.ids[word]].T
        which = int(not word.isascii())
        said = ("English", "Chinese")[which] if word in ("up", "上") else None
        ax.plot(xs, ys, color=COLOURS[which], linestyle=DASHES[which], linewidth=1, label=said)
        ax.plot(xs[0], ys[0], color=COLOURS[which], marker="os"[which], markersize=4)
    for english, chinese in zip(list(MOVES)[::2], list(MOVES)[1::2]):
        end = W[world.ids[english]]
        aside = 32 * end / np.linalg.norm(end) if any(MOVES[english]) else (-30, 14)
        ax.annotate(f"{english} {chinese}", end, aside, size=11, **look)
    ax.plot(0, 0, color="0", marker="x", markersize=7, linestyle="")
    ax.annotate("<pad>", (0, 0), (24, 6), **look)
    ax.set(title="Rows of the embedding over 400 steps, from where they start (● ■)")
    ax.margins(0.14)
    ax.legend(loc="upper center")
    ax.grid()
figure

# %%
for english, chinese in zip(list(MOVES)[::2], list(MOVES)[1::2]):
    rows = W[world.ids[english]], W[world.ids[chinese]]
    print(f"{MOVES[english]!s:8} {english:>6}", rows[0], f" {chinese}", rows[1])
print("moved: <pad>", trail[-1, 0] - trail[0, 0], " <unk>", trail[-1, 3] - trail[0, 3])

# %% [markdown]
r"""
They start anywhere near 0. In the end each English word lies where its Chinese one does: both were used
alike, so their gradients were alike, and they have grown alike. The four directions have become a cross, with
opposite words at opposite ends. "stay" is near the middle: it changes nothing. The plane of the walks has
been found, turned and mirrored, for nothing says that up should be up in this picture.

`<pad>` has not moved: its row has no gradient (6.1'). Nor has `<unk>`, but that is another matter: it never
occurred, and its row is what chance made it. A model that is going to meet unknown words must have met some
in training. Therefore rare words are left out of a vocabulary on purpose (`min_count`), and are read as
`<unk>`.
"""

# %% [markdown]
r"""
## The document's own code

### 003, 5.1: one word a call

The encoder of 003 embeds what it is given and brings it to one step of one sentence:

```python
embedded = self.embedding(input).view(1, 1, -1)
output, hidden = self.rnn(embedded, hidden)
```

With one id this is what one wants. With five ids, `view` makes one long vector of all five words, and PyTorch says
(for a hidden size of 16) "Expected 16, got 80"; with a batch of two, "got 32". Here is the same in `minis2s`:
"""

# %%
rng = np.random.default_rng(0)
embedding, lstm = Embedding(30, 16, rng, dtype="float64"), LSTM(16, 16, rng, dtype="float64")
sentence = np.array([[4], [9], [5], [4], [2]])  # (T,B): five words, one sentence
embedded, _ = embedding.forward(sentence)
try:
    lstm.forward(embedded.reshape(1, 1, -1))
except ValueError as error:
    print(error)

# %% [markdown]
r"""
So the document's encoder has to be called once for each word, by a loop that is not shown, which starts from
`initHidden()` and hands `hidden` on: the pair of $h$ and $c$, as it should be. That works, word by word, for
one sentence at a time. The right version leaves the axes as they are: ids (T,B) are embedded to (T,B,D), and
all is read in one call.
"""

# %%
(hs, last), _ = lstm.forward(embedded)  # (5,1,16), as it is
state = tuple(np.zeros((1, 16)) for _ in range(2))  # initHidden
for t in range(5):
    (h, state), _ = lstm.forward(embedded[t : t + 1], state)
    np.testing.assert_allclose(h[0], hs[t], rtol=1e-12)
np.testing.assert_allclose(state, last, rtol=1e-12)
print("word by word = in one call:", hs.shape)

# %% [markdown]
r"""
### 002, 2.3: vectors, and a leading 1

```python
input_seq = torch.randn(10, 1, 20)  # (sequence_length, batch_size, input_size)
```

There are no words here: the ten vectors are random. (6.1) is what is missing between a sentence and this
line. What is printed is the shape (1,1,50), which the comment calls `(1, batch_size, hidden_size)`. The
leading 1 counts layers times directions: with two layers and both directions, PyTorch's `hidden` is (4,B,H),
in the order layer 0 left to right, layer 0 right to left, layer 1 left to right, layer 1 right to left. In
`minis2s` it is a nesting, which says itself what is what: layer, direction, part.
"""

# %%
stack = Stack("lstm", 20, 50, rng, layers=2, bidirectional=True, dtype="float64")
(hs, states), _ = stack.forward(rng.standard_normal((10, 1, 20)))
for layer, (ahead, back) in enumerate(states):
    print(f"layer {layer}: left to right h {ahead[0].shape}, right to left h {back[0].shape}")
print("hs", hs.shape)
np.testing.assert_array_equal(hs[-1, :, :50], states[-1][0][0])  # left to right: at the last place
np.testing.assert_array_equal(hs[0, :, 50:], states[-1][1][0])  # right to left: at the first

# %% [markdown]
r"""
(That the cell $c_n$ is thrown away in 2.3 is told in chapter 3.)

### 004: the encoder reads the padding

004 says (注意事项 1) that sequences are to be padded, and tells the *loss* that id 0 is padding, `ignore_index=0`.
Nobody tells the encoder:

```python
embedded = self.dropout(self.embedding(src))
outputs, (hidden, cell) = self.rnn(embedded)
```

To `nn.Embedding` id 0 is a word like any other, with a row of its own, drawn from N(0, 1); and the LSTM reads
it. Let us draw forty such encoders, as PyTorch draws them, untrained, with the document's sizes, and a
sentence of five words for each. How far is the last $h$ moved by padding? The second line gives `<pad>` the
vector 0, and the third tells the lengths.
"""


# %%
def as_pytorch_draws_it(rng):
    """004's embedding of 256 and LSTM of two layers of 512."""
    embedding = Embedding(40, 256, rng, padding_idx=None)
    embedding.params["W"][...] = rng.standard_normal((40, 256))
    stack = Stack("lstm", 256, 512, rng, layers=2)
    for name, param in stack.params.items():
        bound, biases = 512**-0.5, 2 if name.endswith("b") else 1  # it has two biases, which add up
        param[...] = sum(rng.uniform(-bound, bound, param.shape) for _ in range(biases))
    return embedding, stack


def last_h(embedding, stack, ids, lengths=None):
    x, _ = embedding.forward(ids)
    (_, states), _ = stack.forward(x, lengths=lengths)
    return np.stack([h for h, _ in states])


def moved(now, before):
    return np.linalg.norm(now - before) / np.linalg.norm(before)


shares = {"as in 004": [], "the vector of <pad> is 0": [], "the lengths are told": []}
for seed in range(40):
    rng = np.random.default_rng(seed)
    embedding, stack = as_pytorch_draws_it(rng)
    source = rng.integers(1, 40, (5, 1))
    h = last_h(embedding, stack, source)
    longer = [np.pad(source, ((0, pads), (0, 0))) for pads in (1, 3, 10)]
    given = np.array([5])
    told = [moved(last_h(embedding, stack, ids, given), h) for ids in longer]
    read = [moved(last_h(embedding, stack, ids), h) for ids in longer]
    embedding.params["W"][0] = 0
    zero = [moved(last_h(embedding, stack, ids), h) for ids in longer]
    for found, each in zip(shares.values(), (read, zero, told)):
        found.append(each)

print("places of padding                1     3    10")
for said, found in shares.items():
    print(f"{said:28}", *(f"{share:5.0%}" for share in np.mean(found, axis=0)))

# %% [markdown]
r"""
100% is as far as 0 is from $h$. (In PyTorch itself, with other draws, it is 96%, 163% and 191%, on average
over twelve.) Training may teach such an encoder to do less when it reads `<pad>`; but that has to be learnt,
and what is said of a sentence goes on depending on its neighbours in the batch. The second line shows that a
vector 0 is half a remedy. In PyTorch the right version is two lines,

```python
packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
outputs, (hidden, cell) = self.rnn(packed)
```

which does what (6.3) does, by leaving out the finished rows at each step.

The row of `<pad>` is also *learnt* in 004:
"""

# %%
ids_now = np.array([[5, 7], [6, 0], [8, 0]])
for padding_idx in (None, 0):
    table = Embedding(10, 4, np.random.default_rng(0), padding_idx, dtype="float64")
    x, cache = table.forward(ids_now)
    table.backward(np.ones_like(x), cache)
    print(f"padding_idx={padding_idx}: the gradient of row 0 is", table.grads["W"][0])

# %% [markdown]
r"""
`nn.Embedding(input_dim, emb_dim, padding_idx=0)` does the same in PyTorch.

### 004: dropout, and when it is off

`model.train()` in 004 switches dropout on. There is no evaluation in the document, and so nothing that switches it
off; with PyTorch that is `model.eval()`, before any translating. How much does it matter? The same sentence twice
through the same encoder, once with dropout of 0.5 as in 004, once without.
"""

# %%
rng = np.random.default_rng(0)
source, shares = rng.integers(4, 40, (5, 1)), {"training": [], "evaluation": []}
for _ in range(12):
    embedding, stack = as_pytorch_draws_it(rng)
    dropout, stack.dropout = Dropout(0.5), Dropout(0.5)
    x, _ = embedding.forward(source)
    for when, lots in {"training": rng, "evaluation": None}.items():
        twice = []
        for _ in range(2):
            dropped, _ = dropout.forward(x, lots)
            (_, states), _ = stack.forward(dropped, rng=lots)
            twice.append(np.stack([h for h, _ in states]))
        shares[when].append(moved(*twice))
for when, found in shares.items():
    print(f"{when:10}  the same sentence, twice: h differs by {np.mean(found):.0%}")

# %% [markdown]
r"""
In `minis2s` there is no switch to forget. Dropout happens when a call is given `rng`, and who translates
gives none.

One more thing may surprise: PyTorch's `nn.LSTM(…, dropout=0.5)` drops *between* layers, so with
`n_layers = 1` it does nothing, and says so in a warning. The other dropout of 004, on the embedded words, is
there all the same.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. From a blank page

Close the sections above. Write the way back of an embedding: `ids` (T,B), the gradient of what was looked up,
and the number of rows; id 0 is padding, and its row gets 0, although `dx` is not 0 there.
"""


# %% exercise="embedding_backward" points=2
def embedding_backward(dx, ids, vocabulary_size):
    """dx (T,B,D), ids (T,B), vocabulary_size -> dW (V,D)"""
    raise NotImplementedError


# %%
check.embedding_backward(embedding_backward)

# %% [markdown]
r"""
And the way back of (6.3), as `minis2s` has it: the state is a tuple of one array or of two, and so is its
gradient. `m` (B,1) holds True and False.
"""


# %% exercise="carry_backward" points=1
def carry_backward(dstate, m):
    """dstate, a tuple of arrays (B,H), m (B,1) -> dafter, dbefore, tuples likewise"""
    raise NotImplementedError


# %%
check.carry_backward(carry_backward)

# %% [markdown]
r"""
### 2. Predict, then run

Let $x$ be 1 everywhere, and drop with $p = 0.2$. The mean of what comes out is 1, as (6.2) promises. What is its
standard deviation, the root of the mean squared distance from the mean? To two decimals. Only then take away the
first `#` in the cell after the check.
"""

# %% exercise="deviation_after_dropout" points=1
deviation_after_dropout = None

# %%
check.deviation_after_dropout(deviation_after_dropout)

# %%
y, _ = Dropout(0.2).forward(np.ones(1_000_000), np.random.default_rng(0))
# print(y.std())

# %% [markdown]
r"""
Sentences of 1, 2, … 10 words are equally frequent. Batches are large, and made of sentences as they come.
Which share of the places is padding? To within 0.015. (`minis2s.data.batches.batches_by_length` puts
sentences of similar length together. What would it be then?)
"""

# %% exercise="share_of_padding" points=1
share_of_padding = None

# %%
check.share_of_padding(share_of_padding)

# %%
rng = np.random.default_rng(0)
batch = padded([[1] * n for n in rng.integers(1, 11, 1000)])
# print((batch == 0).mean())

# %% [markdown]
r"""
### 3. Find the planted bugs

This is meant to read from right to left. It has two mistakes. Below it is compared with `minis2s`.
"""


# %%
def broken_right_to_left(x, lengths, Wx, Wh, b):
    """x (T,B,D), lengths (B,) -> hs (T,B,H), 0 in the padding, and the last state h (B,H)"""
    h, hs = np.zeros((x.shape[1], len(Wh))), []
    for t, x_t in enumerate(x[::-1]):
        m = (t < lengths)[:, None]
        h = np.where(m, np.tanh(x_t @ Wx + h @ Wh + b), h)
        hs.append(h)
    return np.stack(hs), h


rng = np.random.default_rng(0)
layer = RNN(3, 1, rng, reverse=True, dtype="float64")
layer.params["b"][...] = 0.5
x, Wx, Wh, b = rng.standard_normal((4, 2, 3)), *layer.params.values()
for given in (np.array([4, 4]), np.array([4, 2])):
    (hs, (h,)), _ = layer.forward(x, lengths=given)
    broken_hs, broken_h = broken_right_to_left(x, given, Wx, Wh, b)
    print(f"lengths {given}\n  broken  hs", *broken_hs[:, :, 0].T, " h", broken_h[:, 0])
    print("  minis2s hs", *hs[:, :, 0].T, " h", h[:, 0])

# %% [markdown]
r"""
The first comparison shows one of the mistakes, and hides the other. Copy the body into the stub below and mend it
there.
"""


# %% exercise="mended_right_to_left" points=2
def mended_right_to_left(x, lengths, Wx, Wh, b):
    """x (T,B,D), lengths (B,) -> hs (T,B,H), 0 in the padding, and the last state h (B,H)"""
    raise NotImplementedError


# %%
check.mended_right_to_left(mended_right_to_left)

# %% [markdown]
r"""
### 4. Another way to the last state

Some programs let the cell read over the padding, all hs without any $m_t$, and afterwards pick the state at
each sentence's own last word: $h_b$ is `hs[lengths[b] - 1, b]`. Write the way back of the picking: what is
the gradient of `hs`, if that of the picked states is `dh`? No loop is needed.
"""


# %% exercise="pick_last_backward" points=2
def pick_last_backward(dh, lengths, T):
    """dh (B,H), lengths (B,), T -> dhs (T,B,H)"""
    raise NotImplementedError


# %%
check.pick_last_backward(pick_last_backward)

# %% [markdown]
r"""
In which direction may one do so? (From right to left one would pick `hs[0, b]`.) Answer with "left to right",
"right to left", "both" or "neither".
"""

# %% exercise="direction_that_may_pick" points=1
direction_that_may_pick = None

# %%
check.direction_that_may_pick(direction_that_may_pick)

# %% [markdown]
r"""
### 5. Tied words

A model that reads words and says words needs two tables of V rows: one to look up, and one to score, in which the
score of a word is the product of its row with the state. Why not one table for both (權重綁定 / 权重绑定; Press and
Wolf 2017)? In small, for N words, each read by itself:

$$x = W_{\mathrm{id}} \qquad h = \tanh(x A) \qquad \mathrm{logits} = h W^{\top}$$

with $W$ (V,D), $A$ (D,D) and so logits (N,V). Write the way back to $W$ and to $A$. In how many places is $W$
used? And which of its rows can have gradient 0 now?
"""


# %% exercise="tied_words_backward" points=3
def tied_words_backward(dlogits, W, A, cache):
    """dlogits (N,V), W (V,D), A (D,D), cache (ids (N,), x (N,D), h (N,D)) -> dW (V,D), dA (D,D)"""
    raise NotImplementedError


# %%
check.tied_words_backward(tied_words_backward)

# %% [markdown]
r"""
## What to read next

- Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, [A neural probabilistic language
  model](https://www.jmlr.org/papers/v3/bengio03a.html), Journal of Machine Learning Research 3, 2003, §1.1
  and §2: why words should be vectors that are learnt, and the table that is looked up.
- M. Schuster, K. Paliwal, [Bidirectional recurrent neural networks](https://doi.org/10.1109/78.650093), IEEE
  Transactions on Signal Processing 45(11), 1997, §II: both directions, equation (6.4).
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §3.3: they have one direction, but feed the source
  backwards; what that does, and sentences of similar length in one batch (§3.4).
- D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
  translate](https://arxiv.org/abs/1409.0473), 2015, §3.2 and appendix A.2: the encoder of this chapter with
  GRUs, and the first state of the decoder.
- N. Srivastava et al., [Dropout: a simple way to prevent neural networks from
  overfitting](https://jmlr.org/papers/v15/srivastava14a.html), Journal of Machine Learning Research 15, 2014,
  §4, and §10 on dividing in training. Their $p$ is the probability of being *kept*.
- W. Zaremba, I. Sutskever, O. Vinyals, [Recurrent neural network
  regularization](https://arxiv.org/abs/1409.2329), 2014, §3: where dropout is put in an LSTM, and where not.
- Y. Gal, Z. Ghahramani, [A theoretically grounded application of dropout in recurrent neural
  networks](https://arxiv.org/abs/1512.05287), 2016: one mask for all steps, and whole words dropped.
- J. Ba, J. Kiros, G. Hinton, [Layer normalization](https://arxiv.org/abs/1607.06450), 2016, §3.
- O. Press, L. Wolf, [Using the output embedding to improve language
  models](https://arxiv.org/abs/1608.05859), 2017, §3: tied words.

Next is chapter 7, the decoder: from the last state to a sentence, and what it is told while it learns.
"""
