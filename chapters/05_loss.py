# %% [markdown]
r"""
# 5 · Softmax, cross-entropy, masks

softmax、交叉熵、遮罩 · softmax、交叉熵、掩码 · softmax, cross-entropy, masks

A decoder ends in a row of numbers, one for each word of its vocabulary. This chapter turns them into
probabilities, the probabilities into one number that says how wrong they were, and that number into
gradients. And it keeps out of all three what is not there: the padding.

At the end of it you will have derived the most used gradient of the field, *softmax minus one-hot*, once the
short way and once the long way; you will know why nobody computes it the long way; and you will have seen a
model look more than twice as good as it was, because its padding had been counted. You need Python, the
exponential function and its logarithm, and what a gradient is: the five rules of chapter 3 are named where
they are used.
"""

# %%
import inspect

import numpy as np

from minis2s import functional
from minis2s.data.batches import Example, make_batch
from minis2s.data.vocabulary import END, PAD, UNK, Vocabulary
from minis2s.evaluation import evaluate, held_out_loss
from minis2s.exercises import check
from minis2s.figures.padding_and_masks import padding_and_masks
from minis2s.gradcheck import gradcheck
from minis2s.models import Seq2Seq, document
from minis2s.nn import Embedding, MeanSquaredError, SoftmaxCrossEntropy, Stack
from minis2s.optim import Adam
from minis2s.plots import COLOURS, DASHES, MARKERS, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 001 (繁) | 2. 解碼器（Decoder） | $y_t = \text{softmax}(W^{\text{out}} \cdot h_t^{\text{dec}} + b^{\text{out}})$ | what softmax is, why it has an exponential in it, its gradient |
| 002 (简) | 3.2 解码器的公式表示 | $y_t = \text{softmax}(Ws_t + b)$ | the same |
| 003 (简) | 4.2 解码器数学模型 | $y_t = \mathrm{softmax}(W_{sy}s_t + b_y)$ | the same |
| 003 (简) | 5.2 解码器实现 | `nn.LogSoftmax(dim=1)` | which loss goes with it |
| 004 (简) | Seq2Seq 模型的实现 | `nn.CrossEntropyLoss(ignore_index=0)` | what that computes, and what it leaves out |
| 000 (繁) | PyTorch 實現編碼器-解碼器模型 | `nn.MSELoss()` | the loss for signals, and why not for words |

Softmax also makes the attention weights $\alpha_{t,i}$ of 002 §4.2 and 003 §4.3. It is the same function, and
what is derived here will be used again in chapters 9 and 11. Before this chapter come the recurrent cells,
after it the encoder and the decoder.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| softmax 函數 | softmax 函数（归一化指数函数） | softmax |
| 未歸一化的分數 | 未归一化的分数 | logits |
| 概率分佈（台灣：機率分佈） | 概率分布 | probability distribution |
| 詞彙表 | 词汇表 | vocabulary |
| 獨熱向量 | 独热向量 | one-hot vector |
| 損失函數 | 损失函数 | loss function |
| 交叉熵 | 交叉熵 | cross-entropy |
| 負對數似然 | 负对数似然 | negative log-likelihood, nll |
| 困惑度 | 困惑度 | perplexity |
| 均方誤差 | 均方误差 | mean squared error |
| 填充、填充符 | 填充、填充符 | padding, padding token |
| 遮罩 | 掩码 | mask |
| 起始符、結束符 | 起始符、结束符 | start token, end token |
| 雅可比矩陣 | 雅可比矩阵 | Jacobian matrix |
| 溢位、下溢 | 溢出、下溢 | overflow, underflow |
| 溫度 | 温度 | temperature |
| 標籤平滑 | 标签平滑 | label smoothing |
"""

# %% [markdown]
r"""
## Symbols

| in the documents | here | in the code | what it is | shape |
|---|---|---|---|---|
| $W^{\text{out}} h_t^{\text{dec}} + b^{\text{out}}$ (001), $W_{sy}s_t + b_y$ (003), `output` (004) | $a_n$ | `a`, `logits` | logits, one for each word | (V,), all of them (N,V) |
| $y_t$, as a distribution | $p_n$ | `p` | probabilities | (V,), all of them (N,V) |
| $y_t$, as a word; `trg` (004) | $y_n$ | `y`, `targets` | the id of the word that should come | (N,) |
| `ignore_index=0` (004) | $w_n$ | `w`, `weights` | how much position $n$ counts: 1, padding 0 | (N,) |
| | $\mathrm{nll}_n$ | `nll` | $-\log p$ of the target | (N,) |
| `loss` (000, 004) | $L$ | `loss` | the loss, one number | () |
| `outputs`, `tgt` (000) | $u_n$, $z_n$ | `u`, `z` | a predicted vector and its target | (D,), all of them (N,D) |
| | $dp$, $da$ | `dp`, `da` | gradients of $L$ | as $p$, as $a$ |

V is the size of the vocabulary. $n$ is a *position*: one step of one sentence. A batch of B sentences with T steps
has $N = T \cdot B$ of them, padding included; the logits are then (T,B,V), and a loss does not care in
which order the positions lie. Two warnings:

- In the documents $y_t$ is a distribution in one line and a word in the next. Here $p$ is the distribution and $y$
  the word.
- $\log$ is the natural logarithm, as in NumPy. $[j = y]$ is 1 where $j = y$, and 0 elsewhere.
"""

# %% [markdown]
r"""
## The idea

Document 004 has "Hello world" translated to 你好，世界. Suppose the decoder has been fed `<start>` and must now say
the first word. From its state it computes a **logit** for each word of the vocabulary: any number, the higher
the more it likes the word. From there it is four steps, and four panels; the right word is the dark bar.
"""

# %%
WORDS = ["你好", "，", "世界", "<end>", "<unk>"]
a = np.array([2, 0.5, 1, -1, 0])


def draw_idea(a, target):
    """Logits, their exponentials, the probabilities, and the gradient: a row a word."""
    e = np.exp(a)
    p = e / e.sum()
    panels = {
        "logits a": a,
        "exp(a): all above 0": e,
        f"p = exp(a) / {e.sum():.2f}: sums to 1": p,
        "p − [target]: the gradient": p - np.eye(len(a))[target],
    }
    with drawing((9.4, 2.5)) as figure:
        for ax, (title, values) in zip(figure.subplots(1, 4, sharey=True), panels.items()):
            colours = [COLOURS[0] if row == target else "0.8" for row in range(len(a))]
            ax.barh(WORDS, values, color=colours, height=0.6)
            room = 0.3 * (values.max() - min(values.min(), 0))
            ax.set(xlim=(min(values.min(), 0) - room, values.max() + room), xticks=[])
            for row, value in enumerate(values):
                side, aside = ("right", -room / 8) if value < 0 else ("left", room / 8)
                ax.text(value + aside, row, f"{value:.2f}", ha=side, va="center", size=9)
            ax.axvline(0, color="0.5", linewidth=0.8)
            ax.set_title(title, size=10)
            ax.spines[["left", "bottom"]].set_visible(False)
            ax.tick_params(length=0)
        ax.invert_yaxis()
    return figure


draw_idea(a, target=0)

# %% [markdown]
r"""
1. The logits may be negative, and sum to nothing in particular.
2. The exponential makes them all positive, and keeps their order.
3. Divided by their sum they are a probability distribution (概率分佈 / 概率分布): that is **softmax**. The right word,
   你好, has been given 0.56, or more exactly 0.563.
4. The loss is $-\log 0.563 = 0.574$: 0 if the right word had been given all, larger and larger the less it was
   given. Its gradient with respect to the logits, the last panel, is the simplest thing one could think of: what
   was said, $p$, minus what should have been said, 1 for the target and 0 for all else. A step *against* this
   gradient raises the logit of the right word and lowers all others, each by as much as it had been given.

