# %% [markdown]
r"""
# 8 · The bottleneck: accuracy against length

瓶頸 · 瓶颈 · bottleneck

An encoder reads a sentence of any length and hands on one vector. Documents 001 and 004 both say that this goes
badly with long sentences. They are right, and you will see it below within seconds. But *why* does it go badly?

Two reasons are usually given in one breath. The vector is too small for a long sentence: there is no
**room**. And what was read first is far from where it is needed: the **path** is too long. They sound alike.
They are not the same, and they ask for different cures. In this chapter we try them one by one.

- You will write, by hand, weights with which document 001's own model turns round any text of up to 63
  letters, by way of one vector of 64 numbers, without a mistake. So it is not the room.
- You will work out the paths, see the gradient die along them, and meet the first cure: to read the source
  from right to left. It makes the average path not one step shorter, and it helps all the same. We shall see
  why.
- And you will open the vector with a *probe*, and look what is in it, letter by letter.

You need the plain recurrent cell of chapter 1, the way back through time of chapter 2, and from chapter 7 that a
decoder begins where the encoder ended.
"""

# %%
import itertools
from pathlib import Path

import numpy as np
from matplotlib.patches import Arc

from minis2s.data.batches import batches_by_length, make_batch
from minis2s.data.pairs import Pair
from minis2s.data.tasks import load_task
from minis2s.data.vocabulary import START, Vocabulary
from minis2s.evaluation import evaluate
from minis2s.exercises import check
from minis2s.figures.accuracy_by_length import accuracy_by_length
from minis2s.figures.bottleneck import MODELS, PAIRS, SIZES, accuracy_at, bottleneck
from minis2s.figures.gradient_distance import factor, gradient_distance, gradient_norms
from minis2s.figures.records import files
from minis2s.figures.trained import trained
from minis2s.functional import softmax
from minis2s.models import Seq2Seq, document
from minis2s.optim import Adam, cosine
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing
from minis2s.training import Trainer
from minis2s.translator import Translator

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 001 (繁) | 4. 注意力機制（Attention Mechanism） | one vector carries the whole sequence; with a long one, information may be lost | how much, from which length on, and which part |
| 001 (繁) | 6. 編碼器-解碼器架構的挑戰, 長期依賴問題 | to press all into a vector of fixed length may lose long-term dependencies | two reasons in one sentence, taken apart |
| 001 (繁) | 6. 編碼器-解碼器架構的挑戰, 計算複雜度 | attention costs more on long sequences | how much, counted |
| 001 (繁) | 3. 編碼器-解碼器的結構 | well suited to input and output of changing length | lengths that training never had |
| 004 (简) | Seq2Seq 模型的基本结构 | 固定长度的上下文向量 $c$ | what fits into it |
| 004 (简) | 注意事项, 3. 注意力机制（Attention Mechanism） | $c$ can hardly capture all of a long sequence | whether it cannot, or does not learn to |

Before this chapter come the decoders (chapter 7). After it comes attention (chapter 9), the cure that both
documents name. Here attention appears as a curve beside the others; how it works is not needed yet.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 瓶頸 | 瓶颈 | bottleneck |
| 上下文向量 | 上下文向量 | context vector |
| 固定長度 | 固定长度 | fixed length |
| 長期依賴 | 长期依赖 | long-term dependency |
| 容量 | 容量 | capacity |
| 位元 | 比特 | bit |
| 移位暫存器 | 移位寄存器 | shift register |
| 路徑長度 | 路径长度 | path length |
| 最短時間間隔 | 最短时间间隔 | minimal time lag |
| 來源反轉 | 源序列反转 | source reversal |
| 梯度消失 | 梯度消失 | vanishing gradient |
| 訊噪比 | 信噪比 | signal-to-noise ratio |
| 線性探針 | 线性探针 | linear probe |
| 最小平方法 | 最小二乘法 | least squares |
| 可解釋的變異 | 可解释的方差 | explained variance |
| 完全匹配 | 完全匹配 | exact match |
"""

# %% [markdown]
r"""
## Symbols