So much for one position. A batch has many, and sentences of different lengths are filled up with a word that
is none, `<pad>`. Nobody should learn to say it, so its positions must count nothing. That is what a **mask** (遮罩 /
掩码) is for.
"""

# %% [markdown]
r"""
## The equations

### Why an exponential

We want probabilities from logits, and there are many ways of making numbers positive. Here is what singles
one out. Let a logit be *a log-probability, but for a constant that is the same for all words*. Then the
constant cancels in the difference of any two:

$$\log p_i - \log p_j = a_i - a_j$$

Take the exponential of both sides, and multiply by $p_j$:

$$p_i = p_j e^{a_i - a_j} = p_j e^{-a_j} e^{a_i}$$

Sum over all $i$. The left side must be 1, for probabilities sum to 1:

$$1 = p_j e^{-a_j} \sum_i e^{a_i}$$

and solve for $p_j$. For position $n$, with the sum's index called $k$:

$$p_{nj} = \mathrm{softmax}(a_n)_j = \frac{e^{a_{nj}}}{\sum_k e^{a_{nk}}}$$

This is softmax, and nothing else does what we asked for. It says: *one more* in a logit is $e \approx 2.72$
times more in the odds, wherever one starts. Only differences of logits matter: add 7 to all of them, and $e^7$
cancels above and below the line. (With two words, of which the second has the logit 0, softmax is
$e^a/(e^a+1)$: the sigmoid of chapter 3.)

### Why the largest is subtracted

Only differences matter on paper. In the computer the exponential overflows (溢位 / 溢出): numbers of 32 bits end
at about $3.4 \cdot 10^{38}$, which is $e^{88.7}$.
"""

# %%
large = np.array([100, 99, 0], dtype="float32")
with np.errstate(over="ignore", invalid="ignore"):
    print("exp             ", np.exp(large))
    print("exp / sum       ", np.exp(large) / np.exp(large).sum())
moved = large - large.max()
print("the same, moved ", np.exp(moved) / np.exp(moved).sum())

# %% [markdown]
r"""
inf / inf is not a number. After the largest logit is subtracted from all, the largest is 0 and
its exponential is 1. Nothing can overflow, the sum is at least 1, and a term that underflows (下溢 / 下溢) to 0 was
too small to be seen beside that 1 anyway.

The logarithm of the sum needs the same care. With $m$ the largest of the $a_j$:

$$\log \sum_j e^{a_j} = \log \sum_j e^{m} e^{a_j - m}$$

$e^m$ stands in every term, so it can be taken out of the sum:

$$\log \sum_j e^{a_j} = \log \Big( e^{m} \sum_j e^{a_j - m} \Big) = m + \log \sum_j e^{a_j - m}$$

It is called *logsumexp*. The sum on the right lies between 1, its largest term, and V, the number of its
terms, none of which is above 1. So logsumexp lies between $m$ and $m + \log V$: a maximum, made smooth.

### Why the logarithm

The model says a sentence word by word, each one knowing those before it. The probability of the whole is the
product of the words' probabilities (chapter 7), and products of many small numbers underflow. The logarithm
makes a sum of the product, and a minus sign makes it something to be made small:
"""

# %%
print("0.1 to the power of 400:    ", 0.1**400)
print("-log, summed over 400 words:", 400 * -np.log(0.1))

# %% [markdown]
r"""
For position $n$ with the target $y_n$ that is $-\log p_{n,y_n}$, the negative log-likelihood (負對數似然 / 负对数似然).
Put softmax in, and the logarithm meets the exponential:

$$-\log \frac{e^{a_{n,y_n}}}{\sum_j e^{a_{nj}}} = -a_{n,y_n} + \log \sum_j e^{a_{nj}}$$

so that no probability need be computed at all:

$$\mathrm{nll}_n = \log \sum_j e^{a_{nj}} - a_{n,y_n} \tag{5.2}$$

In words: how far the target's logit stays below the smooth maximum of all. Shapes: $a$ is (N,V), the sum goes
over the V words, and one number for each position remains, (N,).

Why *cross-entropy* (交叉熵)? The cross-entropy of a true distribution $q$ and a predicted one $p$ is
$-\sum_j q_j \log p_j$. Our $q$ is one-hot, 1 at the target and 0 elsewhere, and of the sum only $-\log p_y$ is
left. In the last exercise $q$ will be another.

### What counts

The loss of a batch is the mean over the positions that count. With a weight $w_n$ for each, 1 for a word and 0 for
padding (or any other number that is not negative):

$$L = \frac{\sum_n w_n \mathrm{nll}_n}{\sum_n w_n} \tag{5.3}$$

Divided by the sum of the weights, *not* by N: the mean must not depend on how much padding happens to lie beside
the words. And a batch in which nothing counts has the loss 0, not 0/0.

Which positions are words? Here is 004's example beside a shorter one.
"""

# %%
vocabulary = Vocabulary(["你好", "，", "世界", "谢谢"])
sentences = [["你好", "，", "世界"], ["谢谢"]]
batch = make_batch([Example([4], vocabulary.encode(words)) for words in sentences])  # any source
for b in range(2):
    for name, ids in {"is fed": batch.y, "target": batch.targets}.items():
        print(f"sentence {b}, {name}:", *[vocabulary.tokens[id] for id in ids[:, b]])
print("weights:")
print((batch.targets != PAD).T.astype(int))

# %% [markdown]
r"""
What is fed and what is to be said differ by one place. `<start>` is fed and never said. `<end>` (結束符 / 结束符)
is said and never fed, and it *counts*: a model that is not told where a sentence ends will not end one. So a
sentence of 3 words has 4 targets. After `<end>` nothing is to be said, and nothing counts.

### What the number means

The exponential of the loss is the **perplexity** (困惑度). If the model were torn between $k$ words, all equally
likely, $p$ would be $1/k$, the loss $\log k$ and the perplexity $k$. A perplexity of 12 says: as unsure, on
average, as between 12 words. Before training all logits are about equal, so the perplexity is about V. If
your first loss is not about $\log V$, something is wrong before anything has been learnt.

### For signals

The outputs of document 000 are no words but vectors of D numbers, in which *nearly right* is nearly right.
There the loss is the mean squared error (均方誤差 / 均方误差), with the same weights, $u_n$ the prediction and $z_n$
the target:

$$L = \frac{\sum_n w_n \sum_d (u_{nd} - z_{nd})^2}{D \sum_n w_n} \tag{5.4}$$

The numbers in brackets are those in [losses.py](../minis2s/nn/losses.py). Softmax and logsumexp have none:
they stand in [functional.py](../minis2s/functional.py).
"""

# %% [markdown]
r"""
## The backward pass, step by step

As in chapter 3, $da$ is the gradient (梯度) of the loss with respect to $a$, an array of the same shape: how
much the loss rises for each unit that an entry of $a$ rises. We walk back from $L$. A prime beside a number
means: the derivative of this equation.

### From the loss to each position

**Equation (5.3).** $L$ is a sum in which $\mathrm{nll}_n$ stands once, with the factor $w_n / \sum_m w_m$. The
weights are not learnt; that factor is a constant. Raise $\mathrm{nll}_n$ by $\varepsilon$, and $L$ rises by
$\varepsilon w_n / \sum_m w_m$. So