| in 001 | in 004 | here | in the code | what it is | shape |
|---|---|---|---|---|---|
| $x_1 \dots x_T$ | $x_1 \dots x_T$ | $x_1 \dots x_n$ | `source` | what is read | |
| $T$ | $T$ | $n$ | `n` | its length | |
| $h_t$ | | $h_i$ | `h` | the encoder's state after $x_i$ | (B,H) |
| $h_T$, 上下文向量 | $c$ | $h_n$ | `h` | the one vector | (B,H) |
| $h_t^{\text{dec}}$ | | $s_j$ | `s` | the decoder's state, $s_0 = h_n$ | (B,H) |
| $y_t$ | $y_1 \dots y_{T'}$ | $y_j$ | `y` | what is written | |
| | | $p_j$ | `places` | the place at which the word for $y_j$ is read | |
| | | $d_j$ | `distances` | how many steps lie between the two | |
| | | $L_j$ | | the loss of $y_j$ alone | |
| | | $\gamma$ | `gamma` | which share of a gradient one step lets through | |
| | | $X$, $Y$, $W$ | `X`, `Y`, `W` | a probe: vectors, letters (one-hot), weights | (N,H+1), (N,V), (H+1,V) |

Step $i$ counts what is read, step $j$ what is written. (Elsewhere the length of the source is S and a step of the
decoder $t$; a $d$ with a $j$ is a distance here, no gradient.) A source in `minis2s` ends with `<end>`, which the
encoder reads as well. That makes every path one step longer, for all models alike; where we count with a
pencil we leave it out.
"""

# %% [markdown]
r"""
## The idea

### Look first

The task is the smallest that needs a memory: read a text of random letters, write it from right to left. Three
models learn it, for the same 700 steps of training. Two of them are those of 004: all that the decoder gets is the
encoder's last state, here a GRU's, of 32 or 64 numbers. The third may look back at all states (chapter 9).

Then each is given texts that it has never seen, and we count those that come out right to the last letter.
(The cell trains all three; it takes some seconds.)
"""

# %%
bottleneck()

# %% [markdown]
r"""
This is the picture behind 001 §4. Short texts are easy for everybody. With one vector the curve then falls,
and it falls to nothing before the longest texts of training: with 32 numbers about half of the texts of 6
letters are right, with 64 about half of those of 8. With attention hardly anything happens until the texts
are longer than any in training.

Bahdanau et al. found the same with real sentences (2015, figure 2), Cho et al. before them (2014b, figure 4). We
come to real sentences further down.

### Two suspects

- **Room.** 64 numbers are too few for more than 8 letters. If so: twice the room, twice the letters. Look
  again: 64 numbers instead of 32 have gained two or three letters, not six. That is a first doubt.
- **Path.** The numbers would do, but nobody finds out how to use them: what was read at the beginning is so
  many steps from where it is written that training hardly feels the one in the other.

For the second suspect, here is a picture. A text of five letters is read, step by step; the dotted line is
the one vector; then five letters are written. Each arc joins a letter with its translation, written large,
and says how many steps lie between.
"""


# %%
def draw_paths():
    """Where each letter is read and where it is written: in the plain order, and reversed."""
    with drawing((8.8, 2.9)) as figure:
        for ax, source in zip(figure.subplots(1, 2), ("abcde", "edcba")):
            n = len(source)
            line = source + "ABCDE"
            distances = [line.index(letter.upper()) - line.index(letter) for letter in "abcde"]
            ax.set(xlim=(-0.7, 2 * n - 0.3), ylim=(-0.8, 5.4), aspect="equal")
            ax.axis("off")
            ax.axvline(n - 0.5, color="0.5", linestyle=":", ymax=0.97)
            for x, letter in enumerate(line):
                box = {"boxstyle": "circle", "ec": "0.4", "fc": "white" if x < n else "#DCEBF7"}
                ax.text(x, 0, letter, ha="center", va="center", bbox=box)
            for index, (letter, d) in enumerate(zip("abcde", distances)):
                x = line.index(letter) + d / 2
                look = {"color": COLOURS[index], "linestyle": DASHES[index], "linewidth": 1.4}
                ax.add_patch(Arc((x, 0.45), d, 0.95 * d, theta2=180, **look))
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(x, 0.45 + 0.475 * d, str(d), ha="center", va="center", size=9, bbox=paper)
            order = "as it is" if source == "abcde" else "source reversed"
            ax.set_title(f"{order}: {np.mean(distances):.0f} steps on average", loc="center")
    return figure


draw_paths()

# %% [markdown]
r"""
On the left every path is 5 steps long, as long as the text. On the right the source is read from its end. Now
`a` is next to `A`: one step. In exchange `e` is 9 steps from `E`. The average is 5, as before. Sutskever et
al. (2014, §3.3) translated far better in this way, and did not quite know why.
"""

# %% [markdown]
r"""
## The equations

### How many texts fit into H numbers

Let the letters be ten. Of n letters there are $10^n$ texts, and each must get a vector of its own, or the
decoder could not tell two of them apart. A float32 has 32 bits (位元 / 比特). Let us be careful and count 24 of
them, those by which neighbouring numbers differ. Then H numbers have at least $2^{24H}$ values that can be
told apart, and the texts fit if

$$10^n \le 2^{24H}$$

Take the logarithm to base 2 on both sides:

$$n \le \frac{24 H}{\log_2 10}$$

For document 004 the same with words: a vocabulary of 10,000, and a state of two layers with 512 numbers each,
$h$ and $c$.
"""

# %%
print(f"bits by which float32 numbers differ: {np.finfo(np.float32).nmant + 1}")
for name, size, symbols in (
    ("32 numbers, letters", 32, 10),
    ("64 numbers, letters", 64, 10),
    ("004, words", 2 * 2 * 512, 10_000),
):
    bits = np.log2(symbols)
    print(f"{name:20} {bits:5.2f} bits each: {int(24 * size / bits):5,} fit")

# %% [markdown]
r"""
Hundreds of letters; thousands of words. You may not trust a count of bits. Then here is *one* unit that remembers
seven letters. Take (1.1) with $W_x = 1$, $W_h = 10$ and no tanh, and let the letters be digits:
"""

# %%
for text in ("3141592", "314159265"):
    h = np.float32(0)
    for digit in text:
        h = np.float32(digit) * 1 + h * np.float32(10)  # x Wx + h Wh
    print(f"read {text:9}  h = {int(h)}")

# %% [markdown]
r"""
Seven digits are all there, in one number. With nine, the last ones are lost in rounding: that is what a full
vector looks like.

But to hold is not to hand out. Which digit was the third of the seven? As $h$ grows from 0 to its largest
value, the answer runs through 0 to 9 a hundred times. An output layer, $h W + b$ and the largest wins, cannot
follow that. So let us ask for less, and for more: how many letters can a vector hold *so that an output layer
can read each of them*?

### At most H, if an output layer is to read them

Let there be one output layer for each of the n places, each free to have the best weights there are. Claim:
they can read at most $n = H$ places, if they are to be right for all texts.

Look only at texts of the letters `a` and `b`. Output layer $i$ says `a` if its logit for `a` is larger than
that for `b`. The difference of the two logits is $h \cdot w_i + \beta_i$, where $w_i$ (H,) is the difference
of the two columns of its weights and $\beta_i$ that of its biases. So place $i$ is read as `a` where
$h \cdot w_i + \beta_i \gt 0$, and as `b` where it is below 0.

Now let $n \gt H$, and look for numbers $\lambda_1 \dots \lambda_n$ with

$$\sum_i \lambda_i w_i = 0$$

These are H equations, one for each unit, with n unknowns and zeros on the right. Where there are more
unknowns than equations there is always a solution other than $\lambda = 0$. Take one.

Take the text that has `a` wherever $\lambda_i \gt 0$ and `b` elsewhere, and let $h$ be its vector. If all
places are read right, then $\lambda_i (h \cdot w_i + \beta_i)$ is positive wherever $\lambda_i$ is not 0:
both factors are positive, or both negative. So the sum is positive:

$$0 \lt \sum_i \lambda_i (h \cdot w_i + \beta_i) = h \cdot \sum_i \lambda_i w_i + \sum_i \lambda_i \beta_i = \sum_i \lambda_i \beta_i$$

Take the other text, with `a` and `b` exchanged. Now wherever $\lambda_i$ is not 0 one factor is positive and
one negative, the sum is negative, and by the same line $\sum_i \lambda_i \beta_i \lt 0$. It cannot be both.
So one of the two texts is misread, and n cannot be larger than H.

H letters, then, at most, if they are to be read off at once. (A decoder may do better. It has many steps and
a tanh in each, and might unpack what no single output layer can read.) Are H letters ever reached? Yes, and
with weights that one can write down. That is done in "By hand", below. So there are three numbers to compare,
for 64 units and ten letters: 462 by bits, 64 by output layers, and the 8 that training found.

### How far it is

Let $y_j$ be the translation of the word at place $p_j$ of the source. That word enters $h_{p_j}$. The encoder then
takes $n - p_j$ more steps to $h_n$. The decoder begins there,

$$s_j = \mathrm{cell}(y_{j-1}, s_{j-1}), \quad s_0 = h_n \tag{7.3}$$

and takes j steps to $s_j$, from which $y_j$ is said. Together:

$$d_j = (n - p_j) + j$$

**The plain order.** Where the two languages have the same order of words, $p_j = j$, and $d_j = n$ for every word.

**The source reversed.** Now word j stands at place $p_j = n + 1 - j$, and

$$d_j = n - (n + 1 - j) + j = 2j - 1$$

that is 1, 3, 5 and so on to $2n - 1$.

**The average is n in both, and in any other order too.** Put the words of the source in any order you like.
The places $p_1 \dots p_n$ are then the numbers 1 to n, in some order, and so is $1 \dots n$ itself. So the
two sums cancel:

$$\frac1n \sum_j d_j = \frac1n \Big( n^2 - \sum_j p_j + \sum_j j \Big) = n$$

No way of sorting the source makes the average path one step shorter. All that an order can do is to make some
paths longer and others shorter.

**The vector at every step.** The decoder of chapter 7 that reads $h_n$ again and again,

$$s_j = \mathrm{cell}([y_{j-1} ; h_n], s_{j-1}) \tag{7.5}$$

has a short cut from $h_n$ into each step: one step instead of j. So $d_j = n - p_j + 1$. That *is* shorter: in the
plain order n, n − 1 and so on to 1, on average $(n+1)/2$.

**Attention** hands the state $h_{p_j}$ itself to step j: $d_j = 1$, for all words and whatever n is.

### Why it helps to spread them

Suppose that each step back lets through a share $\gamma \lt 1$ of a gradient. Over d steps that is
$\gamma^d$. So the average *distance* is not what counts. What counts is the average *share*,

$$\frac1n \sum_j \gamma^{d_j}$$

and that is another thing: one path of 1 step and one of 19 have the average 10, but $\gamma^1 + \gamma^{19}$
is much more than $2 \gamma^{10}$.

**The plain order is the worst of all.** The curve $e^u$ lies above its tangent at 0, $e^u \ge 1 + u$. Write
each share as $\gamma^{d_j} = \gamma^n e^{u_j}$ with $u_j = (d_j - n) \ln \gamma$. The $d_j$ are n on average,
so the $u_j$ are 0 on average, and

$$\frac1n \sum_j \gamma^{d_j} = \gamma^n \cdot \frac1n \sum_j e^{u_j} \ge \gamma^n \cdot \frac1n \sum_j (1 + u_j) = \gamma^n$$

On the right stands the plain order, in which every word has exactly $\gamma^n$.

**The reversed order is the best of all.** Take any two words $j \lt k$ that still stand in the plain order,
$p_j \lt p_k$, and let them change places. Nothing else moves. The sum of the shares changes by

$$\gamma^{n} \big( \gamma^{j - p_k} + \gamma^{k - p_j} - \gamma^{j - p_j} - \gamma^{k - p_k} \big) = \gamma^{n} (\gamma^{j} - \gamma^{k}) (\gamma^{-p_k} - \gamma^{-p_j})$$

(multiply out to see it). Since $\gamma \lt 1$ and $j \lt k$ the first bracket is positive; since
$p_j \lt p_k$ the second is. So every such exchange makes the sum larger. It ends when no two words stand in
the plain order any more, and that is the reversed one.

You need not believe it. There are 720 orders of six words:
"""

# %%
n, gamma = 6, 0.6
j = np.arange(1, n + 1)
shares = {}
for places in itertools.permutations(range(1, n + 1)):
    distances = n - np.array(places) + j
    assert distances.mean() == n
    shares[places] = (gamma**distances).mean()
for name, best in (("smallest", min), ("largest", max)):
    places = best(shares, key=shares.get)
    print(f"{name:8} share {shares[places]:.4f}: words read at the places {places}")

# %% [markdown]
r"""
And here are the paths side by side, for ten words and the share that a plain recurrent layer lets through when
it is new (about 0.55; it is measured below).
"""

# %%
n, gamma = 10, 0.55
j = np.arange(1, n + 1)
PATHS = {
    "plain": n - j + j,
    "source reversed": 2 * j - 1,
    "vector at every step": n - j + 1,
    "reversed, and at every step": j,
    "attention": np.ones(n, dtype=int),
}
print(f"{'':28} shortest  average  longest  average share")
for name, d in PATHS.items():
    print(f"{name:28} {d.min():8} {d.mean():8.1f} {d.max():8} {(gamma**d).mean():14.4f}")

# %% [markdown]
r"""
To read the source backwards makes the average share 31 times as large, though the average path is what it was.
The vector at every step does better, with paths about half as long. To do both changes nothing in these
numbers, only which words have the short paths. Attention is in a class of its own.
"""

# %% [markdown]
r"""
## The backward pass, step by step

### Along one path

Now the shares themselves. Take one target, $y_j$, and its loss $L_j$, and walk back to one word of the
source, $x_i$. Everything on the way is from chapters 1, 2 and 7; the cell is 001's, the plain one.

The output layer hands to $s_j$ what (7.2) gives it, with dlogits from chapter 5:

$$ds_j = d\mathrm{logits}_j W^{\top} \tag{7.2'}$$

Each step of the decoder, $t = j \dots 1$, takes it one state further back, first through the tanh, then
through the matrix:

$$da_t = ds_t \odot (1 - s_t \odot s_t) \tag{1.2'}$$

$$ds_{t-1} = da_t W_h^{\top} \tag{1.1'}$$

After j of them we stand at $s_0$. That is $h_n$, so

$$dh_n = ds_0 \tag{7.3'}$$

Each step of the encoder, $t = n \dots i+1$, is of the same kind, with the encoder's own $W_h$:

$$dh_{t-1} = (dh_t \odot (1 - h_t \odot h_t)) W_h^{\top}$$

and at last $dx_i = (dh_i \odot (1 - h_i \odot h_i)) W_x^{\top}$. Count the steps: j in the decoder, $n - i$
in the encoder, $d = (n - i) + j$ as above. With shapes: all of $ds$, $da$, $dh$ are (B,H), $W_h$ is (H,H),
$W_x$ is (E,H), so $dx_i$ is (B,E).

Each of the d steps multiplies by numbers between 0 and 1, and by a matrix. If one step makes the vector
shorter by a factor of about $\gamma$, then

$$\lVert dx_i \rVert \approx C \gamma^{(n-i)+j}$$

### With short cuts

With the vector at every step, (7.5), $h_n$ is used $n+1$ times: as $s_0$, and in every $a_t$. Where a value
fans out, its gradients are summed (rule 4 of chapter 3). Let $W_c$ (H,H) be the rows of $W_x$ that meet
$h_n$:

$$dh_n = ds_0 + \sum_t da_t W_c^{\top} \tag{7.5'}$$

The loss $L_j$ reaches $h_n$ by way of $da_j$ at once. From there it is $n - i$ steps, for every j.

With attention, $\mathrm{context}_j = \sum_i \alpha_{ji} h_i$ goes into step j. So $h_i$ gets
$\alpha_{ji} \cdot d\mathrm{context}_j$ directly (chapter 9 derives all of it).

### Seen

Let us not believe it, but look. We take 001's model before any training, with ten words and 64 units, and ask
for the length of $dx_i$ that $L_j$ alone sends back, for every i and j. To tell the words apart, every place
of every text has a word of its own; then the gradient of its row of the embedding is $dx_i$.
"""


# %%
def untrained(n=10, B=8, **changes):
    """001's model as it starts, B sources of n words that occur once, n letters to write each."""
    rng = np.random.default_rng(0)
    sizes = {"embedding_size": 16, "hidden_size": 64}
    model = Seq2Seq(document("001", 4 + n * B, 14, **sizes, **changes), rng, dtype="float64")
    source = 4 + np.arange(n * B).reshape(n, B)
    y = np.concatenate([np.full((1, B), START), rng.integers(4, 14, (n, B))])
    return model, source, y


def gradient_of_one(model, source, y, j):
    """What the loss of target j alone sends back to each word that was read -> dx (n,B,E)"""
    (logits, _), cache = model.forward(source, None, y[:-1])
    dlogits = np.zeros_like(logits)
    dlogits[j - 1] = softmax(logits[j - 1]) - np.eye(14)[y[j]]
    for grad in model.grads.values():
        grad[...] = 0
    model.backward(dlogits, None, cache)
    return model.grads["encoder.embedding.W"][source]


def lengths_of_gradients(n=10, **changes):
    """The mean length of dx_i over the texts, for each loss L_j -> (n,n), a row a target"""
    texts = untrained(n, **changes)
    dxs = [gradient_of_one(*texts, j) for j in range(1, n + 1)]
    return np.linalg.norm(dxs, axis=3).mean(axis=2)


LOOKS = {
    "one vector": {},
    "vector at every step": {"context": "every step"},
    "attention": {"attention": "additive", "context": "input"},
}
maps = {name: lengths_of_gradients(**changes) for name, changes in LOOKS.items()}
with drawing((9.4, 3.5)) as figure:
    all_axes = figure.subplots(1, 3, sharey=True)
    for ax, (name, lengths) in zip(all_axes, maps.items()):
        mesh = ax.pcolormesh(j, j, np.log10(lengths), vmin=-6, vmax=0, cmap="Blues")
        ax.plot(j, j, "o", color="black", markersize=4, label="plain order")
        ax.plot(n + 1 - j, j, "s", mfc="none", mec="black", markersize=6, label="source reversed")
        ax.set(xticks=[1, 5, 10], yticks=[1, 5, 10], xlabel="i, read", aspect="equal", title=name)
    all_axes[0].set_ylabel("j, written")
    all_axes[0].invert_yaxis()
    bar = figure.colorbar(mesh, ax=all_axes, label="‖dx‖, a power of ten", shrink=0.9)
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
figure

# %% [markdown]
r"""
Each row is one loss, each column one word of the source; dark is a large gradient.

- **One vector**: the upper right corner is dark, $x_{10}$ to $y_1$, one step apart. It gets paler by the same
  factor with each step to the left and each step down: $(n - i) + j$.
- **Vector at every step**: the rows are alike. Only $n - i$ counts.
- **Attention**: nearly everything is alike.

The dots are where the translation of each word is, in the plain order: along the diagonal, where in the first
map all is equally pale. The squares are the same for a reversed source: they begin in the dark corner and end
in the palest. *Reversal does not change the map. It changes which cells of it matter.*

Is the map right? Take its smallest number, $x_1$ and $L_{10}$, nineteen steps apart, and move the 16 numbers
of one $x_1$ a little up and down (finite differences, chapter 2). And fit the factor:
"""

# %%
model, source, y = untrained()


def loss_10():
    """L_10 of the first text."""
    (logits, _), _ = model.forward(source, None, y[:-1])
    return -np.log(softmax(logits[9, 0])[y[10, 0]])


x_1, slopes = model.params["encoder.embedding.W"][source[0, 0]], []
for entry in range(16):
    ends = []
    for step in (1e-4, -2e-4):
        x_1[entry] += step
        ends.append(loss_10())
    x_1[entry] += 1e-4  # back to where it was
    slopes.append((ends[0] - ends[1]) / 2e-4)
by_backward = gradient_of_one(model, source, y, 10)[0, 0]
print(f"length of dx_1: {np.linalg.norm(by_backward):.4e}, by finite differences "
      f"{np.linalg.norm(slopes):.4e}")  # fmt: skip
np.testing.assert_allclose(slopes, by_backward, rtol=1e-3, atol=1e-9)

steps = (n - j) + j[:, None]  # n - i in the encoder, j in the decoder
slope, _ = np.polyfit(steps.ravel(), np.log(maps["one vector"]).ravel(), 1)
print(f"gamma, fitted to all 100 cells: {np.exp(slope):.2f}")

# %% [markdown]
r"""
### How far a gradient gets

The same for other layers and longer paths. A loss at the last step, and how much of its gradient is left k
steps back, before any training (chapters 2 and 3 have this picture too):
"""

# %%
gradient_distance()

# %% [markdown]
r"""
A step through the plain layer, as it starts, leaves about half of it, and a GRU as it starts is not much
better. So after 20 steps the gradient is a ten-thousandth of what it was, or less. LSTM and GRU can *learn*
gates that let it through; the picture says that they do not begin with them, unless the forget bias is set so
(chapter 3).

### What a gradient must be larger than

"But my optimiser is Adam," you may say, "which divides every gradient by its usual size. It does not care
whether a gradient is large or small." True, and important. Something else is lost with distance. Look once
more at the first map, and think of $W_x$, which is used at every place. Its gradient is the sum over *all*
cells, since every loss tells every word something. In the plain order what is true is on the diagonal, at
$\gamma^{n}$. The dark corner says how $y_1$ depends on $x_{10}$: there is nothing to be learnt there, and so
what it says is chance, another thing in every batch. But it says it with $\gamma^{1}$. The signal is
$\gamma^{n-1}$ times as loud as the noise.

In the reversed order the loudest cells are the true ones. This, too, can be measured, and we shall, below.
"""

# %% [markdown]
r"""
## By hand

### A register

Here is the promise from above: H units that hold H letters, readable by an output layer, in a plain recurrent
layer with weights that you can write down. The idea is older than neural networks, and is called a shift
register (移位暫存器 / 移位寄存器). The new letter goes to unit 1; what was in unit 1 goes to unit 2; and so on.

$$a_t = x_t W_x + h_{t-1} W_h + b \tag{1.1}$$

$$h_t = \tanh(a_t) \tag{1.2}$$

Let $x_t$ be a single number, the letter's value. $W_x$ (1,H) is 1 for unit 1 and 0 for the others. $W_h$
(H,H) has a 1 in row k, column k + 1: unit k goes to unit k + 1. $b = 0$. And the tanh? Near 0 it does nearly
nothing, $\tanh(0.001) = 0.0009999997$. So let the letters be small numbers: 0.001 for `a`, 0.002 for `b`, and
so on to 0.010; and 0 for `<end>`.

The decoder shifts the other way: its $W_h$ is the transpose. It need not even hear what it has written: its
$W_x$ is 0. At every step it reads unit 1, through

$$\mathrm{logits}_t = s_t W + b \tag{7.2}$$

How does an output layer find the letter whose value $v$ is nearest to a number $s$? The nearest one has the
smallest $\tfrac12 (s - v)^2 = \tfrac12 s^2 - s v + \tfrac12 v^2$. The first term is the same for all letters.
So the nearest has the largest $s v - \tfrac12 v^2$, which is $s W + b$ with $W = v$ and $b = -\tfrac12 v^2$.
"""

# %%
LETTERS = "abcdefghij"
VALUES = 0.001 * np.arange(11)  # <end>, a … j


def register(H):
    """Wx (1,H), Wh (H,H) of an encoder that shifts: x to unit 1, unit k to unit k + 1"""
    return np.eye(1, H), np.eye(H, k=1)


def read(text, H):
    """The letters, then <end> -> h (H,)"""
    Wx, Wh = register(H)
    h = np.zeros(H)
    for value in [*(VALUES[1 + LETTERS.index(letter)] for letter in text), 0]:
        a = np.array([value]) @ Wx + h @ Wh  # (1.1)  (H,)
        h = np.tanh(a)  # (1.2)
    return h


def write(s):
    """s_0 = h (H,) -> the text, until <end>"""
    _, Wh = register(len(s))
    text = ""
    while True:
        s = np.tanh(s @ Wh.T)  # back by one unit
        logits = s[0] * VALUES - VALUES**2 / 2  # (7.2)  (11,)
        said = logits.argmax()
        if said == 0:
            return text
        text += LETTERS[said - 1]


for text in ("cab", "abcdefghij", "badcafebeeffedfacade"):
    print(f"{text} -> {write(read(text, H=64))}")

# %% [markdown]
r"""
The decoder writes what it finds first, and that is what came last. So it writes from right to left; for a
memory of this kind that is the easy direction. How many letters does it hold?
"""

# %%
rng = np.random.default_rng(0)


def texts_of(n, count, rng):
    """Random texts of n letters."""
    return ["".join(rng.choice(list(LETTERS), n)) for _ in range(count)]


for H, n in ((12, 11), (12, 12), (64, 63), (64, 64)):
    right = np.mean([write(read(text, H)) == text[::-1] for text in texts_of(n, 200, rng)])
    print(f"H = {H}, {n} letters: {right:.0%} of 200 texts right")

# %% [markdown]
r"""
$H - 1$ letters and an `<end>`, one unit each: as many as an output layer could ever read. With 12 units all
texts of 11 letters are right. Of those the trained vector of 64 had hardly any. (That one is a GRU. But with
its update gate at 0 and its reset gate at 1 a GRU is a plain layer, chapter 4, and could do the same.)

So the room was there. **The first suspect goes free**: the trained models do not fail because 64 numbers are
too few, but because training has not found weights like these.
"""

# %% [markdown]
r"""
### A probe

What *has* training found? We would like to look into the vector. Take many texts of n letters, and their
vectors, $X$ (N,H+1), a row a text, with a 1 at the end of each row for the bias. Choose a place i. Let $Y$
(N,V) be the letters at that place, one-hot. Then find $W$ (H+1,V) such that $X W$ comes as near to $Y$ as
possible:

$$L(W) = \tfrac12 \lVert X W - Y \rVert^2$$

That is a linear probe (線性探針 / 线性探针): an output layer of our own, which we fit to a vector that is finished.
If it can read the letter from the vector of *other* texts, then the letter is in there.

To find the best W is easy. By rule 5 of chapter 3 the gradient is

$$dW = X^{\top} (X W - Y)$$

and where it is 0, W is best: move from there by any $D$, and

$$L(W + D) = L(W) + \langle D, X^{\top} (X W - Y) \rangle + \tfrac12 \lVert X D \rVert^2 = L(W) + \tfrac12 \lVert X D \rVert^2$$

which is not smaller. So it takes no training loop. The equation $X^{\top} X W = X^{\top} Y$ is linear, and
`np.linalg.lstsq` solves it (least squares, 最小平方法 / 最小二乘法).
"""


# %%
def probe(h, letters, V=10):
    """h (N,H), letters (N,), fitted to 3/4 -> of the rest: share right, variance explained"""
    X, Y = np.column_stack([h, np.ones(len(h))]), np.eye(V)[letters]  # (N,H+1), (N,V)
    fit = len(h) * 3 // 4
    W = np.linalg.lstsq(X[:fit], Y[:fit], rcond=None)[0]  # (H+1,V)
    read, true = X[fit:] @ W, Y[fit:]
    accuracy = (read.argmax(axis=1) == letters[fit:]).mean()
    explained = 1 - ((read - true) ** 2).sum() / ((true - 1 / V) ** 2).sum()
    return accuracy, explained


# %% [markdown]
r"""
The second number is the share of the letter's variance that is explained (可解釋的變異 / 可解释的方差): 1 where $XW = Y$, and
0 where the probe knows no better than to say 1/V for all. We want it because it is a *budget*. Here is why.

Think of the N entries of a column as one vector with N numbers, and of the average as taken off. A letter out
of ten has ten one-hot columns, which sum to a constant; so there are 9 directions in it, and the letter's
explained share is the mean of theirs. Since all letters are equally frequent and independent, the directions
of all places together can be chosen as vectors $t_1 \dots t_K$ of length 1, at right angles to each other,
$K = 9n$ (up to chance, with many texts). What a probe can make out of $X$ are the combinations of its H
columns. Let $q_1 \dots q_H$ be vectors of length 1 at right angles that span the same. The share of $t_k$
that the probe explains is the squared length of its shadow on them, $\sum_m (q_m \cdot t_k)^2$. Sum over all
k and exchange the sums:

$$\sum_k \sum_m (q_m \cdot t_k)^2 = \sum_m \Big( \sum_k (q_m \cdot t_k)^2 \Big) \le \sum_m \lVert q_m \rVert^2 = H$$

(In the middle stands the squared length of the shadow of $q_m$ on the $t_k$, and no shadow is longer than
what throws it.) So the explained shares, times 9, summed over all places, are at most H. What is spent on one
letter cannot be spent on another. This is Jaeger's *memory capacity* (2001).
"""

# %% [markdown]
r"""
## With a pencil

### The register

Four units, no tanh, and the values 1 for `a`, 2 for `b`, 3 for `c`. It reads `cab`:

| step | read | unit 1 | unit 2 | unit 3 | unit 4 |
|---|---|---|---|---|---|
| 1 | c | 3 | 0 | 0 | 0 |
| 2 | a | 1 | 3 | 0 | 0 |
| 3 | b | 2 | 1 | 3 | 0 |
| 4 | `<end>` | 0 | 2 | 1 | 3 |

The last row is the one vector. The decoder shifts the other way and reads unit 1:

| step | unit 1 | unit 2 | unit 3 | unit 4 | logits $s v - \tfrac12 v^2$ of `<end>`, a, b, c | said |
|---|---|---|---|---|---|---|
| 1 | 2 | 1 | 3 | 0 | 0, 1.5, **2**, 1.5 | b |
| 2 | 1 | 3 | 0 | 0 | 0, **0.5**, 0, −1.5 | a |
| 3 | 3 | 0 | 0 | 0 | 0, 2.5, 4, **4.5** | c |
| 4 | 0 | 0 | 0 | 0 | **0**, −0.5, −2, −4.5 | `<end>` |
"""

# %%
Wx, Wh = register(4)
v, h = np.arange(4), np.zeros(4)
for x in (3, 1, 2, 0):
    h = np.array([x]) @ Wx + h @ Wh
np.testing.assert_array_equal(h, [0, 2, 1, 3])

pencil = [[0, 1.5, 2, 1.5], [0, 0.5, 0, -1.5], [0, 2.5, 4, 4.5], [0, -0.5, -2, -4.5]]
s = h
for by_pencil in pencil:
    s = s @ Wh.T
    logits = s[0] * v - v**2 / 2
    np.testing.assert_array_equal(logits, by_pencil)
    print(f"state {s}  logits {logits}  said {('<end>', 'a', 'b', 'c')[logits.argmax()]}")

# %% [markdown]
r"""
### The shares

Three words, and a step that lets half through, $\gamma = \tfrac12$.

- Plain: the paths are 3, 3, 3, the shares $\tfrac18, \tfrac18, \tfrac18$, on average 0.125.
- Reversed: the paths are 1, 3, 5, the shares $\tfrac12, \tfrac18, \tfrac1{32}$, on average 0.21875.
- The vector at every step: 3, 2, 1, the shares $\tfrac18, \tfrac14, \tfrac12$, on average 0.29167.
- Attention: 1, 1, 1, and 0.5.
"""

# %%
j = np.arange(1, 4)
for d, by_pencil in ((3 + 0 * j, 0.125), (2 * j - 1, 0.21875), (4 - j, 0.29167), (1 + 0 * j, 0.5)):
    np.testing.assert_allclose((0.5**d).mean(), by_pencil, atol=1e-5)
    print(f"paths {d}  shares {0.5**d}  on average {(0.5**d).mean():.5f}")

# %% [markdown]
r"""
## The same from minis2s

The register is no model of another kind. It is document 001's: a plain recurrent encoder, a plain recurrent
decoder that begins with $h_n$, a softmax over an output layer. `document("001")` is that model. We only put
our numbers where training would put others.
"""


# %%
def register_model(H):
    """Document 001's model with the weights of the register -> Translator"""
    vocabulary = Vocabulary(LETTERS)  # <pad>, <start>, <end>, <unk>, a … j
    config = document("001", len(vocabulary), len(vocabulary), embedding_size=1, hidden_size=H)
    model = Seq2Seq(config, np.random.default_rng(0), dtype="float64")
    for param in model.params.values():
        param[...] = 0
    params = model.params
    params["encoder.embedding.W"][4:, 0] = VALUES[1:]
    params["encoder.rnn.layers.0.Wx"][...], params["encoder.rnn.layers.0.Wh"][...] = register(H)
    params["decoder.rnn.layers.0.Wh"][...] = register(H)[1].T
    params["decoder.output.W"][0, 4:] = VALUES[1:]
    params["decoder.output.b"][4:] = -(VALUES[1:] ** 2) / 2
    params["decoder.output.b"][vocabulary.encode(["<pad>", "<start>", "<unk>"])] = -1  # never
    return Translator(model, vocabulary, vocabulary, "characters", "characters")


translator = register_model(64)
batch = make_batch(translator.encode([Pair("badcafe", "")]))
(hs, _), _ = translator.model.encode(batch.source, batch.source_lengths)
np.testing.assert_allclose(hs[-1, 0], read("badcafe", 64), rtol=1e-12)
print(f"{len(translator.model.params)} arrays of parameters, {translator.model.size:,} numbers")
print("badcafe ->", translator.translate(["badcafe"])[0].text)

# %% [markdown]
r"""
The same states, digit for digit. Here is the picture of the beginning once more, in numbers: the share of
texts without a mistake, for the three trained models and for the register. (The trained ones are not trained
again.)
"""


# %%
def right_at(translator, lengths, rng, count=200):
    """The share of random texts of each length that come out reversed, to the last letter."""
    shares = []
    for n in lengths:
        texts = texts_of(n, count, rng)
        found = translator.translate(texts, max_length=n + 1)
        shares.append(np.mean([each.text == text[::-1] for each, text in zip(found, texts)]))
    return shares


def of_the_picture(model, steps=700):
    """A model of the first figure -> Translator, Splits"""
    return trained(**PAIRS, length=12, longest=18, **SIZES, **model, steps=steps)


LENGTHS = (2, 4, 6, 8, 10, 12, 13, 15, 63)
translators = {name: of_the_picture(model)[0] for name, model in MODELS.items()}
translators["register of 64, by hand"] = register_model(64)
print(f"{'letters':26}" + "".join(f"{n:6}" for n in LENGTHS))
for name, translator in translators.items():
    shares = right_at(translator, LENGTHS, np.random.default_rng(1))
    print(f"{name:26}" + "".join(f"{share:6.0%}" for share in shares))

# %% [markdown]
r"""
## Worth a look

### What is learnt when

Now the second suspect. The experiment is as clean as we can make it. All texts have ten letters, no more and
no less, so that short ones cannot help. The task is to copy: $y_j = x_j$. The model is 001's, with 64 units.
Four times:

1. as it is: every path has 10 steps;
2. the source from right to left: the paths have 1, 3, 5 … 19 steps;
3. as it is, and the vector at every step (7.5): 10, 9 … 1;
4. as it is, with attention: 1.

Same texts, same training, 600 steps each. Every 20 steps we look which letters are right, on texts that were
held out; each letter with the true ones before it given, so that no mistake drags others along.
"""


# %%
def learn(pairs, steps, look=None, every=20, **model):
    """A model after so many steps; look(translator) every so often -> Translator, what was seen"""
    model = {"bidirectional": False, "embedding_size": 16, "hidden_size": 64} | model
    translator = Translator.untrained(pairs, "characters", "characters", **model)
    trainer = Trainer(translator.model, Adam(1e-2), schedule=cosine(steps))
    examples, rng, seen = translator.encode(pairs), np.random.default_rng(0), []
    while trainer.steps < steps:
        for batch in batches_by_length(examples, 64, rng)[: steps - trainer.steps]:
            if look and trainer.steps % every == 0:
                seen.append(look(translator))
            trainer.step(batch)
    return translator, [*seen, look(translator)] if look else seen


def letters_right(translator, pairs):
    """The share of right letters at each place, the true ones before it given -> (n,)"""
    batch = make_batch(translator.encode(pairs))
    (logits, _), _ = translator.model.forward(batch.source, batch.source_lengths, batch.y)
    return (logits.argmax(axis=2) == batch.targets).mean(axis=1)[:-1]


def plain(pairs):
    return pairs


def source_reversed(pairs):
    return [Pair(pair.source[::-1], pair.target) for pair in pairs]


EXPERIMENTS = {
    "plain": (plain, {"attention": "none"}),
    "source reversed": (source_reversed, {"attention": "none"}),
    "vector at every step": (plain, {"attention": "none", "context": "every step"}),
    "attention": (plain, {"attention": "additive"}),
}
copies = [Pair(text, text) for text in texts_of(10, 8_300, np.random.default_rng(0))]
learnt, seen = {}, {}
for name, (order, model) in EXPERIMENTS.items():
    pairs = order(copies)
    learnt[name], seen[name] = learn(
        pairs[:8_000], 600, lambda each, held=pairs[8_000:]: letters_right(each, held),
        cell="rnn", **model,
    )  # fmt: skip
    print(f"{name:21} right after 600 steps: {seen[name][-1].round(2)}")

# %%
with drawing((9.4, 3.1)) as figure:
    all_axes = figure.subplots(1, 4, sharey=True)
    for ax, name in zip(all_axes, EXPERIMENTS):
        shares, steps = np.array(seen[name]), 20 * np.arange(len(seen[name]))
        mesh = ax.pcolormesh(steps, np.arange(1, 11), shares.T, vmin=0, vmax=1, cmap="Blues")
        paths = f"{PATHS[name][0]} … {PATHS[name][-1]}" if name != "attention" else "1"
        paths = "10" if name == "plain" else paths
        ax.set(title=f"{name}\npaths: {paths}", xlabel="steps of training", xticks=[0, 300, 600])
        ax.set_yticks([1, 5, 10], ["y₁", "y₅", "y₁₀"])
    all_axes[0].invert_yaxis()
    figure.colorbar(mesh, ax=all_axes, label="letters right", ticks=[0, 0.5, 1], shrink=0.9)
figure

# %% [markdown]
r"""
- **Plain**: next to nothing. After 600 steps most letters are right one time in ten, which is what guessing
  gives.
- **Source reversed**: the first letter within a hundred steps, then the second, the third, one after the other
  like the steps of a stair. After 600 the first five are nearly always right, and even the last, with a path of
  19 steps, more often than not.
- **Vector at every step**: all letters together, slowly; the last one, with the shortest path, ahead of the
  others.
- **Attention**: all within some 300 steps.

The first two models are the same, with the same number of weights, the same vector, the same *average* path.
**The second suspect is guilty.** Sutskever et al. called what reversal shortens the *minimal time lag*
(最短時間間隔 / 最短时间间隔): not the average path but the shortest. It is a foothold.

### Signal and noise

Why does the plain order not learn slowly, but not at all? We said that its signal drowns. The letters'
embeddings begin the encoder; compare the gradients that two batches of 64 texts send to them, as directions.
What is common to all letters is taken off, for it cannot tell them apart. A cosine near 1 means that both
batches say the same, near 0 that they say nothing but chance.
"""


# %%
def agreement(translator, pairs, batches=40):
    """The mean cosine between the gradients of the letters' embeddings that two batches give."""
    model, directions = translator.model, []
    for number in range(batches):
        batch = make_batch(translator.encode(pairs[64 * number : 64 * (number + 1)]))
        (logits, _), cache = model.forward(batch.source, batch.source_lengths, batch.y)
        dlogits = softmax(logits) - np.eye(logits.shape[2], dtype=logits.dtype)[batch.targets]
        dlogits[-1] = 0  # <end> is always at the same step
        for grad in model.grads.values():
            grad[...] = 0
        model.backward(dlogits, None, cache)
        grad = model.grads["encoder.embedding.W"][4:]  # ten letters
        direction = (grad - grad.mean(axis=0)).ravel()
        directions.append(direction / np.linalg.norm(direction))
    cosines = np.array(directions) @ np.transpose(directions)
    return cosines[np.triu_indices(batches, 1)].mean()


for cell in ("rnn", "gru"):
    for name, order in (("plain", plain), ("source reversed", source_reversed)):
        pairs = order(copies)
        model = {"cell": cell, "attention": "none", "bidirectional": False}
        model |= {"embedding_size": 16, "hidden_size": 64}
        new = Translator.untrained(pairs, "characters", "characters", **model)
        print(f"{cell}, {name:16} two batches agree by {agreement(new, pairs):6.3f}")

# %% [markdown]
r"""
Before the first step, in the plain order, two batches of the same task have nothing in common. In the
reversed one they agree. Adam makes a small gradient large, but it makes noise into large noise, and walks
wherever chance leads.

### And why the others follow

The first letters are near. But the last has 19 steps to go in the reversed order, further than any in the
plain one. Why is it learnt at all? Because the network that has learnt to keep one letter has become another
network. Here is $\gamma$ of the encoder, measured as in the figure of the gradients, on random texts of 30
letters:
"""


# %%
def gamma_of(translator, steps=20):
    """By how much a gradient changes at each step back; the mean slope of the encoder's tanh"""
    rng = np.random.default_rng(3)
    batch = make_batch(translator.encode([Pair(text, "") for text in texts_of(30, 40, rng)]))
    x, _ = translator.model.encoder.embedding.forward(batch.source)
    v = rng.standard_normal((40, 64)).astype(x.dtype)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    layer = translator.model.encoder.rnn.layers[0]
    (hs, _), _ = layer.forward(x)
    return factor(np.median(gradient_norms(layer, x, v), axis=1)[: steps + 1]), (1 - hs**2).mean()


new = Translator.untrained(
    copies, "characters", "characters", cell="rnn", attention="none", bidirectional=False,
    embedding_size=16, hidden_size=64,
)  # fmt: skip
gammas = {"before training": gamma_of(new)}
for name in ("plain", "source reversed"):
    gammas[f"after 600 steps, {name}"] = gamma_of(learnt[name])
for name, (gamma, tanh_slope) in gammas.items():
    print(f"{name:32} gamma {gamma:.2f}, mean slope of tanh {tanh_slope:.2f}")

# %% [markdown]
r"""
Each letter that is learnt makes $\gamma$ larger, and so brings the next one within reach. In the plain order
$\gamma$ has even become smaller: the walk of chance has pushed the states to where the tanh is flat, as its
mean slope, $1 - h^2$, shows.

A word of caution. These are plain recurrent layers, and texts of one length. A GRU learns the plain order
too, only later (write `cell="gru"` in the loop above, and see); and in real data there are short sentences,
which are a foothold of their own. Both make the picture milder. Neither changes its direction, as the sums
below will show.

### More room, or more patience

Back to the GRUs of the first picture, where all lengths are mixed. How much does it help to train the smaller
one three times as long, instead of making it twice as wide?
"""

# %%
runs = {
    "32 numbers,   700 steps": of_the_picture(MODELS["one vector of 32"]),
    "64 numbers,   700 steps": of_the_picture(MODELS["one vector of 64"]),
    "32 numbers, 2,100 steps": of_the_picture(MODELS["one vector of 32"], steps=2_100),
}
for name, (translator, splits) in runs.items():
    accuracy = accuracy_at(translator, splits.test, 12)
    half = min(length for length, share in accuracy.items() if share < 0.5)
    at = {length: f"{accuracy[length]:.0%}" for length in (6, 8, 10)}
    print(f"{name}: at 6, 8, 10 letters {', '.join(at.values())}; below half from {half} on")

# %% [markdown]
r"""
With patience, 32 numbers get further than 64 without. They had the room all the time.

That is no reason to think that width is useless: a wider vector learns faster. But it is what Collins et al.
(2017) found with much greater care: the common recurrent layers can all store about as much, roughly one
number of their past in each unit, and differ in how easily they are brought to do it.

### What does the vector know?

Now open it. We probe the vector of 64 of the first picture, place by place, for texts of 4, 8 and 12 letters;
on the left before training, on the right after it.
"""


# %%
def vectors(model, translator, texts):
    """The one vector of each text -> h (N,H)"""
    batch = make_batch(translator.encode([Pair(text, "") for text in texts]))
    (_, states), _ = model.encode(batch.source, batch.source_lengths)
    return states[-1][0].astype("float64")


translator, _ = of_the_picture(MODELS["one vector of 64"])
new = Seq2Seq(translator.model.config, np.random.default_rng(0))
rng, probed, said = np.random.default_rng(0), {}, {}
for n in (4, 8, 12):
    texts = texts_of(n, 4_000, rng)
    letters = np.array([[LETTERS.index(letter) for letter in text] for text in texts])
    for name, model in (("before training", new), ("after training", translator.model)):
        h = vectors(model, translator, texts)
        probed[name, n] = np.array([probe(h, letters[:, i]) for i in range(n)])
    held = [Pair(text, text[::-1]) for text in texts[3_000:]]
    said[n] = letters_right(translator, held)[::-1]  # from left to right again

with drawing((8.6, 3.2)) as figure:
    for ax, name in zip(figure.subplots(1, 2, sharey=True), ("before training", "after training")):
        for index, n in enumerate((4, 8, 12)):
            look = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
            look |= {"label": f"{n} letters", "clip_on": False}
            ax.plot(np.arange(n)[::-1], probed[name, n][:, 0], **look)
        ax.axhline(0.1, color="0.5", linewidth=0.8)
        ax.text(0, 0.04, "guessing", size=9, ha="right")
        ax.set(title=name, xlabel="letters read after it", xlim=(11.5, -0.3), ylim=(0, 1.03))
        ax.set_yticks([0, 0.5, 1], ["0", "50%", "100%"])
        ax.grid(axis="y")
    figure.axes[0].set_ylabel("read right by the probe")
    figure.axes[1].legend(loc="upper left")
figure

# %%
for n in (4, 8, 12):
    for name in ("before training", "after training"):
        right, explained = probed[name, n].T
        spent = f"9 · {explained.sum():.2f} = {9 * explained.sum():.0f} of 64"
        print(f"{n:2} letters, {name:15} probe: first {right[0]:4.0%}, last {right[-1]:4.0%}, "
              f"spent {spent}")  # fmt: skip
    print(f"{n:2} letters, after training, model: first {said[n][0]:4.0%}, last {said[n][-1]:4.0%}")

# %% [markdown]
r"""
Read from the left, the oldest letter, to the right, the newest.

- **Before training** the vector knows the two newest letters perfectly, and the others roughly the less, the older
  they are. With eleven letters after it, a letter is nearly lost. Nobody has taught the layer that; it is
  what it does by itself, and it is 長期依賴問題 with nothing else mixed in.
- **After training** the newest letter is still there. Of twelve, all from the first to the tenth are known
  about equally well; and the longer the text, the less of each.

The last numbers of each line say what has happened. The vector does not hold more than before. It holds a
little less, as far as a probe can see, but it has *spread* it: taken from the second newest letter and its
neighbours, and spent on the oldest. It is a budget, and training is what spends it. It has not spent half of
its 64.

A caution again. A linear probe finds what an output layer could read *at once*. The decoder has more steps,
and gates and a tanh in each, and the lines "model" show that it reads the first letter far better than the
probe does (with the true letters before it given). What the probe finds is there. What it does not find may
be there in another form.

### Sums

Is this an oddity of texts of random letters? *Deep Learning from Scratch 2* (Saitoh 2018, chapter 7), which
many readers of the five documents will know, teaches seq2seq by addition: `16+75` to `91`, digit by digit,
45,000 of them. It climbs a ladder: plain; source reversed; and the vector at every step besides. Here is a
small one of the same kind, with sums of one or two digits and a GRU.
"""

# %%
sums = load_task("addition", digits=2, train=3_500, valid=1, test=400)
RUNGS = {
    "plain": (plain, "state"),
    "source reversed": (source_reversed, "state"),
    "and the vector at every step": (source_reversed, "every step and output"),
}
for name, (order, context) in RUNGS.items():
    model = {"cell": "gru", "attention": "none", "context": context}
    translator, _ = learn(order(sums.train), 1_000, **model)
    right = evaluate(translator.model, translator.encode(order(sums.test))).exact
    print(f"{name:30} {right:5.1%} of {len(sums.test)} sums right")

# %% [markdown]
r"""
(From other seeds the second rung comes out higher or lower. The order of the three does not change.)

And the book's own data, three digits and 50,000 sums, in full. It takes some minutes, so it is not run here.
These are the numbers of [RESULTS.md](../RESULTS.md), and the commands that make them:

| command | exact match, 5,000 test sums, mean of 3 seeds | the book's own code |
|---|---|---|
| `minis2s train addition-plain --data DATA` | 24.2% | 10.4% |
| `minis2s train addition-reversed --data DATA` | 99.3% | 42.8% to 53.3% |
| `minis2s train addition-context --data DATA` | 99.7% | 97.8% to 98.6% |

One line of code, `source[::-1]`. In the book's runs it makes about half of the sums right, in ours nearly
all. (The data and the three models are the same. The training is not: here the learning rate starts higher,
and falls.) A sum is a hard case for the plain order: the first digit of the answer needs the first digits of
both numbers, and one of them was read first of all.

### Real sentences

Last, what people wrote. Three experiments of `minis2s` have a twin without attention, equal in all
else: German to English captions (`multi30k`), English to Chinese (`tatoeba`), and spelling to pronunciation
(`cmudict`). They take long, and their results are kept in `figures/results` of the repository. Where a record is
missing, the cells say how it is made.
"""

# %%
RESULTS = Path("..") / "figures" / "results"


def by_length(experiment):
    """The figure where there are records; what makes those that are missing."""
    recorded = {name for name, _ in files(RESULTS)}
    for name in (experiment, f"{experiment}-fixed"):
        if name not in recorded:
            print(f"{name} has no record here; this makes it: minis2s train {name} --data DATA, "
                  "then minis2s results --save figures/results")  # fmt: skip
    return accuracy_by_length(experiment, RESULTS) if experiment in recorded else None


by_length("multi30k")

# %%
by_length("tatoeba")

# %%
by_length("cmudict")

# %% [markdown]
r"""
What to look for: not which line is higher, but whether the gap between the two *grows* to the right. That is
the bottleneck. In figure 2 of Bahdanau et al. (2015) it does: with one vector the score falls with the length of
the sentence, with attention it stays level up to 50 words and more. The captions of `multi30k` show the same.
With attention BLEU is between 35 and 38 up to 17 words, and 30 beyond; with one vector it falls from 28 to 15.
The gap is 7 on the left, 18 before the last point, and 15 at the last, which stands for 89 captions. And in
`cmudict` the two begin together, at 78% and 77% of the words of up to five letters, and end eleven points apart.

One more voice, so that you do not take fixed vectors for hopeless. Sutskever et al. (2014, figure 3)
translated sentences of up to 35 words with no loss at all. They had one vector of 8,000 numbers, from four
layers of LSTM; the source was reversed; and training took ten days on eight GPUs. Room, a foothold, and
patience.
"""

# %% [markdown]
r"""
## The document's own code

001 has equations and no program; 004 has a program, and what happens when it is run is in chapters 5 to 7.
Here we put to the test what the two *say*.

### 001 §4 and §6, 004 注意事项 3: long sequences lose information

True, as the first picture shows. But both give one reason, that the vector has a fixed length, and that
reason alone does not hold: 001's own model, with weights by hand, keeps 63 letters in 64 numbers. What is
fixed and too small is not the vector. It is what training can find, and for that the path counts. One might
write it so:

> In theory a vector of fixed length has room for long sentences. In practice training seldom finds out how to
> use it, because what was read early is many steps from where it is written.

001 §6 says that compression leads to the loss of long-term dependencies. It is nearer the mark the other way
round: the long paths come first, and the vector stays half empty because of them.

### 001 §4: attention avoids the limit

True. In the first picture nearly all texts of 12 letters are right, and next to none with one vector of twice
the size. And it learns in 300 steps what 001's own model does not learn in 600. There is one condition, which
the next point is about.

### 001 §3: well suited to changing lengths

True for the lengths that were in training. Look once more at the last columns of the table in "The same from
minis2s". With 13 letters, one more than ever before, attention already gets many texts wrong, and with 15 all
of them. It has learnt where to look in texts of up to 12 letters, not the rule that stands behind it. The
register *is* the rule, and does not mind.

### 001 §6: attention costs more

Let us count multiplications, for a sentence of n words on both sides, with 004's sizes (H = 512, E = 256, one
layer of GRU, and an attention as wide as the state). A GRU step takes $3H(E+H)$. Attention adds, for each
word, the key and the query, $2H^2$; that the cell now reads the context as well, $3H^2$; and for each *pair*
of words a score and its part of the average, $2H$.
"""

# %%
H, E = 512, 256
for n in (10, 30, 100, 1_000, 4_000):
    cells = 2 * n * 3 * H * (E + H)  # encoder and decoder
    words, pairs_of_words = 5 * n * H**2, 2 * n**2 * H
    print(f"n = {n:5,}: attention adds {(words + pairs_of_words) / cells:4.0%}; "
          f"the part that grows with n²: {pairs_of_words / cells:6.1%}; "
          f"numbers kept for the way back: {n * n * H / 1e6:8,.1f} million")  # fmt: skip

# %% [markdown]
r"""
So it does cost more, but not where one might think. Sentences of 30 words pay about half as much again,
nearly all of it for terms that grow with n like everything else. What grows with $n^2$ is around one part in
a hundred of the cells' work there, and comes to as much as that work only with texts of more than two
thousand words. (The output layer is left out. With 004's 10,000 words it costs more than all the rest
together, until sentences are very long.) Memory is another matter. Additive attention keeps H numbers,
$\tanh(s_{j-1} W + k_i)$, for every pair of words until the way back: with a hundred words five million for
one sentence. 001 names both, 計算成本和存儲需求; the second is the one to fear.

### 004: ten thousand words into 2,048 numbers

004's state has room for 3,699 words by the count of bits, and output layers could read up to 2,048 of them. A
sentence has some twenty. Whatever goes wrong with long sentences in 004's program, room it is not. Three
things in the program make the paths longer than they need be:

- The source is read in the plain order. `src.flip(0)` before padding would reverse it.
- The vector is given once, as the first state, and not at every step.
- The encoder reads the padding: a sentence of 5 words in a batch with one of 15 has ten steps more to go,
  over nothing. That is the same 10 more for every word. (Chapter 6 shows what the pads do to the state, and
  what to do about it.)

None of this is wrong. It is what attention makes unimportant, and why 004 recommends it in the end.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where. It never shows how. Run it as often as you like.

### 1. Paths

Not every translation keeps the order of words. Let `places` (T,) be whole numbers: the word for $y_j$ stands
at place `places[j - 1]` of a source with n words, counted from 1. T may differ from n, and two words may come
from one place. Write the paths of all T words, in whole numbers: as it is; with the source reversed; with the
vector at every step, the source as it is.
"""


# %% exercise="word_distances" points=2
def word_distances(places, n):
    """places (T,), n -> plain (T,), source reversed (T,), vector at every step (T,)"""
    raise NotImplementedError


# %%
check.word_distances(word_distances)

# %% [markdown]
r"""
### 2. Predict, then run

A step lets 90% of a gradient through, and there are 20 words. In the plain order $0.9^{20}$ arrives, about
0.12, for every word. Which share arrives on average when the source is reversed? Guess first; then work it
out (one line of NumPy, or the sum of a geometric series). To within 0.002.
"""

# %% exercise="share_after_reversal" points=1
share_after_reversal = None

# %%
check.share_after_reversal(share_after_reversal)

# %% [markdown]
r"""
In chapter 9 a model translates `20 July 1969` to `1969年7月20日`. Suppose that it had no attention. Take year,
month and day as three words. By the average share, is it "better" or "worse" to reverse the source, or
"neither"?
"""

# %% exercise="dates_reversed" points=1
dates_reversed = None

# %%
check.dates_reversed(dates_reversed)

# %% [markdown]
r"""
In the first picture the share of right texts passes one half at about 6 letters with 32 numbers, and at about 8
with 64. Now take 128 numbers, and the same 700 steps. At about how many letters? Answer with 8, 11, 16 or 32.
Then take away the `#` in the cell after the check; it takes some seconds.
"""

# %% exercise="half_with_128" points=1
half_with_128 = None

# %%
check.half_with_128(half_with_128)

# %%
wide = {"attention": "none", "hidden_size": 128}
# translator, splits = of_the_picture(wide)
# print(accuracy_at(translator, splits.test, 12))

# %% [markdown]
r"""
### 3. Find the planted bugs

This probe has two mistakes. One of them you see here: the vectors are random and know nothing of the letters,
and a guess is right one time in ten.
"""


# %%
def broken_probe(h, letters, V):
    """h (N,H), letters (N,) of V kinds -> the share of letters that a linear probe reads right"""
    W = np.linalg.lstsq(h, np.eye(V)[letters], rcond=None)[0]
    return ((h @ W).argmax(axis=1) == letters).mean()


rng = np.random.default_rng(0)
knows_nothing = rng.standard_normal((200, 64))
print(f"{broken_probe(knows_nothing, rng.integers(10, size=200), V=10):.0%} right")

# %% [markdown]
r"""
And here is the other: one number is known exactly, and it decides between two letters.
"""

# %%
one_number = rng.uniform(1, 3, size=(200, 1))
print(f"{broken_probe(one_number, (one_number[:, 0] > 2).astype(int), V=2):.0%} right")

# %% [markdown]
r"""
Mend both. So that all answers can be compared: fit to the first `N // 2` rows, read the others.
"""


# %% exercise="mended_probe" points=2
def mended_probe(h, letters, V):
    """h (N,H), letters (N,) of V kinds -> the share of held-out letters that are read right"""
    raise NotImplementedError


# %%
check.mended_probe(mended_probe)

# %% [markdown]
r"""
### 4. Two vectors

If one vector is too far from the first words, hand over two: the state in the middle and the state at the
end. The longest path from a word to the nearer of them is then half as long. (With three it is a third. Go on
like that, and you will have invented attention.)

A batch holds sources of different lengths: `lengths` (B,). The middle of a source of length n is after
$\lceil n/2 \rceil$ words, so its state is `hs[(n + 1) // 2 - 1]`. Write the step forward and its gradient.
Mind the sources of one word.
"""


# %% exercise="two_vectors" points=1
def two_vectors(hs, lengths):
    """hs (S,B,H), lengths (B,) -> (B,2H): the state in the middle, beside it the last"""
    raise NotImplementedError


# %%
check.two_vectors(two_vectors)


# %% exercise="two_vectors_backward" points=3
def two_vectors_backward(dcontext, lengths, S):
    """dcontext (B,2H), lengths (B,), S -> dhs (S,B,H)"""
    raise NotImplementedError


# %%
check.two_vectors_backward(two_vectors_backward)

# %% [markdown]
r"""
### 5. A register that copies

The register writes from right to left. Write a decoder for it that writes from left to right, for texts of
exactly n letters. The encoder stays as it is, H units, and reads `<end>` last. To keep it simple there is no
tanh: at every step $s_j = s_{j-1} W_h$, and the value that is said is $s_j \cdot w$. You may have H units,
with H at least $n + 2$. Hand in $W_h$ (H,H) and $w$ (H,).

Begin with a pencil: where does each letter of `cab` stand after the encoder? When you are done: would yours
work for texts of other lengths? What would a decoder have to know for that?
"""


# %% exercise="copying_decoder" points=3
def copying_decoder(H, n):
    """-> Wh (H,H), w (H,) of a decoder that writes n letters in the order they were read in"""
    raise NotImplementedError


# %%
check.copying_decoder(copying_decoder)

# %% [markdown]
r"""
## What to read next

- K. Cho, B. van Merriënboer, D. Bahdanau, Y. Bengio, [On the properties of neural machine
  translation](https://arxiv.org/abs/1409.1259), 2014 ("2014b"), §5.1 and figure 4: accuracy against length,
  for one vector.
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §3.3: reversal; figure 3: accuracy against length, with
  it.
- D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
  translate](https://arxiv.org/abs/1409.0473), 2015, §1 and figure 2: the bottleneck, and attention.
- J. Collins, J. Sohl-Dickstein, D. Sussillo, [Capacity and trainability in recurrent neural
  networks](https://arxiv.org/abs/1611.09913), 2017: room and path, measured with great care.
- H. Jaeger, Short term memory in echo state networks, GMD report 152, 2001: the budget, and more about
  registers.
- S. Hochreiter, J. Schmidhuber, [Long short-term memory](https://doi.org/10.1162/neco.1997.9.8.1735), 1997:
  where the words "minimal time lag" come from.
- W. Zaremba, I. Sutskever, [Learning to execute](https://arxiv.org/abs/1410.4615), 2014: addition and
  copying, with reversed and with doubled input.
- Y. Adi et al., [Fine-grained analysis of sentence embeddings using auxiliary prediction
  tasks](https://arxiv.org/abs/1608.04207), 2017: probes for length, words and their order.
- J. Hewitt, P. Liang, [Designing and interpreting probes with control
  tasks](https://arxiv.org/abs/1909.03368), 2019: how a probe deceives, and what to do about it.
- K. Saitoh, *Deep Learning from Scratch 2*, 2018, §7.3 (first in Japanese): the ladder of sums.

Next is chapter 9: to look back at all the states, and choose.
"""