$$d\mathrm{nll}_n = dL \frac{w_n}{\sum_m w_m} \tag{5.3'}$$

$dL$ is 1 where $L$ is what we make small. It stands here because every backward pass takes what comes back
from above. With $w_n = 0$ nothing comes back: a padded position has no gradient, whatever its logits.

### From a position to its logits: the short way

**Equation (5.2)** has two terms, and we need the derivative of each by every $a_{nj}$. The index $n$ stays
the same throughout: the logits of one position are used for no other. Let us leave it out.

The first term, $\log Z$ with $Z = \sum_k e^{a_k}$. The derivative of $\log Z$ by $Z$ is $1/Z$. The derivative
of $Z$ by $a_j$ is $e^{a_j}$, since in the sum only the term with $k = j$ contains $a_j$. By the chain rule

$$\frac{\partial \log Z}{\partial a_j} = \frac{1}{Z} \cdot e^{a_j} = \frac{e^{a_j}}{\sum_k e^{a_k}} = p_j$$

The derivative of logsumexp is softmax. (The $m$ that we subtracted depends on the logits too. But the value
is the same for every $m$, so nothing comes back through it.)

The second term, $-a_y$, has the derivative $-1$ by $a_y$ and 0 by all others: $-[j = y]$.

Together, and with $n$ again:

$$da_{nj} = d\mathrm{nll}_n (p_{nj} - [j = y_n]) \tag{5.2'}$$

**Softmax minus one-hot.** Shapes: $p$ is (N,V), $d\mathrm{nll}$ is (N,) and multiplies each row by its own
number, $da$ is (N,V). That is all that a training step needs.

### The long way: the Jacobian of softmax

Now let us go through the probabilities. We need it anyway, where softmax makes attention weights and no logarithm
follows (chapter 9); and it shows why the short way is short.

Again one position: V logits go in, V probabilities come out, and each probability depends on *every* logit,
because all of them are in $Z$. So there are V times V derivatives $\partial p_i / \partial a_j$. A table of
all of them is called a Jacobian (雅可比矩陣 / 雅可比矩阵). With $p_i = e^{a_i} / Z$, the rule for quotients and
$\partial Z / \partial a_j = e^{a_j}$ there are two cases. If $i = j$, the numerator depends on $a_j$ too:

$$\frac{\partial p_i}{\partial a_i} = \frac{e^{a_i} Z - e^{a_i} e^{a_i}}{Z^2} = \frac{e^{a_i}}{Z} - \frac{e^{a_i}}{Z} \cdot \frac{e^{a_i}}{Z} = p_i - p_i p_i$$

If $i \neq j$, it does not:

$$\frac{\partial p_i}{\partial a_j} = \frac{0 \cdot Z - e^{a_i} e^{a_j}}{Z^2} = - p_i p_j$$

Both in one line:

$$\frac{\partial p_i}{\partial a_j} = p_i ([i = j] - p_j)$$

Now the way back. $a_j$ is used in every $p_i$, and where a value fans out its gradients are summed (rule 4 of
chapter 3):

$$da_j = \sum_i dp_i \frac{\partial p_i}{\partial a_j} = \sum_i dp_i p_i [i = j] - \sum_i dp_i p_i p_j$$

In the first sum one term is left, the one with $i = j$. In the second $p_j$ is the same in all terms and can
be taken out:

$$da_j = dp_j p_j - p_j \sum_i dp_i p_i = p_j \Big( dp_j - \sum_i dp_i p_i \Big)$$

This is the backward pass of softmax. The Jacobian itself is gone: instead of V times V numbers for each
position we need one sum, and then one number for each word. With V = 10,000, as in 004, that is 10,000 instead of
100,000,000.

In words: $\sum_i dp_i p_i$ is the mean of $dp$, each word counted by its probability. A logit's gradient is
positive where its $dp$ is above that mean: there is only so much probability, and who gets more takes it from
the others.

### The two together

Put the logarithm behind it. $\mathrm{nll} = -\log p_y$ depends on one probability alone, and the
derivative of $-\log p$ is $-1/p$. So with $d\mathrm{nll} = 1$

$$dp_i = - \frac{[i = y]}{p_y}$$

Then the sum has one term, and its $p_y$ cancels:

$$\sum_i dp_i p_i = - \frac{1}{p_y} p_y = -1$$

and so

$$da_j = p_j \Big( - \frac{[j = y]}{p_y} + 1 \Big) = p_j - [j = y]$$

where in the last step $p_j [j = y] / p_y$ is 1 for $j = y$ and 0 otherwise. It is the same as by the short
way, as it must be. But look at what happened on the way: $1/p_y$, which is huge where the model is badly
wrong, was multiplied by $p_y$, which is tiny there. On paper they cancel. In the computer they do not:
"""

# %%
a = np.array([0, 120], dtype="float32")  # target 0, and the model is sure of 1
p = functional.softmax(a)
with np.errstate(divide="ignore", invalid="ignore"):
    dp = np.array([-1, 0], dtype="float32") / p
    print("through the probabilities:", p * (dp - (dp * p).sum()))
print("together:                 ", p - np.array([1, 0]))

# %% [markdown]
r"""
The target's probability, $e^{-120}$, has underflowed to 0, and $0 \cdot 1/0$ is not a number. Where the model
most needs to be told, the long way says `nan`. This is why libraries have *one* function for softmax and
cross-entropy together, and why it wants logits: `nn.CrossEntropyLoss` in PyTorch, `SoftmaxCrossEntropy` here.

### Three things to see in it

**It sums to 0.** $\sum_j (p_j - [j = y]) = 1 - 1$. A step moves logits against each other, never all of them
up. And no entry is larger than 1 in size: this gradient does not explode.

**An upstream gradient of ones is 0.** If all $dp_i$ are equal to 1, then
$dp_j - \sum_i dp_i p_i = 1 - \sum_i p_i = 0$, for every $j$. No wonder: $\sum_i p_i$ is 1, whatever the
logits, and what cannot change has no gradient. So if you test softmax's backward pass on the *sum* of its
outputs, which is what an upstream gradient of ones means, you compare 0 with 0. We shall see it below.

**It is 0 where what is said is what happens.** Let a model give the same $p$ at all positions. Then the mean
of its gradients is $p$ minus the mean of the one-hot vectors, and that is minus the *relative frequencies* of
the words. So it is 0 where $p_j$ is the share of word $j$ among all positions that count; there, and nowhere
else, gradient descent comes to rest. If padding counts, `<pad>` is one of these words, and often the most
frequent.

### Masks in a softmax

In attention it is not positions of the loss that must be kept out, but entries of the softmax itself:
$p_j = 0$ for a padded source position $j$. One sets $a_j$ to a very low number before the softmax, so that
$e^{a_j - m}$ is exactly 0 and the other entries share the whole. Backward nothing has to be done:
$da_j = p_j(\ldots) = 0$.

### Mean squared error

**Equation (5.4)**: $u_{nd}$ stands in one square, with the factor $w_n / (D \sum_m w_m)$. The square's
derivative is twice its root:

$$du_{nd} = dL \frac{2 w_n}{D \sum_m w_m} (u_{nd} - z_{nd}) \tag{5.4'}$$

and $dz = -du$, since only the difference matters.
"""

# %% [markdown]
r"""
## By hand

Softmax and logsumexp first.
"""


# %%
def softmax(a, axis=-1):
    """a (...) -> p (...), which sums to 1 along the axis"""
    e = np.exp(a - a.max(axis=axis, keepdims=True))  # the largest becomes exp(0) = 1
    return e / e.sum(axis=axis, keepdims=True)


def softmax_backward(dp, p, axis=-1):
    """dp (...), p (...) -> da (...)"""
    return p * (dp - (dp * p).sum(axis=axis, keepdims=True))


def logsumexp(a):
    """a (...,V) -> (...)"""
    m = a.max(axis=-1)
    return m + np.log(np.exp(a - m[..., None]).sum(axis=-1))


# %% [markdown]
r"""
Then the loss, forward and backward. The cache holds what the way back needs.
"""


# %%
def cross_entropy(a, y, w):
    """logits a (N,V), targets y (N,), weights w (N,) -> loss (), cache"""
    total = w.sum() if w.any() else 1.0  # where nothing counts: 0 / 1
    nll = logsumexp(a) - a[np.arange(len(y)), y]  # (5.2)  (N,)
    loss = (w * nll).sum() / total  # (5.3)
    return loss, (a, y, w / total)


def cross_entropy_backward(dloss, cache):
    """dloss () -> da (N,V)"""
    a, y, share = cache
    dnll = dloss * share  # (5.3)'  (N,)
    one_hot = np.eye(a.shape[1])[y]  # (N,V)
    return dnll[:, None] * (softmax(a) - one_hot)  # (5.2)'  (N,V)


def mean_squared_error(u, z, w):
    """u (N,D), targets z (N,D), weights w (N,) -> loss (), cache"""
    share = w / (u.shape[1] * (w.sum() if w.any() else 1.0))
    loss = (share[:, None] * (u - z) ** 2).sum()  # (5.4)
    return loss, (u, z, share)


def mean_squared_error_backward(dloss, cache):
    """dloss () -> du (N,D), dz (N,D)"""
    u, z, share = cache
    du = dloss * 2 * share[:, None] * (u - z)  # (5.4)'
    return du, -du


# %% [markdown]
r"""
`np.eye(V)[y]` is readable and wasteful: it makes an array of N times V zeros to subtract N ones. The library
subtracts 1 at N places.
"""

# %% [markdown]
r"""
## With a pencil

Three words, `<pad>`, 你好 and `<end>`, with the ids 0, 1 and 2. One sentence, 你好 `<end>`, and one position of
padding behind it. Logits that are logarithms make it easy.

| $n$ | $a_n$ | $e^{a_n}$ | $Z$ | $p_n$ | $y_n$ | $\mathrm{nll}_n$ | $w_n$ |
|---|---|---|---|---|---|---|---|
| 1 | $0, \ln 3, 0$ | 1, 3, 1 | 5 | 0.2, 0.6, 0.2 | 1 | $\ln 5 - \ln 3 = 0.5108$ | 1 |
| 2 | $0, 0, \ln 2$ | 1, 1, 2 | 4 | 0.25, 0.25, 0.5 | 2 | $\ln 4 - \ln 2 = 0.6931$ | 1 |
| 3 | $\ln 7, 0, 0$ | 7, 1, 1 | 9 | 0.7778, 0.1111, 0.1111 | 0 | $\ln 9 - \ln 7 = 0.2513$ | 0 |

**Forward.** $L = (0.5108 + 0.6931) / 2 = 0.6020$, and the perplexity $e^{0.6020} = 1.826$. Had padding been
counted, it would be $(0.5108 + 0.6931 + 0.2513) / 3 = 0.4851$. It looks better, and nothing is better.

**Backward.** $dL = 1$, so $d\mathrm{nll} = \tfrac12, \tfrac12, 0$, and

- $da_1 = \tfrac12 (0.2, 0.6 - 1, 0.2) = (0.1, -0.2, 0.1)$
- $da_2 = \tfrac12 (0.25, 0.25, 0.5 - 1) = (0.125, 0.125, -0.25)$
- $da_3 = 0$

Each row sums to 0.

**The long way, for the first position.** With $p = (0.2, 0.6, 0.2)$ the Jacobian $p_i([i = j] - p_j)$ is

| | $j=1$ | $j=2$ | $j=3$ |
|---|---|---|---|
| $i=1$ | 0.2 · 0.8 = 0.16 | -0.2 · 0.6 = -0.12 | -0.2 · 0.2 = -0.04 |
| $i=2$ | -0.6 · 0.2 = -0.12 | 0.6 · 0.4 = 0.24 | -0.6 · 0.2 = -0.12 |
| $i=3$ | -0.2 · 0.2 = -0.04 | -0.2 · 0.6 = -0.12 | 0.2 · 0.8 = 0.16 |

and $dp = \tfrac12 (0, -1/0.6, 0) = (0, -0.8333, 0)$. Only the row $i = 2$ is asked for:
$-0.8333 \cdot (-0.12, 0.24, -0.12) = (0.1, -0.2, 0.1)$. The same.

By the functions above:
"""

# %%
a = np.log([[1.0, 3, 1], [1, 1, 2], [7, 1, 1]])  # (N,V)
y, w = np.array([1, 2, 0]), np.array([1.0, 1, 0])
loss, cache = cross_entropy(a, y, w)
counted, _ = cross_entropy(a, y, np.ones(3))
da = cross_entropy_backward(1.0, cache)
p = softmax(a[0])
jacobian = np.diag(p) - np.outer(p, p)  # p_i ([i = j] - p_j)

pencil = {
    "loss": ([0.6020], loss),
    "perplexity": ([1.826], np.exp(loss)),
    "with padding": ([0.4851], counted),
    "da": ([0.1, -0.2, 0.1, 0.125, 0.125, -0.25, 0, 0, 0], da),
    "long way": ([0.1, -0.2, 0.1], np.array([0, -0.5 / 0.6, 0]) @ jacobian),
}
for name, (by_pencil, computed) in pencil.items():
    np.testing.assert_allclose(np.ravel(computed), by_pencil, atol=5e-4)
    print(f"{name:12} pencil   {np.array(by_pencil)}")
    print(f"{'':12} computed {np.ravel(computed) + 0}")

# %% [markdown]
r"""
## The gradient check

`gradcheck` moves every number of every input by a little, up and down, looks at what becomes of the output,
and compares that with what `backward` says (chapter 3). Our functions as a layer; the weights go in as an
option, for no gradient is asked of them.
"""


# %%
class CrossEntropyByHand:
    """The functions above as a layer: logits (N,V), targets (N,), weights (N,) -> loss ()"""

    params, grads = {}, {}  # nothing to learn

    def forward(self, logits, targets, weights):
        return cross_entropy(logits, targets, weights)

    def backward(self, dloss, cache):
        return cross_entropy_backward(dloss, cache)


N, V = 7, 5
rng = np.random.default_rng(0)
logits, targets = 2 * rng.standard_normal((N, V)), rng.integers(0, V, N)
weights = (targets != PAD) * rng.uniform(0.5, 2, N)
print("targets", targets)
print("weights", weights)
print(gradcheck(CrossEntropyByHand(), logits, targets, weights=weights))


class SquaredErrorByHand:
    params, grads = {}, {}
    forward = staticmethod(mean_squared_error)
    backward = staticmethod(mean_squared_error_backward)


u, z = rng.standard_normal((2, N, 4))
print(gradcheck(SquaredErrorByHand(), u, z, w=weights))

# %% [markdown]
r"""
Now plant an error: a backward pass that has heard of the mask in the forward pass only. It divides by the
right number, but every position gets a gradient.
"""


# %%
class MaskForgotten(CrossEntropyByHand):
    def backward(self, dloss, cache):
        a, y, share = cache
        return cross_entropy_backward(dloss, (a, y, np.full(N, share.max())))


mask = (targets != PAD) * 1.0
print(gradcheck(CrossEntropyByHand(), logits, targets, weights=mask))
print(gradcheck(MaskForgotten(), logits, targets, weights=mask))

# %% [markdown]
r"""
It fails, and names an entry of a row whose target is `<pad>`: what `backward` has there should be 0.

### What a gradient check cannot see

It compares `backward` with `forward`. If both make the *same* mistake, they agree, and the check passes. Here both
take the mean over all N positions, padding or not:
"""


# %%
class PaddingCounted(CrossEntropyByHand):
    def forward(self, logits, targets, weights):
        return cross_entropy(logits, targets, np.ones(len(targets)))


print(gradcheck(PaddingCounted(), logits, targets, weights=mask))

# %% [markdown]
r"""
A gradient check says that you compute the gradient of *your* loss. Whether it is the loss that you want is
another question, and needs a test of its own. For padding it is this law: **with or without padding, the
same.** Put three padded positions behind the batch, with any logits:
"""

# %%
more = np.concatenate([logits, 9 * rng.standard_normal((3, V))])
padded_targets, padded_mask = np.append(targets, [PAD] * 3), np.append(mask, [0.0] * 3)
for layer in (CrossEntropyByHand(), PaddingCounted()):
    short, _ = layer.forward(logits, targets, mask)
    long, cache = layer.forward(more, padded_targets, padded_mask)
    there = np.abs(layer.backward(1.0, cache)[N:]).max()
    print(f"{type(layer).__name__:18}", end="  ")
    print(f"without {short:.4f}, with {long:.4f}, gradient of the padding {there:.4f}")

# %% [markdown]
r"""
### Ones as an upstream gradient

And here is the trap that softmax sets. This backward pass is wrong: it takes the plain mean of $dp$ instead
of the mean by probability.
"""


# %%
def wrong_backward(dp, p):
    return p * (dp - dp.mean(axis=-1, keepdims=True))


p = softmax(logits)
for name, dp in {"ones": np.ones((N, V)), "random": rng.standard_normal((N, V))}.items():
    right, wrong = softmax_backward(dp, p), wrong_backward(dp, p)
    largest, off = np.abs(right).max(), np.abs(wrong - right).max()
    print(f"{name:7} right: up to {largest:.4f}   wrong: off by {off:.4f}")

# %% [markdown]
r"""
With ones both are 0, and the wrong one passes. So would one with a factor of three, or one that returns
zeros. `gradcheck` takes random numbers:
"""


# %%
class SoftmaxByHand:
    params, grads = {}, {}
    backward = staticmethod(softmax_backward)

    def forward(self, a):
        p = softmax(a)
        return p, p  # the cache is the output


class PlainMean(SoftmaxByHand):
    backward = staticmethod(wrong_backward)


print(gradcheck(SoftmaxByHand(), logits))
print(gradcheck(PlainMean(), logits))

# %% [markdown]
r"""
The right one passes, the wrong one fails.
"""

# %% [markdown]
r"""
## The same from minis2s

`SoftmaxCrossEntropy` takes logits with any number of axes in front, so (T,B,V) as well as (N,V). It can be
told the weights, or an `ignore_index`: the target id that counts 0. Or both.
"""

# %%
with_weights, with_id = SoftmaxCrossEntropy(), SoftmaxCrossEntropy(ignore_index=PAD)
loss, cache = cross_entropy(logits, targets, mask)
da = cross_entropy_backward(1.0, cache)

theirs, their_cache = with_weights.forward(logits, targets, mask)
np.testing.assert_allclose(theirs, loss, rtol=1e-12)
np.testing.assert_allclose(with_weights.backward(1.0, their_cache), da, rtol=1e-9, atol=1e-12)
theirs, their_cache = with_id.forward(logits, targets)
np.testing.assert_allclose(theirs, loss, rtol=1e-12)
np.testing.assert_allclose(with_id.backward(1.0, their_cache), da, rtol=1e-9, atol=1e-12)

loss, cache = mean_squared_error(u, z, weights)
theirs, their_cache = MeanSquaredError().forward(u, z, weights)
np.testing.assert_allclose(theirs, loss, rtol=1e-12)
gradients = mean_squared_error_backward(1.0, cache)
their_gradients = MeanSquaredError().backward(1.0, their_cache)
np.testing.assert_allclose(their_gradients, gradients, rtol=1e-9, atol=1e-12)

dp = rng.standard_normal(p.shape)
np.testing.assert_allclose(functional.softmax(logits), p, rtol=1e-12)
np.testing.assert_allclose(functional.softmax_backward(dp, p), softmax_backward(dp, p), atol=1e-12)
np.testing.assert_allclose(functional.logsumexp(logits), logsumexp(logits), rtol=1e-12)
print("all the same")

# %% [markdown]
r"""
And so they are written there. (In that file `y` is the softmax, as an output of whatever function; here $y$ is the
target.)
"""

# %%
print(inspect.getsource(functional.softmax_backward))
print(inspect.getsource(functional.logsumexp))

# %% [markdown]
r"""
`functional.softmax` can be given a mask; what is masked is exactly 0, and so is its gradient:
"""

# %%
scores, real = np.array([1.0, 3, 2, 5]), np.array([True, True, True, False])
alpha = functional.softmax(scores, mask=real)
print(alpha, functional.softmax_backward(np.array([1.0, 0, 2, 9]), alpha))

# %% [markdown]
r"""
### A note on speed

In 004 there are 10,000 words. A batch of 64 sentences of 20 words has 1,280 positions and 12.8 million
logits, 51 MB in `float32`. Softmax goes over them several times: the largest, the exponentials, their sum,
the division. Few processors have a cache for an array of this size; on all others it would come from memory
each time. The library takes a few rows at a time and does everything with them while they are near. And a
training step, which needs both the loss and its gradient and the logits no more, calls `overwrite`:
"""

# %%
print(inspect.getdoc(SoftmaxCrossEntropy.overwrite))
taken = logits.copy()
loss, cache = with_id.forward(logits, targets)
np.testing.assert_allclose(with_id.overwrite(taken, targets), loss, rtol=1e-12)
np.testing.assert_allclose(taken, with_id.backward(1.0, cache), rtol=1e-9, atol=1e-12)

# %% [markdown]
r"""
What stood in `taken` were logits, and now it is their gradient.
"""

# %% [markdown]
r"""
## Worth a look

### Padding, in three places

Four sentences in one batch. Padding is hatched.
"""

# %%
padding_and_masks()

# %% [markdown]
r"""
Bottom left is this chapter's: 20 of the 28 target positions count, each one twentieth, and padding 0; `<end>`
counts as a word does. Bottom right is softmax again, with a mask: the attention weights of a padded position
are 0, and each row sums to 1 over what is there (chapter 9). Top right is the encoder, which carries its
state unchanged past the end of a sentence (chapter 6). All three are needed: a mask in the loss does nothing
for the encoder.

### What goes wrong when padding counts

**A model that knows only frequencies.** Its logits are one vector $b$, the same at every position. We know
where gradient descent comes to rest: at the relative frequencies of what counts. Here it is done, on the four
targets of the figure:
"""

# %%
sentences = ["旅馆在哪里？", "谢谢。", "明天见。", "等等！"]
known = Vocabulary.build(sentences)
targets = make_batch([Example([4], known.encode(sentence)) for sentence in sentences]).targets


def frequencies(loss, targets, steps=5000):
    """The distribution that a model without inputs comes to when it is trained with this loss."""
    b = np.zeros(len(known))
    for _ in range(steps):
        _, cache = loss.forward(np.tile(b, (*targets.shape, 1)), targets)
        b -= 2.0 * loss.backward(1.0, cache).sum(axis=(0, 1))  # b is used at every position: sum
    return softmax(b)


def told(name, p):
    first = ", ".join(f"{known.tokens[id]} {p[id]:.3f}" for id in (-p).argsort(kind="stable")[:3])
    print(f"{name:24} <end> {p[END]:.3f}  likeliest: {first}")


told("padding does not count", frequencies(SoftmaxCrossEntropy(ignore_index=PAD), targets))
told("padding counts", frequencies(SoftmaxCrossEntropy(), targets))
padded_with_end = np.where(targets == PAD, END, targets)
told("<end> as padding", frequencies(SoftmaxCrossEntropy(ignore_index=END), padded_with_end))

# %% [markdown]
r"""
With the mask `<end>` is 4 of 20 targets, 0.200. Without it the likeliest word of all is `<pad>`, 8 of 28,
which is no word. In the third row there is no `<pad>`: sentences are filled up with `<end>`, as is sometimes
done, and that id is ignored. Then the *true* ends are ignored as well, and the model learns never to stop:
0.000. With such data, give weights, 1 for the first `<end>` and 0 for those behind it.

**A model that can do more.** A small encoder-decoder learns to copy sequences of digits. Nine of ten have 1
to 8 digits, one of ten has 16; so most of the positions of a batch are padding. It is trained twice, from the
same numbers on the same batches: once with padding ignored and once with padding counted. Beside the loss
that each sees we note the loss on held-out sequences, over real tokens only.
"""


# %%
def digits(rng, count):
    """Sequences to copy: mostly short, now and then a long one."""
    lengths = np.where(rng.random(count) < 0.9, rng.integers(1, 9, count), 16)
    sequences = [rng.integers(4, 14, length).tolist() for length in lengths]
    return [Example(sequence, sequence) for sequence in sequences]


def train(loss, steps=400):
    """-> its own loss at every step, (step, held-out loss) every 20 steps, model, held-out data"""
    rng = np.random.default_rng(0)
    held_out, seen, truth = digits(rng, 200), [], []
    sizes = {"embedding_size": 16, "hidden_size": 32}
    model, optimiser = Seq2Seq(document("003 §9 direct", 14, 14, **sizes), rng), Adam(0.005)
    for step in range(steps + 1):
        if step % 20 == 0:
            truth.append((step, held_out_loss(model, held_out)))
        batch = make_batch(digits(rng, 32))
        (logits, _), cache = model.forward(batch.source, batch.source_lengths, batch.y)
        value, loss_cache = loss.forward(logits, batch.targets)
        seen.append(float(value))
        model.zero_grad()
        model.backward(loss.backward(1.0, loss_cache), None, cache)
        optimiser.update(model.params, model.grads)
    return np.array(seen), np.array(truth), model, held_out


rng = np.random.default_rng(0)
shares = [(make_batch(digits(rng, 32)).targets == PAD).mean() for _ in range(100)]
print(f"of the positions {np.mean(shares):.0%} are padding")
losses = {"ignored": SoftmaxCrossEntropy(ignore_index=PAD), "counted": SoftmaxCrossEntropy()}
runs = {name: train(loss) for name, loss in losses.items()}
for name, (seen, truth, model, held_out) in runs.items():
    own, true, exact = seen[-20:].mean(), truth[-1, 1], evaluate(model, held_out).exact
    print(f"padding {name}: its own loss {own:.2f}, on held-out tokens {true:.2f};", end=" ")
    print(f"{exact:.1%} copied without a mistake")

# %%
with drawing((7.2, 3.2)) as figure:
    ax = figure.add_subplot(xlabel="step", ylabel="loss", ylim=(0, 4))
    for (name, (seen, truth, *_)), colour, mark in zip(runs.items(), COLOURS, MARKERS):
        smooth = [seen[max(0, step - 10) : step + 11].mean() for step in range(len(seen))]
        look = {"color": colour, "linestyle": DASHES[1 if name == "ignored" else 3]}
        ax.plot(smooth, label=f"padding {name}: its own loss", **look)
        look = {"color": colour, "linestyle": "-", "marker": mark}
        ax.plot(*truth.T, label=f"padding {name}: held-out tokens", **look)
    ax.axhline(np.log(14), color="0.6", linewidth=0.8)
    ax.text(400, np.log(14) + 0.06, "log V", ha="right", size=9)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
figure

# %% [markdown]
r"""
Where padding is ignored, the loss that the model sees is the loss that it has: the dashed line goes with
the solid one. Where it is counted, the loss looks half as large and the model is worse. First it learns what is
most frequent, to say `<pad>`: within 20 steps its loss on real words rises from $\log V = 2.64$ to about 3.5,
while the loss that it sees falls. Then it learns the words as well, but by the end it has not caught up.
Nobody who sees only the dotted line knows any of this. (Three other seeds show the same.)

How much harm is done depends on how much padding there is. With sentences of like length in a batch there is
little, and that is faster as well; but the mean should be right whatever the batch.
"""

# %% [markdown]
r"""
### The loss against one logit

Why cross-entropy, and not the squared error of the probabilities, $\sum_j (p_j - [j = y])^2$? Let there be 30
words, and let only the target's logit move, all others being 0. Left the loss, right its derivative: how hard
the logit is pushed, upwards where it is negative. (The third curve is for the section after this.)
"""

# %%
V = 30
x = np.linspace(-8, 12, 201)
a, one_hot = np.zeros((len(x), V)), np.eye(V)[0]
a[:, 0] = x
p = softmax(a)
error, twice = p - one_hot, softmax(p) - one_hot
curves = {
    "cross-entropy": (logsumexp(a) - a[:, 0], error),
    "squared error of p": ((error**2).sum(axis=1), softmax_backward(2 * error, p)),
    "cross-entropy of softmax(p)": (logsumexp(p) - p[:, 0], softmax_backward(twice, p)),
}
with drawing((8.6, 3.1)) as figure:
    left, right = figure.subplots(1, 2)
    for name, (loss, da) in curves.items():
        left.plot(x, loss, label=name)
        right.plot(x, da[:, 0])
    left.set(title="loss", ylim=(0, 8))
    right.set(title="its derivative")
    for ax in (left, right):
        ax.set(xlabel="logit of the target", xticks=range(-8, 13, 4))
        ax.grid()
    left.legend()
figure

# %%
for name, (loss, da) in curves.items():
    push, place = np.abs(da[:, 0]).max(), x[np.abs(da[:, 0]).argmax()]
    print(f"{name:27} {loss[0]:6.3f} … {loss[-1]:.3f}, pushed most at {place:4.1f}, by {push:.3f}")

# %% [markdown]
r"""
Read the right panel from the left, where the target's logit is far too low. There cross-entropy pushes by
nearly 1, however wrong the model is; its loss is a straight line. The squared error pushes next to nothing
there. It pushes hardest at 2.7, where the target already has a third of the probability. The reason is in the
backward pass of softmax: $da_y$ has the factor $p_y$, which is next to 0 where the model is wrong. It was the
$1/p_y$ of the logarithm that took it away.
"""

# %% [markdown]
r"""
### Temperature

Only differences of logits matter. Divide all logits by a **temperature** (溫度 / 温度) $\tau$, and all
differences become smaller, or for $\tau \lt 1$ larger:
"""

# %%
a = np.array([2, 0.5, 1, -1, 0])
with drawing((6.4, 2.8)) as figure:
    ax = figure.add_subplot(ylabel="p", ylim=(0, 1))
    for temperature, mark in zip((0.25, 0.5, 1, 2, 8), MARKERS):
        ax.plot(WORDS, softmax(a / temperature), marker=mark, label=f"τ = {temperature}")
    ax.grid(axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
figure

# %% [markdown]
r"""
The words of the first figure. At $\tau = 1$ it is softmax as we know it. Cold, nearly all goes to the
likeliest word, as a maximum would have it (hence the name). Hot, all words become alike, about 0.2 each.
The order of the words is the same at every temperature. One trains at $\tau = 1$; chapter 10 samples
sentences at others.
"""

# %% [markdown]
r"""
## The document's own code

### 001 and 003: softmax in the formula, logits in the code

001 §2, 002 §3.2 and 003 §4.2 end the decoder with a softmax. As a description of the model that is right.
Whoever writes it into the code, and then a loss like 004's behind it, takes softmax *twice*, for
`nn.CrossEntropyLoss` has one inside. This runs without a murmur. What does the best possible decoder cost
then, one whose softmax is 1 for the right word and 0 for the 29 others? And what does knowing nothing cost?
"""

# %%
V = 30
loss = SoftmaxCrossEntropy()
target = np.array([7])
sure, clueless = 100.0 * np.eye(V)[target], np.zeros((1, V))
for name, logits in {"certain and right": sure, "knows nothing": clueless}.items():
    once, _ = loss.forward(logits, target)
    twice, _ = loss.forward(functional.softmax(logits), target)
    logged, _ = loss.forward(functional.log_softmax(logits), target)
    print(f"{name:18} logits {once:.3f}  softmax first {twice:.3f}  log-softmax first {logged:.3f}")

# %% [markdown]
r"""
With softmax first even perfection costs 2.457 of 3.401. A distribution lies between 0 and 1, so as logits its
entries differ by 1 at most, and the second softmax makes it nearly even. That is the third curve of the
figure above: a loss that ends at 2.457, and hardly a push where the model is wrong; the factor $p_y$ is there
again.

003 §5.2 does not fall into this. Its decoder ends in `nn.LogSoftmax(dim=1)`, which is
$a_j - \log \sum_k e^{a_k}$, all log-probabilities at once. With `nn.NLLLoss`, which picks the target's and
turns its sign, that is (5.2). And if 004's loss comes behind it by mistake, nothing happens (the last
column): the exponentials of log-probabilities sum to 1, their logsumexp is $\log 1 = 0$, and log-softmax of
log-softmax is log-softmax.

The right version in `minis2s`: a decoder returns logits, the loss takes logits, and who wants probabilities
(a heat map, a beam) takes the softmax there.

### 002 §4.3 and 003 §5.2: along which axis

Softmax needs to be told which entries compete. In 003 §5.2 the output is (1,V), and `dim=1` is the words, as
it should be. In 002 §4.3 (which stops before it gets there; chapter 9 mends it) the attention scores have
the axes (time, batch, 1), and `dim=1` is the *batch*:
"""

# %%
scores = np.random.default_rng(0).standard_normal((4, 1, 1))  # four steps, one sentence
print("along the batch:", functional.softmax(scores, axis=1).ravel())
print("along the time: ", functional.softmax(scores, axis=0).ravel())

# %% [markdown]
r"""
With one sentence each score competes with nobody, and every weight is 1. With more, the sentences of a batch
take weight from each other. Nothing complains: the sums are 1, only not those that one meant. (Chapter 9 has
the rest of that decoder.)

### 004: what `ignore_index` does, and what it does not

```python
criterion = nn.CrossEntropyLoss(ignore_index=0)
output = output[1:].view(-1, output_dim)
trg = trg[1:].view(-1)
```

Three lines, and three good decisions: logits go in; the mean is over the tokens that are not ignored, as in
(5.3); and the first step, where `outputs[0]` is never written and `trg[0]` is `<start>`, is left out, while
`<end>` is left in. Around them there are some things to know.

**Whose id is 0?** The comment in the code says that 0 is *assumed* (假设) to be the padding. It is so in
`minis2s`. But `batch.src` and `batch.trg` are how batches of the old torchtext looked, and its `Field`
numbered the special tokens `<unk>`, `<pad>`, `<start>`, `<end>`, unless told otherwise. There 0 is the
unknown word and padding is 1. With our four sentences, one character of which is unknown, in that order:
"""

# %%
others = np.array([1, 2, 3, 0])  # where torchtext has <pad>, <start>, <end>, <unk>
seen = make_batch([Example([4], [*known.encode(text[:-1]), UNK]) for text in sentences]).targets
theirs = np.where(seen < 4, others[seen.clip(0, 3)], seen)
for name, ids in {"minis2s": seen, "torchtext": theirs}.items():
    loss = SoftmaxCrossEntropy(ignore_index=0)
    _, cache = loss.forward(np.zeros((*ids.shape, len(known))), ids)
    counts = (loss.backward(1.0, cache) != 0).any(axis=-1)  # which positions have a gradient
    pads, unknown, ends = (counts[seen == id].sum() for id in (PAD, UNK, END))
    print(f"ids of {name:9}: of 8 <pad> count {pads}, of 4 <unk> {unknown}, of 4 <end> {ends}")

# %% [markdown]
r"""
Both run. The second is the model of the section above whose padding counts; and no unknown word is ever
learnt. The right version is not a number in the code, but the vocabulary's own: `ignore_index=PAD` here, the
vocabulary's index of its padding token there.

**A mask in the loss is one of three.** 004's encoder has no lengths, and reads each 0 as a word like any
other. Here are its sizes in `minis2s`, two layers, embedding 256, hidden 512, untrained; a sentence of 5
words, and pads behind it:
"""

# %%
rng = np.random.default_rng(0)
embedding = Embedding(40, 256, rng, padding_idx=None)  # as in 004: no id is special
encoder = Stack("lstm", 256, 512, rng, layers=2)
source = rng.integers(4, 40, (5, 1))


def last_h(ids, lengths=None):
    (_, states), _ = encoder.forward(embedding.forward(ids)[0], lengths=lengths)
    return np.stack([h for h, _ in states])


h = last_h(source)
for pads in (1, 3, 10):
    padded = np.concatenate([source, np.full((pads, 1), PAD)])
    off = [np.linalg.norm(last_h(padded, lengths) - h) for lengths in (None, np.array([5]))]
    off = [f"{distance / np.linalg.norm(h):.0%}" for distance in off]
    print(f"{pads:2} pads: h is off by {off[0]:>4}, told the length by {off[1]}")

# %% [markdown]
r"""
(In PyTorch, whose parameters start elsewhere, it is 96%, 163% and 191% on average.) And since it is read, the
padding's row in the embedding gets a gradient, and is learnt like any word's. Chapter 6 has the encoder, and
how lengths keep padding out of it.

**A batch of padding alone.** Where everything is ignored, PyTorch's mean is 0/0, and `loss.item()` is `nan`.
The parameters survive
that; `epoch_loss`, to which it is added, does not. Here:
"""

# %%
loss = SoftmaxCrossEntropy(ignore_index=PAD)
value, cache = loss.forward(rng.standard_normal((5, 2, 40)), np.full((5, 2), PAD))
print("loss", value, " gradient", np.abs(loss.backward(1.0, cache)).max())

# %% [markdown]
r"""
**A mean of means.** `epoch_loss / len(iterator)` is a mean of the batches' means. Each batch counts the same,
be it of two tokens or two hundred, so the figure depends on how the sentences fell into batches. A sentence
of 1 token that is known, and one of 9 that are not (V = 40):
"""

# %%
targets = np.full((9, 2), PAD)
targets[:1, 0], targets[:, 1] = 4, np.arange(5, 14)
logits = np.zeros((9, 2, 40))
logits[:, 0, 4] = 10
means = [loss.forward(logits[:, b : b + 1], targets[:, b : b + 1])[0] for b in range(2)]
tokens = (targets != PAD).sum(axis=0)
print("one batch:                      ", f"{loss.forward(logits, targets)[0]:.3f}")
print("two batches, mean of means:     ", f"{np.mean(means):.3f}")
print("two batches, weighted by tokens:", f"{(tokens * means).sum() / tokens.sum():.3f}")

# %% [markdown]
r"""
The `Trainer` of `minis2s` weights by tokens, and an epoch's loss is the same however the batches are cut.

### 000: squared error for words

000 speaks of words and of softmax, and its code trains vectors with `nn.MSELoss`, equation (5.4). For a
signal that is right. For words it is not, and here is why. Let three words lie at -1, 0 and 1, and let the
first and the third follow equally often, the second never.
"""

# %%
followed = np.array([[-1.0], [1]])
for said in (-1.0, 0.0, 1.0):
    loss, _ = MeanSquaredError().forward(np.full((2, 1), said), followed)
    print(f"says {said:2.0f}: squared error {loss:.1f}")
half = np.log([[0.5, 1e-9, 0.5]] * 2)
loss, _ = SoftmaxCrossEntropy().forward(half, np.array([0, 2]))
print(f"says half, nothing, half: cross-entropy {loss:.3f}")

# %% [markdown]
r"""
The squared error is least at the mean, and that is the word that never follows. Words have no mean; a
distribution over them can say "this one or that one", and cross-entropy asks it to. Its loss is then
$\log 2 = 0.693$, and there is no better: which of the two it will be cannot be known.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like.

### 1. Log-softmax

003 §5.2 ends in `nn.LogSoftmax`. Its output is $y_j = a_j - \log \sum_k e^{a_k}$. Write its backward pass,
from the output $y$ alone. In how many of the outputs is $a_j$ used? You have all the derivatives that you
need; no softmax need be called.
"""


# %% exercise="log_softmax_backward" points=2
def log_softmax_backward(dy, y):
    """dy (N,V), y (N,V), the log-probabilities -> da (N,V)"""
    raise NotImplementedError


# %%
check.log_softmax_backward(log_softmax_backward)

# %% [markdown]
r"""
### 2. From a blank page

Close the sections above. Write the backward pass of the loss as training uses it: logits of a whole batch,
time first; id 0 is padding; the mean is over real tokens. And where nothing is real, the gradient is 0.
"""


# %% exercise="masked_loss_backward" points=3
def masked_loss_backward(dloss, logits, targets):
    """dloss (), logits (T,B,V), targets (T,B), 0 where padding -> dlogits (T,B,V)"""
    raise NotImplementedError


# %%
check.masked_loss_backward(masked_loss_backward)

# %% [markdown]
r"""
### 3. Predict, then run

004 has a vocabulary of 10,000 words. What should its first training loss be, before anything has been learnt?
To within 0.01. Then take away the first `#` in the cell after the check: an untrained model with that
vocabulary, and small layers.
"""

# %% exercise="untrained_loss" points=1
untrained_loss = None

# %%
check.untrained_loss(untrained_loss)

# %%
sizes = {"embedding_size": 16, "hidden_size": 32}
untrained = Seq2Seq(document("004", **sizes), np.random.default_rng(0))
rng = np.random.default_rng(1)
words = [Example(*rng.integers(4, 10_000, (2, 6)).tolist()) for _ in range(10)]
# print(held_out_loss(untrained, words))

# %% [markdown]
r"""
Someone has put a softmax at the end of the decoder and then taken cross-entropy, as in the section above,
with 004's 10,000 words. How low can the loss go? To within 0.01.
"""

# %% exercise="softmax_twice_floor" points=1
softmax_twice_floor = None

# %%
check.softmax_twice_floor(softmax_twice_floor)

# %%
perfect = np.zeros((1, 10_000))
perfect[0, 0] = 1  # what the first softmax gives at best
# print(SoftmaxCrossEntropy().forward(perfect, np.array([0]))[0])

# %% [markdown]
r"""
### 4. Find the planted bugs

A loss and its gradient in one function. Id 0 is padding. There are three mistakes in it, one of them in two
lines, and three tests below: the gradient check finds one, *with or without padding* finds another, and large
logits find the third.
"""


# %%
def broken_loss_and_gradient(logits, targets):
    """logits (N,V), targets (N,), 0 where padding -> loss (), dlogits (N,V)"""
    rows, real = np.arange(len(targets)), targets != 0
    exponentials = np.exp(logits)
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    loss = (real * -np.log(p[rows, targets])).mean()
    dlogits = p.copy()
    dlogits[rows, targets] -= 1
    return loss, dlogits / len(targets)


class BrokenLoss:
    params, grads = {}, {}

    def forward(self, logits, targets):
        return broken_loss_and_gradient(logits, targets)

    def backward(self, dloss, dlogits):
        return dloss * dlogits


rng = np.random.default_rng(0)
logits, targets = rng.standard_normal((4, 3)), np.array([1, 2, 1, 0])
print(gradcheck(BrokenLoss(), logits, targets))
print(f"with the padded row    {broken_loss_and_gradient(logits, targets)[0]:.4f}")
print(f"without                {broken_loss_and_gradient(logits[:3], targets[:3])[0]:.4f}")
with np.errstate(over="ignore", invalid="ignore"):
    print(f"1000 added to all      {broken_loss_and_gradient(logits + 1000, targets)[0]:.4f}")

# %% [markdown]
r"""
Copy the body into the stub and mend all three.
"""


# %% exercise="mended_loss_and_gradient" points=3
def mended_loss_and_gradient(logits, targets):
    """logits (N,V), targets (N,), 0 where padding -> loss (), dlogits (N,V)"""
    raise NotImplementedError


# %%
check.mended_loss_and_gradient(mended_loss_and_gradient)

# %% [markdown]
r"""
### 5. Label smoothing

To come to a loss of 0, the target's logit would have to be infinitely far above the others, and the model
infinitely sure. Label smoothing (標籤平滑 / 标签平滑) asks for less: the true distribution is not one-hot, but

$$q_{nj} = (1 - \epsilon) [j = y_n] + \frac{\epsilon}{V}$$

and the loss is the cross-entropy with it, the mean over all N positions (there is no padding here):

$$L = - \frac{1}{N} \sum_n \sum_j q_{nj} \log p_{nj}$$

First the loss, for logits of any size.
"""


# %% exercise="smoothed_cross_entropy" points=1
def smoothed_cross_entropy(logits, targets, epsilon):
    """logits (N,V), targets (N,), epsilon between 0 and 1 -> loss ()"""
    raise NotImplementedError


# %%
check.smoothed_cross_entropy(smoothed_cross_entropy)

# %% [markdown]
r"""
Then its gradient. Guess it before you derive it: what was said, minus what should have been said. Is the
guess right?
"""


# %% exercise="smoothed_cross_entropy_backward" points=2
def smoothed_cross_entropy_backward(logits, targets, epsilon):
    """logits (N,V), targets (N,), epsilon -> dlogits (N,V)"""
    raise NotImplementedError


# %%
check.smoothed_cross_entropy_backward(smoothed_cross_entropy_backward)

# %% [markdown]
r"""
## What to read next

- J. Bridle, [Probabilistic interpretation of feedforward classification network
  outputs](https://doi.org/10.1007/978-3-642-76153-9_28), 1990: where softmax got its name.
- I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning](https://www.deeplearningbook.org), 2016: §3.13 on
  entropy and cross-entropy, §4.1 on overflow and underflow, §6.2.2 on why the loss should undo the output's
  exponential.
- C. Bishop, Pattern Recognition and Machine Learning, 2006, §4.3.4: the gradient of softmax and
  cross-entropy, and why it is of the same form as that of squared error.
- P. Blanchard, D. Higham, N. Higham, [Accurately computing the log-sum-exp and softmax
  functions](https://doi.org/10.1093/imanum/draa038), 2021: what rounding does to both, proved.
- F. Jelinek et al., [Perplexity, a measure of the difficulty of speech recognition
  tasks](https://doi.org/10.1121/1.2016299), 1977: where perplexity comes from.
- C. Szegedy et al., [Rethinking the Inception architecture](https://arxiv.org/abs/1512.00567), 2016, §7:
  label smoothing, with its gradient.
- G. Hinton, O. Vinyals, J. Dean, [Distilling the knowledge in a neural
  network](https://arxiv.org/abs/1503.02531), 2015, §2: temperature, and what a distribution tells that a word
  does not.
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §3.4: batches of sentences of like length.

Next is chapter 6, the encoder: embeddings, and the mask that keeps padding out of the state.
"""
