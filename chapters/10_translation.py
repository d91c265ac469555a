# %% [markdown]
r"""
# 10 · Translation

機器翻譯 · 机器翻译 · machine translation

Everything is there: an encoder, attention, a decoder, a loss. This chapter gives them real sentences, in
English and Chinese, and asks three questions that the chapters before have put off:

- Where do the sentences come from, and how does one make sure that the test is a test?
- The model gives probabilities. How does one get a sentence out of them?
- How good is the sentence?

At the end of this chapter you will have written greedy decoding, beam search, sampling and BLEU in plain
Python; you will have trained a small translator in half a minute; and you will have seen what it makes of the
two sentences that documents 002 and 004 promise to translate. You need Python, and to know that a decoder is
fed its own words (chapter 7). What is used of attention (chapter 9) is said again in short.
"""

# %%
import inspect
from collections import Counter
from pathlib import Path

import numpy as np

from minis2s import results
from minis2s.data.batches import batches_by_length, make_batch
from minis2s.data.components import component_split, components, normalised
from minis2s.data.fetch import corpus_file
from minis2s.data.pairs import Pair, Splits, read_pairs
from minis2s.data.tokenisers import characters, words
from minis2s.data.vocabulary import END, PAD, START, UNK, Vocabulary
from minis2s.decoding import beam, beam_search, greedy, length_normaliser, sample
from minis2s.decoding.sampling import distribution, draw
from minis2s.evaluation import held_out_loss
from minis2s.exercises import check
from minis2s.figures.accuracy_by_length import accuracy_by_length
from minis2s.figures.beam_tree import beam_tree
from minis2s.figures.learning_curves import learning_curves
from minis2s.functional import log_softmax
from minis2s.metrics import bleu, chrf
from minis2s.optim import Adam, cosine
from minis2s.plots import COLOURS, DASHES, MARKERS, attention_heatmaps, drawing
from minis2s.training import Trainer
from minis2s.translator import Translator

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

| document | section | what it says there | what is added here |
|---|---|---|---|
| 002 (简) | 6.1 问题背景 | "ChatGPT is powerful" is to become "ChatGPT很强大" | what a model makes of it that has been trained, and why |
| 002 (简) | 6.2 Seq2Seq模型的完整实现 | one loop over random tensors | sentences, vocabularies, training, search |
| 002 (简) | 6.3 结果分析 | the sentence was translated | how one would know: held-out sentences and a score |
| 004 (简) | Seq2Seq 模型的工作流程, 示例：机器翻译 | "Hello world" becomes 你好，世界, one word after the other | which word, where several are likely |
| 004 (简) | 注意事项 1. 输入和输出的处理 | 分词、构建词汇表、序列填充 | all three, and the words that are in no vocabulary |
| 004 (简) | Seq2Seq 模型的实现 | a loop that prints the training loss | what that number does not say |

Chapter 7 has the loop of 002, 6.2, and what is mended in it; chapter 9 has the attention that is used here.
Chapter 11 follows, and needs nothing of this one.
"""

# %% [markdown]
r"""
## Terms

| 繁 | 简 | English |
|---|---|---|
| 機器翻譯 | 机器翻译 | machine translation |
| 平行語料、句對 | 平行语料、句对 | parallel corpus, sentence pair |
| 斷詞 | 分词 | tokenisation |
| 詞元 | 词元 | token |
| 詞彙表 | 词汇表 | vocabulary |
| 未登錄詞 | 未登录词 | out-of-vocabulary word |
| 留出資料、測試集 | 留出数据、测试集 | held-out data, test set |
| 資料洩漏 | 数据泄漏 | leak |
| 解碼、搜尋 | 解码、搜索 | decoding, search |
| 貪婪解碼 | 贪心解码 | greedy decoding |
| 集束搜尋、束寬 | 束搜索、束宽 | beam search, beam width |
| 假設 | 假设 | hypothesis |
| 長度懲罰 | 长度惩罚 | length penalty |
| 取樣、溫度 | 采样、温度 | sampling, temperature |
| 核取樣 | 核采样 | nucleus sampling, top-p |
| 參考譯文 | 参考译文 | reference translation |
| n 元組 | n 元组 | n-gram |
| 精確率、召回率 | 精确率、召回率 | precision, recall |
| 簡短懲罰 | 简短惩罚 | brevity penalty |
"""

# %% [markdown]
r"""
## Symbols

| in 002 and 004 | here | in the code | what it is |
|---|---|---|---|
| $X = (x_1 \ldots x_n)$, $x_1 \ldots x_T$ | $X$ | `source` | the sentence to translate, as word numbers |
| $Y = (y_1 \ldots y_m)$, $y_1 \ldots y_{T'}$ | $Y$ | `ids` | a translation, `<end>` included |
| | $\lvert Y \rvert$ | `length` | how many tokens it has, `<end>` included |
| $y_t = \mathrm{softmax}(W s_t + b)$ (002) | $p(y \mid \ldots)$ | `p`, `log_p` | the decoder's distribution over the next token |
| | $V$ | `V` | the size of the vocabulary |
| | $K$ | `width` | how many beginnings a beam search keeps |
| | $\lambda$, $\mathrm{lp}(Y)$ | `length_penalty`, `length_normaliser` | how much length is forgiven |
| | $\tau$ | `temperature` | how sharp a distribution is made before one draws from it |
| | $u$ | `u` | a random number between 0 and 1 |
| | $p_n$ | `precisions` | BLEU: the share of n-grams that the reference knows |
| | $C$, $R$ | `hypothesis_length`, `reference_length` | BLEU: lengths of all hypotheses, all references |

The documents' $y_t$ is the distribution in one line and the word in the next; here it is the word. $p_n$ in
BLEU is a precision, not a probability of the model. $\tau$ is the temperature, because $T$ has been a length
since chapter 1.
"""

# %% [markdown]
r"""
## The idea

Document 004 lets the decoder write 你好 ， 世界 one word at a time, "直到生成结束符". Which word? The decoder gives a
distribution over all of them. Here is a toy decoder that is so small that we can see all that it knows: a
table. What comes next depends on the last word alone.
"""

# %%
TABLE = {
    "<start>": {"你好": 0.5, "大家": 0.4, "世界": 0.1},
    "你好": {"，": 0.6, "<end>": 0.4},
    "，": {"世界": 0.6, "大家": 0.4},
    "世界": {"<end>": 0.9, "你好": 0.1},
    "大家": {"好": 0.9, "<end>": 0.1},
    "好": {"<end>": 0.9, "，": 0.1},
}


def sentences(said=("<start>",), P=1.0, rarest=0.039, longest=6):
    """All beginnings that are not too rare or too long, each with its P, in the order of a tree."""
    yield said, P
    for word, p in TABLE.get(said[-1], {}).items():
        if P * p > rarest and len(said) <= longest:
            yield from sentences((*said, word), P * p, rarest, longest)


# %% [markdown]
r"""
Say "Hello world" has been read. The toy then says 你好 with probability 0.5, 大家 with 0.4, and so on. The
probability of a sentence is the product along its way (chapter 7). Here are all ways that are not too rare.
(The next cell only draws.)
"""


# %%
def draw_tree(marked):
    """The toy's sentences as a tree; marked: (words, label, look) of ways to be drawn thick."""
    shown = dict(sentences())
    leaves = [said for said in shown if said[-1] == "<end>"]
    rows = {said: -row for row, said in enumerate(leaves)}
    for said in sorted(shown.keys() - rows, key=len, reverse=True):
        below = [rows[other] for other in shown if other[:-1] == said]
        rows[said] = (max(below) + min(below)) / 2  # a parent stands in the middle of its children
    plain = {"color": "0.7", "lw": 1, "linestyle": "-"}
    label = {"size": 8, "bbox": {"fc": "white", "ec": "none", "pad": 1}}
    box = {"bbox": {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "0.6"}}
    with drawing((8.6, 3.6)) as figure:
        ax = figure.add_subplot(xlim=(-0.4, 6.1), ylim=(0.5 - len(leaves), 0.6))
        ax.axis("off")

        def way(said, **look):
            ys = [rows[said[: n + 1]] for n in range(len(said))]
            ax.plot(range(len(said)), ys, marker="", zorder=1.5, **look)

        for said, P in shown.items():
            x, y = len(said) - 1, rows[said]
            ax.text(x, y, said[-1], ha="center", va="center", **box)
            if x:
                p, middle = TABLE[said[-2]][said[-1]], (rows[said[:-1]] + y) / 2
                ax.text(x - 0.5, middle, f"{p:.1f}", ha="center", va="center", **label)
            if said in leaves:
                ax.text(x + 0.45, y, f"P = {P:.3f}", va="center")
                way(said, **plain)
        for said, name, look in marked:
            way(said, label=name, **look)
        ax.legend(loc="lower left")
    return figure


BY_GREEDY = "<start>", "你好", "，", "世界", "<end>"
LIKELIEST = "<start>", "大家", "好", "<end>"
dashed = {"color": COLOURS[1], "lw": 3, "linestyle": "--"}
thick = {"color": COLOURS[0], "lw": 3.5, "linestyle": "-"}
draw_tree([(BY_GREEDY, "greedy", dashed), (LIKELIEST, "the likeliest", thick)])

# %% [markdown]
r"""
**Greedy decoding** (貪婪解碼 / 贪心解码) takes the likeliest word at each step: 你好, then ，, then 世界, then `<end>`. Its
sentence has probability 0.162. **The likeliest sentence** is 大家好, "hello everyone", with 0.324, twice that. Greedy
decoding cannot find it: at the first step 你好 looks better than 大家, and it never goes back.

**Beam search** (集束搜尋 / 束搜索) does not decide at once. It carries on the few likeliest beginnings side by side. With
two, it has 大家 in hand when 你好 turns out to lead into many ways, each of them unlikely.

And there is a second lesson in this picture. What the document wants is 你好，世界. Greedy decoding happens to
give it, and the better search does not. A search finds what the *model* thinks likely. Whether the model is
right is another question, and takes another tool: a score on sentences that it has not seen. That is the
second half of this chapter.
"""

# %% [markdown]
r"""
## The equations

### What is searched for

The decoder gives a distribution over the next token, given the source and the tokens so far. Chapter 7 made
of these the probability of a whole sentence $Y$, `<end>` included:

$$P(Y \mid X) = \prod_{t=1}^{\lvert Y \rvert} p(y_t \mid y_1 \ldots y_{t-1}, X)$$

Products of many small numbers underflow, and logarithms order them in the same way:

$$\log P(Y \mid X) = \sum_{t=1}^{\lvert Y \rvert} \log p(y_t \mid y_1 \ldots y_{t-1}, X)$$

The second line is what the loss of chapter 5 is made of; it is the number `score` below.

Why not compute it for every sentence and take the largest? With $V$ tokens there are $V^n$ sentences of $n$
tokens. Our vocabulary will have some 1,600 characters: that is $10^{25}$ sentences of eight. And there is
no exact short cut: what comes next depends on *all* of the beginning, so no two beginnings may be merged.

### Greedy

Take the likeliest token, feed it back, go on:

$$y_t = \mathrm{argmax}_y p(y \mid y_1 \ldots y_{t-1}, X) \tag{10.1}$$

One pass, and each step is the best *one* step. As the toy shows, the best steps need not make the best way.

### Beam search

Keep $K$ beginnings, not one. At each step continue each of them by every token. That gives $K \cdot V$
beginnings that are longer by one. The log probability of each is known already but for its last term:

$$\log P(y_1 \ldots y_t \mid X) = \log P(y_1 \ldots y_{t-1} \mid X) + \log p(y_t \mid y_1 \ldots y_{t-1}, X) \tag{10.3}$$

Keep the $K$ largest. What ends with `<end>` is a finished hypothesis (假設 / 假设); it is put aside. Go on with
the others, until none is left or nothing better can come. With $K = 1$ this is greedy decoding. A $K$ so
large that nothing is ever dropped tries every sentence. Between the two lies the practice, with $K$ about 5.

Note the sum in (10.3). A beginning is judged by *all* its tokens, not by its last. That is why 大家 好 (0.4 ·
0.9) may overtake 你好 ， (0.5 · 0.6).

### Sentences of different length

In a beam all beginnings are equally long, and log P orders them fairly. Finished hypotheses are not. Every
further token multiplies by a number of at most 1, that is, adds a number of at most 0. So a short sentence is
at an advantage for being short. Wu et al. (2016) divide by something that grows with the length:

$$\mathrm{lp}(Y) = \left( \frac{5 + \lvert Y \rvert}{6} \right)^{\lambda} \tag{10.2}$$

$$\mathrm{rank}(Y) = \frac{\log P(Y \mid X)}{\mathrm{lp}(Y)} \tag{10.4}$$

(The paper writes $\alpha$ for $\lambda$, which here is attention.) With $\lambda = 0$ is $\mathrm{lp} = 1$,
and nothing is changed. With $\lambda = 1$ the rank is $6 \log P / (5 + \lvert Y \rvert)$: for a long $Y$
nearly six times the mean log probability of a token, and for a short one the 5 softens it. log P is negative.
Divided by a larger number it comes nearer to 0, that is, up. So a larger $\lambda$ favours longer sentences.

### By chance

To translate one wants the likeliest. To see what else the model has in mind one draws (取樣 / 采样): each token
at random, with the probability that the model gives it. Mostly one makes the distribution somewhat sharper
first, since its tail is long, and mostly rubbish. The temperature (溫度 / 温度) $\tau$ does it gradually:

$$p_i = \frac{\exp(\mathrm{logit}_i / \tau)}{\sum_j \exp(\mathrm{logit}_j / \tau)} \tag{10.5}$$

With $\tau = 1$ this is the softmax. How does it depend on $\tau$? Write $q_i$ for the softmax itself. Its
logarithm is the logit but for a number that is the same for all $i$, so
$\mathrm{logit}_i / \tau = \log(q_i) / \tau + \mathrm{const}$, and what is the same for all $i$ cancels in the
fraction:

$$p_i = \frac{q_i^{1/\tau}}{\sum_j q_j^{1/\tau}}$$

With $\tau = \tfrac12$ every probability is squared, and the large gain on the small. With $\tau \to 0$ only
the largest is left, which is greedy decoding. With $\tau = 2$ roots are taken, and all come closer to each
other.

Or one cuts the tail off. Keep the $k$ likeliest tokens,

$$p_i = 0 \quad \text{but for the } k \text{ largest; the rest divided by their sum} \tag{10.6}$$

or as many as it takes to have the share $p$ of the probability, be they two or two hundred. These are the nucleus
(核), and that is nucleus sampling:

$$p_i = 0 \quad \text{where the larger } p_j \text{ already sum to } p \text{ or more; the rest divided by their sum} \tag{10.7}$$

Note "the *larger* ones": the token that takes the sum over $p$ is itself kept, so there is always one.

Last, how does one draw token $i$ with probability $p_i$, when all one has is a number $u$ that lies evenly
between 0 and 1? Lay the $p_i$ side by side. They fill the stretch from 0 to 1. See in which of them $u$
falls:

$$y = \text{the smallest } i \text{ with } p_1 + \cdots + p_i \gt u \tag{10.8}$$

It falls into the $i$-th piece with the probability $p_i$, for that is how long the piece is.

None of these has a gradient, and none is needed: nothing is learnt while decoding. So this chapter has no backward
pass, and no gradient check. What can be checked instead we shall see.

### How good is it?

Someone has translated the test sentences; these are the references (參考譯文 / 参考译文). We want one number that
says how near the model's sentences are to them. To count equal sentences is too strict: hardly any sentence
has only one right translation. BLEU (Papineni et al. 2002) counts shorter pieces. An n-gram is $n$
neighbouring tokens. Ask, for $n = 1, 2, 3, 4$:

> Which share of the hypotheses' n-grams do the references know?

**Clipped.** If 天 stands once in the reference, then 天天天天 has one 天 right, not four. Each n-gram $g$ of a
hypothesis counts at most as often as its reference has it:

$$p_n = \frac{\sum_{\text{sentences}} \sum_g \min(\mathrm{count}_{\text{hypothesis}}(g), \mathrm{count}_{\text{reference}}(g))}{\sum_{\text{sentences}} \sum_g \mathrm{count}_{\text{hypothesis}}(g)}$$

**All four at once.** $p_1$ asks for the right words, $p_4$ for the right order as well. Their mean should be
small if any of them is. The geometric mean is: $(p_1 p_2 p_3 p_4)^{1/4}$.

**Not too short.** A hypothesis that says only what it is sure of has a high precision. So there is a penalty for
hypotheses that are in sum, $C$ tokens, shorter than the references, $R$ tokens:

$$\mathrm{BP} = \min(1, e^{1 - R/C})$$

Where $C = R$ the exponent is 0 and BP is 1; below, it falls: with half the length it is $e^{-1} = 0.37$. Too
long needs no penalty: what is too much is in no reference, and lowers the $p_n$.

$$\mathrm{BLEU} = 100 \cdot \mathrm{BP} \cdot (p_1 p_2 p_3 p_4)^{1/4}$$

Both sums in $p_n$ run over *all* sentences before the division. BLEU is a score of a corpus, not the mean of
scores of sentences; below we shall see the difference.

Tokens of what? For Chinese: of characters. There are no spaces, and two programs that find words will not agree on
them. A BLEU without its tokenisation is no number that could be compared.
"""

# %% [markdown]
r"""
## By hand

### Sentences

The sentences are from [Tatoeba](https://tatoeba.org), where volunteers write and translate them, in the
selection of [manythings.org](https://www.manythings.org/anki/) (CC BY 2.0 FR). They are not part of this
repository. The cell below looks in the folder that the environment variable `MINIS2S_DATA` names, then in
your cache, then downloads about 1 MB.

For a machine without any of these, 64 sentences of our own stand by. (They will be useful in any case, at the
end.)
"""

# %%
NAMES = {
    "ChatGPT": "ChatGPT", "Alice": "爱丽丝", "London": "伦敦", "water": "水",
    "snow": "雪", "tea": "茶", "music": "音乐", "time": "时间",
}  # fmt: skip
ADJECTIVES = {
    "powerful": "强大", "cold": "冷", "fast": "快", "good": "好",
    "beautiful": "美丽", "important": "重要", "expensive": "贵", "quiet": "安静",
}  # fmt: skip
grid = Splits([], [], [])
for row, (name, name_zh) in enumerate(NAMES.items()):
    for column, (adjective, adjective_zh) in enumerate(ADJECTIVES.items()):
        split = {0: grid.test, 1: grid.valid}.get((row - column) % 8, grid.train)
        split.append(Pair(f"{name} is {adjective}", f"{name_zh}很{adjective_zh}"))

told = []
try:
    path = corpus_file("tatoeba", "cmn.txt", any_version=True, report=told.append)
    pairs = list(dict.fromkeys(read_pairs(path)))  # exact repeats count once
    if any("another version" in line for line in told):
        print("This is another version of the corpus than the text below speaks of.")
except (OSError, ValueError):
    pairs = [*grid.train, *grid.valid, *grid.test]
    print(
        "The corpus is not on this machine, and cannot be had: `minis2s data fetch tatoeba` gets"
        " it. Until then 64 made-up sentences take its place, and the text below speaks of others."
    )
print(f"{len(pairs):,} pairs")
for pair in pairs[:: len(pairs) // 8][:8]:
    print(f"{pair.source:<60.60} {pair.target}")

# %% [markdown]
r"""
### A test that is a test

Hold 1,000 pairs out, at random; train on the rest; test on the 1,000. That is the usual way, and with this
corpus it leaks (資料洩漏 / 数据泄漏):
"""

# %%
HELD_OUT = min(1000, len(pairs) // 8)
order = np.random.default_rng(0).permutation(len(pairs))
test, train = ([pairs[i] for i in part] for part in (order[:HELD_OUT], order[HELD_OUT:]))
for side in ("source", "target"):
    known = {normalised(getattr(pair, side)) for pair in train}
    leaked = np.mean([normalised(getattr(pair, side)) in known for pair in test])
    print(f"{side}s of the test pairs that stand in train too: {leaked:.0%}")

# %% [markdown]
r"""
Many sentences have several translations, in both directions: "Got it?" is 知道了没有？ and 懂了吗？. If one of the two pairs
is in train and the other in test, the test asks for what was learnt by heart. (`normalised` takes out case, width,
spaces and punctuation, so that "Got it!" does not count as new.)

Pairs that share a side belong together; and if A shares its English with B, and B its Chinese with C, all
three do. Such groups are the *connected components* of a graph: sentences are the nodes, pairs are the edges.
"""


# %%
def components_by_hand(pairs):
    """How many pairs each component has, the largest first."""
    together = {}  # a sentence -> the set of all sentences that hang together with it
    for pair in pairs:
        ends = {("source", normalised(pair.source)), ("target", normalised(pair.target))}
        joined = ends.union(*(together[end] for end in ends if end in together))
        together |= dict.fromkeys(joined, joined)
    sizes = Counter(id(together["source", normalised(pair.source)]) for pair in pairs)
    return sorted(sizes.values(), reverse=True)


sizes = components_by_hand(pairs)
assert sizes == sorted(map(len, components(pairs)), reverse=True)
print(f"{len(sizes):,} components; the largest have {sizes[:5]} pairs; {sizes.count(1):,} have one")

# %% [markdown]
r"""
So we deal out components, not pairs. `component_split` shuffles them, and puts each whole into the first of test,
validation and train that has room for it. (`load_task("tatoeba")` does all of this in one call.)
"""

# %%
splits = grid if len(pairs) == 64 else component_split(pairs, seed=0, valid=1000, test=1000)
for side in ("source", "target"):
    known = {normalised(getattr(pair, side)) for pair in splits.train}
    leaked = np.mean([normalised(getattr(pair, side)) in known for pair in splits.test])
    print(f"{side}s of the test pairs that stand in train too: {leaked:.0%}")

# %% [markdown]
r"""
For half a minute of training we take short sentences alone: at most 6 English words, at most 10 Chinese
characters. The split stays what it is.
"""

# %%
SHORT = 6, 10  # words of English, punctuation marks counted; characters of Chinese


def short(pair):
    return len(words(pair.source)) <= SHORT[0] and len(pair.target) <= SHORT[1]


train, valid, test = ([pair for pair in split if short(pair)] for split in splits[:3])
print(f"short pairs: {len(train):,} to learn from, {len(valid)} to choose by, {len(test)} to test")

# %% [markdown]
r"""
### Tokens and the words that are in no vocabulary

004 says it in 注意事项 1: 分词, 构建词汇表, 序列填充. English is cut into words, in lower case, with punctuation marks by
themselves. Chinese is cut into characters: no program is needed that finds words, and there are far fewer
characters than words. (004 itself takes 你好 as one token. With characters it is two; both are possible.)
"""

# %%
for text in ("Hello world", "ChatGPT is powerful", "Don't drop this cup."):
    print(words(text, lower=True))
print(characters("ChatGPT很强大"))

# %% [markdown]
r"""
A vocabulary can only hold what was in train. All else is `<unk>` (未登錄詞 / 未登录词), one number for all of them. And a
word that was there only once has hardly been learnt. How often must a word occur to be given a place?
"""

# %%
english = [words(pair.source, lower=True) for pair in train]
asked = [word for pair in test for word in words(pair.source, lower=True)]
for min_count in (1, 2, 3, 5):
    vocabulary = Vocabulary.build(english, min_count)
    unknown = np.mean([word not in vocabulary.ids for word in asked])
    share = f"{unknown:.1%} of the words of the test are <unk>"
    print(f"at least {min_count} times: {len(vocabulary):,} words; {share}")

# %% [markdown]
r"""
With every word in it, the vocabulary still lacks some of the words of the test: language does not end. With 2
as the limit, `<unk>` occurs in training as well, so that the model meets it before the test does. We take 2,
on both sides.

What is in the vocabulary of the documents' two sentences?
"""

# %%
SMALL = {"embedding_size": 64, "hidden_size": 96, "attention_size": 64, "dropout": 0.1}
KINDS = {"source_tokens": "lowercase words", "target_tokens": "characters", "min_count": 2}
translator = Translator.untrained(train, **KINDS, **SMALL)
model, en, zh = translator.model, translator.source_vocabulary, translator.target_vocabulary
print(f"{len(en):,} English words, {len(zh):,} Chinese characters, {model.size:,} parameters\n")

counts = Counter(word for sentence in english for word in sentence)
for text in ("Hello world", "ChatGPT is powerful"):
    for word in words(text, lower=True):
        token = en.tokens[en.ids.get(word, UNK)]
        print(f"{word:10} {counts[word]:5} times in train, so it is {token}")
for character in "你好，世界很强大":
    print(character, "known" if character in zh.ids else "<unk>", end="   ")

# %% [markdown]
r"""
The words of "Hello world" are known, if hardly. Of "ChatGPT is powerful" only "is" is. To the model it reads
"`<unk>` is `<unk>`", and so would "Nobody is perfect" if these words were rare. No training, no search and no
attention can get ChatGPT and 强大 out of that. It has nothing to do with the architecture: *the information is
gone before the first layer*. We shall come back to both.

### Training

The model is that of chapters 6 and 9: a GRU in both directions reads the English words, a GRU with additive
attention writes the Chinese characters. The training loop is that of chapters 2 and 7. It reads all short
pairs four times, in batches of 32, with a learning rate that falls along a cosine. (The 64 stand-ins are read
more often.)
"""

# %%
EPOCHS, BATCH = max(4, 6000 // len(train)), 32
examples, held_out = translator.encode(train), translator.encode(valid)
steps = EPOCHS * (1 + (len(examples) - 1) // BATCH)
trainer = Trainer(model, Adam(8e-3), schedule=cosine(steps), seed=0)
rng = np.random.default_rng(0)
for epoch in range(1, EPOCHS + 1):
    losses = [trainer.step(batch).loss for batch in batches_by_length(examples, BATCH, rng)]
    if epoch > EPOCHS - 4:
        loss = held_out_loss(model, held_out)
        said = f"training loss {np.mean(losses):.2f}, held-out loss {loss:.2f}"
        print(f"after {epoch} times: {said}")

# %% [markdown]
r"""
Both are the mean of $-\log p$ of a character, given the characters before it, *the true ones*: teacher
forcing. Look at the last two lines. The training loss goes on falling, the held-out loss stands still: the
model begins to know its sentences by heart. The last held-out loss, 1.97, means that the right character
gets, in the geometric mean, the probability $e^{-1.97} = 0.14$. But no sentence has been written yet. Now we
write some.

### Greedy, by hand

All that decoding needs of a model are two things: the states after the source has been read, and one step.
Let us put them into one function, so that below the toy can take the model's place.
"""


# %%
def reader(text):
    """After reading the text: step and states.  step(y, states) -> log p (V,), states"""
    batch = make_batch(translator.encode([Pair(text, "")]))
    (states, memory), _ = model.begin(batch.source, batch.source_lengths)

    def step(y, states):
        logits, _, states = model.decoder.step(np.array([y]), states, memory)
        return log_softmax(logits)[0], states

    return step, states


def greedy_by_hand(step, states, max_length=20):
    """The tokens that are likeliest one by one, and log P of them all."""
    ids, score, y = [], 0.0, START
    for _ in range(max_length):
        log_p, states = step(y, states)
        y = int(log_p.argmax())  # (10.1)
        ids.append(y)
        score += log_p[y]
        if y == END:
            break
    return ids, score


for pair in test[:6]:
    ids, score = greedy_by_hand(*reader(pair.source))
    said = f"{''.join(zh.decode(ids)):<14} log P {score:.2f}"
    print(f"{pair.source}\n    {said}   reference: {pair.target}")

# %% [markdown]
r"""
Half a minute of training on a processor, from nothing: some of these are right, some nearly, some are
nonsense in good Chinese. The one thing that is fed back is `y`; the states hold all the rest.

### Beam search, by hand

The same with $K$ beginnings. Each is its tokens, its log P and its states; otherwise every line is one of the
sentences above.
"""


# %%
def beam_by_hand(step, states, width, max_length=20, length_penalty=0.0):
    """Finished hypotheses (ids, log P), the best rank first; and what each step kept."""
    beams, finished, kept = [((START,), 0.0, states)], [], []
    for _ in range(max_length):
        continued = []
        for ids, score, states in beams:
            log_p, states = step(ids[-1], states)
            for y in np.argsort(-log_p)[:width]:  # of one beam's continuations no more can be kept
                if log_p[y] > -np.inf:
                    continued.append(((*ids, int(y)), score + log_p[y], states))  # (10.3)
        best = sorted(continued, key=lambda beam: beam[1], reverse=True)[:width]
        kept.append([(ids, score) for ids, score, _ in best])
        finished += [(ids, score) for ids, score, _ in best if ids[-1] == END]
        beams = [beam for beam in best if beam[0][-1] != END]

    def rank(hypothesis):
        ids, score = hypothesis
        lp = ((5 + len(ids) - 1) / 6) ** length_penalty  # (10.2); <start> does not count
        return score / lp  # (10.4)

    return sorted(finished, key=rank, reverse=True), kept


def text_of(ids):
    return "".join(zh.decode(ids))


for pair in test[:3]:
    finished, _ = beam_by_hand(*reader(pair.source), width=4)
    print(f"{pair.source}   reference: {pair.target}")
    for ids, score in finished[:4]:
        print(f"    {text_of(ids):<14} log P {score:.2f}")

# %% [markdown]
r"""
A beam search comes back with several hypotheses. Look at the others: most begin as the first does and differ
in their last characters. That is typical. The likeliest beginnings of a beam are close relatives.

### Sampling, by hand
"""


# %%
def distribution_by_hand(logits, temperature=1.0, top_k=None, top_p=None):
    """logits (V,) -> p (V,), from which a token is drawn"""
    p = np.exp((logits - logits.max()) / temperature)
    p /= p.sum()  # (10.5)
    order = np.argsort(-p, kind="stable")  # the largest first
    if top_k is not None:
        p[order[top_k:]] = 0  # (10.6)
        p /= p.sum()
    if top_p is not None:
        larger = np.cumsum(p[order]) - p[order]  # what those before it sum to
        p[order[larger >= top_p]] = 0  # (10.7)
        p /= p.sum()
    return p


def draw_by_hand(p, u):
    """The smallest i with p_0 + … + p_i > u: the number of those i for which it is not so."""
    return int((np.cumsum(p) <= u).sum())  # (10.8)


def sample_by_hand(step, states, rng, max_length=20, **options):
    ids, score, y = [], 0.0, START
    while y != END and len(ids) < max_length:
        log_p, states = step(y, states)
        y = draw_by_hand(distribution_by_hand(log_p, **options), rng.random())
        ids.append(y)
        score += log_p[y]
    return ids, score


rng = np.random.default_rng(0)
text = test[3].source
print(text)
for options in ({"temperature": 1.0}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.8}):
    drawn = [sample_by_hand(*reader(text), rng, **options) for _ in range(4)]
    print(f"{options!s:22}", "   ".join(text_of(ids) for ids, _ in drawn))

# %% [markdown]
r"""
(In place of logits it is given log p: they differ by a number that is the same for all tokens, and that
cancels. `i` counts from 0 here, as everywhere in Python.) The first line is what the model really believes,
rare characters included: one slip, and the rest goes on from it. At a temperature of ½ it says the same thing
four times. The other two cut the tail off, and are in between.

### BLEU, by hand
"""


# %%
def ngrams(tokens, n):
    """How often each run of n neighbours occurs."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu_by_hand(hypotheses, references):
    """Lists of texts, a character a token -> BLEU, the four precisions, the brevity penalty"""
    matched, total, C, R = np.zeros(4), np.zeros(4), 0, 0
    for texts in zip(hypotheses, references):
        hypothesis, reference = ("".join(text.split()) for text in texts)  # spaces are no tokens
        for n in (1, 2, 3, 4):
            counts, known = ngrams(hypothesis, n), ngrams(reference, n)
            matched[n - 1] += sum(min(count, known[g]) for g, count in counts.items())  # clipped
            total[n - 1] += sum(counts.values())
        C, R = C + len(hypothesis), R + len(reference)
    p = matched / total
    BP = min(1.0, np.exp(1 - R / C))
    return 100 * BP * np.prod(p) ** (1 / 4), p, BP


references = [pair.target for pair in test]
by_greedy = [text_of(greedy_by_hand(*reader(pair.source))[0]) for pair in test]
score, p, BP = bleu_by_hand(by_greedy, references)
print(
    f"greedy decoding of {len(test)} test sentences: BLEU {score:.1f}, precisions {p}, BP {BP:.3f}"
)

# %% [markdown]
r"""
That is our first honest number: on sentences of which neither side was seen in training, about half of the
characters are right, a quarter of the pairs, and so on down. (BP is 1, though the sentences are rather short: each
`<unk>` is written, and here counted, with five characters.)
"""

# %% [markdown]
r"""
## With a pencil

### Beam search of width 2

The toy of the first picture, `TABLE`. Write down the likeliest beginnings, two at each step; P is easier than
log P with a pencil.

| step | all continuations, by falling P | kept | |
|---|---|---|---|
| 1 | 你好 0.5, 大家 0.4, 世界 0.1 | 你好, 大家 | greedy would drop 大家 here |
| 2 | 大家 好 0.4 · 0.9 = 0.36, 你好 ， 0.5 · 0.6 = 0.30, 你好 `<end>` 0.5 · 0.4 = 0.20, 大家 `<end>` 0.04 | 大家 好, 你好 ， | the second has overtaken the first |
| 3 | 大家 好 `<end>` 0.36 · 0.9 = **0.324**, 你好 ， 世界 0.18, 你好 ， 大家 0.12, 大家 好 ， 0.036 | 大家 好 `<end>`, 你好 ， 世界 | one is finished |
| 4 | 你好 ， 世界 `<end>` 0.18 · 0.9 = **0.162**, 你好 ， 世界 你好 0.018 | both | |

Look at step 2 again: 你好 `<end>`, 0.20, is a whole sentence and likelier than 你好 ， 世界 `<end>` will be. But it came
third, and is lost. A beam search may miss, too; width 3 would have kept it.

And after step 3 one could stop, where there is no length penalty: 你好 ， 世界 has 0.18, further words can only
make it less, and 0.324 is there already.

### The length penalty

With width 3 the finished hypotheses are 大家好, 你好 and 你好，世界. Their ranks (10.4), with $\lambda = 0$ and with
$\lambda = 1$:

| | $\lvert Y \rvert$ | P | log P | lp, $\lambda = 1$ | rank, $\lambda = 1$ |
|---|---|---|---|---|---|
| 大家 好 `<end>` | 3 | 0.324 | -1.1270 | 8/6 | -0.8453 |
| 你好 `<end>` | 2 | 0.200 | -1.6094 | 7/6 | -1.3795 |
| 你好 ， 世界 `<end>` | 4 | 0.162 | -1.8202 | 9/6 | -1.2134 |

The second and the third change places. The longer sentence lost more, but it had more to say.
"""

# %%
toy = Vocabulary(["你好", "，", "世界", "大家", "好"])
LOG_P = np.full((len(toy), len(toy)), -np.inf)
for word, following in TABLE.items():
    for next_word, p in following.items():
        LOG_P[toy.ids[word], toy.ids[next_word]] = np.log(p)
LOG_P[[PAD, END, UNK], END] = 0  # words that the table does not have: nothing follows


def toy_step(y, states):
    """What comes next depends on the last token alone: there is no state."""
    return LOG_P[y], states


def spaced(ids):
    return " ".join(toy.tokens[id] for id in ids[1:])


_, kept = beam_by_hand(toy_step, None, width=2, max_length=4)
pencil = [[0.5, 0.4], [0.36, 0.30], [0.324, 0.18], [0.162, 0.018]]
for number, (beams, P) in enumerate(zip(kept, pencil), start=1):
    np.testing.assert_allclose(np.exp([score for _, score in beams]), P)
    print(
        f"step {number}:", ", ".join(f"{spaced(ids)} {np.exp(score):.3f}" for ids, score in beams)
    )

for penalty, ranks in ((0.0, [-1.1270, -1.6094, -1.8202]), (1.0, [-0.8453, -1.2134, -1.3795])):
    finished, _ = beam_by_hand(toy_step, None, width=3, max_length=4, length_penalty=penalty)
    print(f"λ = {penalty}:", "; ".join(spaced(ids) for ids, _ in finished[:3]))
    found = [score / length_normaliser(len(ids) - 1, penalty) for ids, score in finished[:3]]
    np.testing.assert_allclose(found, ranks, atol=1e-4)

# %% [markdown]
r"""
### Drawing a token

Four tokens with $q = (\tfrac48, \tfrac28, \tfrac18, \tfrac18)$.

- $\tau = \tfrac12$: squares, $(16, 4, 1, 1)/64$; they sum to $22/64$, so
  $p = (16, 4, 1, 1)/22 = (0.7273, 0.1818, 0.0455, 0.0455)$
- $\tau = 2$: roots, $(2, \sqrt2, 1, 1)/\sqrt8$; so
  $p = (2, 1.4142, 1, 1)/5.4142 = (0.3694, 0.2612, 0.1847, 0.1847)$
- $k = 2$: $(\tfrac48, \tfrac28, 0, 0)$, and divided by $\tfrac68$: $(\tfrac23, \tfrac13, 0, 0)$
- nucleus of 0.7: before the first token there is 0, before the second 0.5, before the third 0.75. The first
  two are below 0.7 and stay: the same $(\tfrac23, \tfrac13, 0, 0)$
- $u = 0.6$: the sums of $q$ are 0.5, 0.75, 0.875, 1. The first that is above 0.6 is the second: token 2 is
  drawn
"""

# %%
q = np.array([4, 2, 1, 1]) / 8
pencil = {
    "temperature=0.5": [0.7273, 0.1818, 0.0455, 0.0455],
    "temperature=2.0": [0.3694, 0.2612, 0.1847, 0.1847],
    "top_k=2": [0.6667, 0.3333, 0, 0],
    "top_p=0.7": [0.6667, 0.3333, 0, 0],
}
for option, by_pencil in pencil.items():
    name, value = option.split("=")
    p = distribution_by_hand(np.log(q), **{name: int(value) if name == "top_k" else float(value)})
    np.testing.assert_allclose(p, by_pencil, atol=1e-4)
    print(f"{option:16} {p}")
print("u = 0.6 draws token", 1 + draw_by_hand(q, 0.6))

# %% [markdown]
r"""
### BLEU

Reference 他每天喝茶。, "he drinks tea every day". The hypothesis is 他天天喝茶。

| n | n-grams of the hypothesis | known | $p_n$ |
|---|---|---|---|
| 1 | 他 **天 天** 喝 茶 。 | 他, 天 once (clipped: the reference has one), 喝, 茶, 。 | 5/6 |
| 2 | 他天 天天 天喝 喝茶 茶。 | 天喝, 喝茶, 茶。 | 3/5 |
| 3 | 他天天 天天喝 天喝茶 喝茶。 | 天喝茶, 喝茶。 | 2/4 |
| 4 | 他天天喝 天天喝茶 天喝茶。 | 天喝茶。 | 1/3 |

Both have six characters, so BP is 1. $\tfrac56 \cdot \tfrac35 \cdot \tfrac24 \cdot \tfrac13 = \tfrac1{12}$, and
$(1/12)^{1/4} = 0.5373$. BLEU is **53.7**.

天天 means "every day" just as 每天 does. The translation is perfect, and has lost almost half of the points. BLEU
knows no meaning, only its reference. So even the best translator does not get 100, and the BLEU of a
single sentence says little.

**Two sentences.** Add a second one that is right to the last character, 我喝茶。: it has 4 of 4, 3 of 3, 2 of 2,
1 of 1. Now the counts are summed before they are divided:
$p = (\tfrac{9}{10}, \tfrac68, \tfrac46, \tfrac24)$, the product is 0.225, its fourth root 0.6887. BLEU is
**68.9**. The mean of the two sentences' BLEUs is $(53.7 + 100)/2 = 76.9$.

**Too short.** The hypothesis 他喝茶 for the same reference: C = 3, R = 6, so BP is $e^{1 - 6/3} = e^{-1} = 0.3679$.
"""

# %%
score, p, BP = bleu_by_hand(["他天天喝茶。"], ["他每天喝茶。"])
np.testing.assert_allclose(score, 100 * (1 / 12) ** (1 / 4))
print(f"one sentence   BLEU {score:.1f}, precisions {p}")
score, p, _ = bleu_by_hand(["他天天喝茶。", "我喝茶。"], ["他每天喝茶。", "我喝茶。"])
np.testing.assert_allclose(score, 68.87, atol=0.01)
print(f"two sentences  BLEU {score:.1f}, precisions {p}")

# %% [markdown]
r"""
## The same from minis2s

### Search

The library's [greedy](../minis2s/decoding/greedy.py) and [beam_search](../minis2s/decoding/beam.py) take a
model and sentences. They ask of a model what `reader` has made of it: `begin`, and `decoder.step`. So the toy
can be a model, too:
"""


# %%
class Toy:
    """A model whose decoder is a table."""

    dtype = LOG_P.dtype

    def __init__(self):
        self.decoder = self

    def begin(self, source, lengths):
        return ((), None), None  # no states, no memory, no cache

    def select(self, memory, rows):
        return memory

    def step(self, y, states, memory):
        return LOG_P[y], None, states  # logits, no attention, states


nothing = np.zeros((1, 1), dtype=int)  # a source that is not looked at
(first,) = greedy(Toy(), nothing)
((best, *others),) = beam_search(Toy(), nothing, width=3, n_best=3, length_penalty=1.0)
finished, _ = beam_by_hand(toy_step, None, width=3, length_penalty=1.0)
for found, (ids, score) in zip((best, *others), finished):
    assert [START, *found.ids, END] == list(ids)
    np.testing.assert_allclose(found.score, score)
    print("".join(toy.tokens[id] for id in found.ids), f"P {np.exp(found.score):.3f}")
print("greedy:", "".join(toy.tokens[id] for id in first.ids))

# %% [markdown]
r"""
And on the translator, greedy (width 1) and with a width of 4:
"""

# %%
texts = [pair.source for pair in test[:24]]
for width in (1, 4):
    same = 0
    for text, theirs in zip(texts, translator.translate(texts, width=width, max_length=20)):
        finished, _ = beam_by_hand(*reader(text), width=width)
        if finished and theirs.target_tokens[-1] == "<end>":
            ids, score = finished[0]
            np.testing.assert_allclose(theirs.score, score, rtol=1e-4)
            same += text_of(ids) == theirs.text
    print(f"width {width}: the same text and log P for {same} of {len(texts)} sentences")

# %% [markdown]
r"""
(Where nothing is finished after 20 tokens, the library comes back with the unfinished beginning, and says so;
ours comes back with nothing.) The library's search takes a batch of sentences at once, and stops as early
as the bound of the pencil allows. Here is one step of it, (10.3), for B sentences with K beams each:
"""

# %%
print(inspect.getsource(beam.likeliest))

# %% [markdown]
r"""
### Drawing, and BLEU
"""

# %%
rng = np.random.default_rng(0)
logits = 3 * rng.standard_normal((5, 40))
for options in ({"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9}, {"top_k": 9, "top_p": 0.5}):
    p = distribution(logits, **options)
    np.testing.assert_allclose(p, [distribution_by_hand(row, **options) for row in logits])
    u = rng.random(5)
    np.testing.assert_array_equal(draw(p, u), [draw_by_hand(*each) for each in zip(p, u)])

drawn = sample(Toy(), np.zeros((1, 5000), dtype=int), rng=rng)  # 5,000 times the same source
shares = Counter("".join(toy.decode(each.ids)) for each in drawn)
for found in (best, *others):
    said = "".join(toy.decode(found.ids))
    print(f"{said}: P {np.exp(found.score):.3f}, share of 5,000 samples {shares[said] / 5000:.3f}")

theirs, (score, p, BP) = bleu(by_greedy, references, "char"), bleu_by_hand(by_greedy, references)
np.testing.assert_allclose(theirs.score, score)
np.testing.assert_allclose(theirs.precisions, 100 * p)
print(f"by hand {score:.2f}, minis2s {theirs.score:.2f}, of which BP {theirs.brevity_penalty:.3f}")

# %% [markdown]
r"""
(The library's `draw` multiplies $u$ by the last of the sums, which rounding may have left a little below 1.)
Its BLEU equals sacreBLEU's, which the field uses, to 0.01. It differs from ours in one point: where an order
has no match at all, $p_n = 0$ would make all of it 0, and a small number is put in its place.

What it is told about tokens matters. The same translations:
"""

# %%
for tokenize in ("char", "zh", "13a"):
    print(f"{tokenize:4} BLEU {bleu(by_greedy, references, tokenize).score:5.1f}")
sentence_scores = [
    bleu([text], [reference], "char").score for text, reference in zip(by_greedy, references)
]
print(f"mean of the BLEUs of sentences {np.mean(sentence_scores):5.1f}")
print(f"BLEU of 你好。 for 你好。      {bleu(['你好。'], ['你好。'], 'char').score:5.1f}")

# %% [markdown]
r"""
- `char` cuts everything into characters, `zh` cuts Chinese into characters and the rest into words. They
  differ here because of `<unk>`: five wrong characters for the one, three wrong tokens for the other. We use
  `zh` from now on.
- `13a` is the usual one for European languages, and the default in most programs. It cuts at spaces and at
  Western punctuation. So a Chinese sentence is one token, and is right as a whole or not at all. Whoever
  compares a `13a` with a `zh` compares nothing.
- The mean over sentences is another number again. And a single sentence of three characters has no 4-gram, so
  that even the right one gets 0. BLEU is for a corpus.

A second opinion is chrF (Popović 2015). It needs no tokens: it counts n-grams of characters, $n = 1$ to 6,
takes their precision P (which share of the hypothesis' n-grams is in the reference) and their recall R (which
share of the reference's is in the hypothesis), each as the mean over $n$, and of the two the F-score in which
recall weighs more:

$$\mathrm{chrF} = 100 \cdot \frac{(1 + \beta^2) P R}{\beta^2 P + R} \qquad \beta = 2$$

Recall does what BLEU's brevity penalty does. For 他天天喝茶。 both are the mean of
$\tfrac56, \tfrac35, \tfrac24, \tfrac13, \tfrac02, \tfrac01$, that is 0.3778:
"""

# %%
print(f"chrF {chrf(['他天天喝茶。'], ['他每天喝茶。']):.2f}")

# %% [markdown]
r"""
### How would one notice a mistake?

A wrong gradient can be found by finite differences. A wrong search comes back with a sentence, too, and
mostly with a fluent one. There are two laws that it must keep.

**What it says of its sentence is what the model says.** Feed the sentence to the model as if it were a
target, as in training, and sum log p. It must be the score.

**A beam that is wide enough is exhaustive.** On the toy we can list every sentence.
"""


# %%
def log_P(text, ids):
    """log P of the tokens, <end> among them, by the forward pass of training."""
    batch = make_batch(translator.encode([Pair(text, "")]))
    (logits, _), _ = model.forward(
        batch.source, batch.source_lengths, np.array([[START, *ids[:-1]]]).T
    )
    return sum(log_softmax(logits[t, 0])[id] for t, id in enumerate(ids))


def lawful(searches, width):
    """Of how many of the sentences the score is the model's own log P."""
    kept = []
    for text, search in searches:
        finished, _ = beam_by_hand(*search, width=width)
        if finished:
            (_, *ids), score = finished[0]
            kept.append(np.isclose(log_P(text, ids), score, rtol=1e-3))
    return f"{sum(kept)} of {len(kept)} scores are the model's log P"


print("our search, width 4:", lawful([(text, reader(text)) for text in texts], width=4))

finished, _ = beam_by_hand(toy_step, None, width=1000, max_length=6)
every = [(said, P) for said, P in sentences(rarest=0) if said[-1] == "<end>"]
every.sort(key=lambda each: each[1], reverse=True)
np.testing.assert_allclose(np.exp([score for _, score in finished]), [P for _, P in every])
print(f"width 1000 finds all {len(every)} sentences of the toy, of up to 6 tokens")

# %% [markdown]
r"""
Does this notice a mistake? Let us plant one that is really made. In a batch, the K beams of a sentence lie in
K rows. When the second best goes on from the *first* row's beginning, its states must be copied from there.
Whoever forgets that lets all beams go on from whatever states lie in their place. Here every beam goes on
from the states of the last call:
"""


# %%
def careless_reader(text):
    """As reader, but the states that come in are not looked at."""
    step, first = reader(text)
    lying_there = [first]

    def careless_step(y, _):
        log_p, lying_there[0] = step(y, lying_there[0])
        return log_p, None

    return careless_step, None


for width in (1, 4):
    print(
        f"careless, width {width}:",
        lawful([(text, careless_reader(text)) for text in texts], width=width),
    )
for text in texts[:3]:
    finished, _ = beam_by_hand(*careless_reader(text), width=4)
    print(f"    {text:<28} {text_of(finished[0][0]) if finished else '(nothing was finished)'}")

# %% [markdown]
r"""
With width 1 there is nothing to mix up, and the careless search is right. With width 4 it claims log Ps that
its sentences do not have. A test with greedy decoding alone would never see it; as a gradient check over one
step would not see what is wrong between steps. The library's tests hold its searches to these laws.
"""

# %% [markdown]
r"""
## Worth a look

### Beam search on a real model

The model here has been trained for a few seconds to write numbers: "nine hundred ninety-five" is 九百九十五. It is half
trained and not sure of itself. In a box stands what is kept, with log P of all so far.
"""

# %%
beam_tree()

# %% [markdown]
r"""
- Greedy decoding, the dashed line, goes from 九 to 千, since -0.84 is better than -1.15. But after 千 nothing
  fits well, and it ends at -3.94 with a wrong number.
- With width 3, 百 stays alive behind 千. It draws level at the next step (九百九 and 九千零, both -1.74), is far
  ahead at the one after (-1.77 against -2.78), and ends at -2.94 with the right number.
- In the first step already three beginnings are kept, though the second and the third are far behind. They
  cost as much as the first, and are dropped at once in the next.

### Beam against greedy

Back to English and Chinese. The same model, the same test sentences; all that changes is the search:
"""

# %%
sources = [pair.source for pair in test]
table = {}
for penalty in (0.0, 1.0):
    for width in (1, 2, 3, 5, 8):
        found = translator.translate(sources, width=width, length_penalty=penalty, max_length=30)
        texts = [each.text for each in found]
        table[penalty, width] = {
            "BLEU": bleu(texts, references, "zh").score,
            "chrF": chrf(texts, references),
            "right": np.mean([text == reference for text, reference in zip(texts, references)]),
            "log P": np.mean([each.score for each in found]),
            "length": len("".join(texts).replace("<unk>", "?")) / len("".join(references)),
            "texts": texts,
        }
print("penalty  width   BLEU   chrF   right   mean log P   length / reference's")
for (penalty, width), row in table.items():
    first = f"{penalty:7.1f} {width:6d}   {row['BLEU']:4.1f}   {row['chrF']:4.1f}"
    print(f"{first}   {row['right']:5.1%}   {row['log P']:10.2f}   {row['length']:8.3f}")

# %%
with drawing((8, 3)) as figure:
    panels = figure.subplots(1, 2)
    for ax, name in zip(panels, ("log P", "BLEU")):
        for penalty, colour, dash, marker in zip((0.0, 1.0), COLOURS, DASHES, MARKERS):
            points = [
                (width, row[name]) for (other, width), row in table.items() if other == penalty
            ]
            look = {"color": colour, "linestyle": dash, "marker": marker}
            ax.plot(*zip(*points), label=f"λ = {penalty:.0f}", **look)
        ax.set(
            xlabel="beam width",
            title={"log P": "mean log P of what is found", "BLEU": "BLEU"}[name],
        )
        ax.grid()
        ax.legend()
figure

# %% [markdown]
r"""
- **Left.** The wider the beam, the likelier what it finds: from -4.62 with greedy decoding to -3.91 with
  width 8. (With $\lambda = 1$ it is a little less, for there it is not log P that decides.) The gain gets
  smaller from width to width, while the cost grows in proportion.
- **Right.** The wider beam also translates better, at first: BLEU rises from 24.2 to 26.5. At width 8 it
  falls again. There is no contradiction in it. log P is the model's opinion, BLEU that of the reference.
  Where the model prefers a wrong sentence, a better search finds it more often. With large models the fall
  can be steep (Koehn and Knowles 2017).
- **Lengths**, in the last column of the table (an `<unk>` counts as one). The model writes shorter sentences
  than the references. Without a penalty they get shorter still as the beam gets wider, 0.926 times the
  length, then 0.850 times: short sentences are likelier, and a good search finds them. With $\lambda = 1$
  they stay near greedy's, 0.907 with width 8, and the brevity penalty takes less.

How much of this is chance? The test has 366 short sentences; with others, the numbers would be others. One
can draw other tests out of this one: as many sentences, at random, some of them twice and some not at all.
That is the bootstrap (Koehn 2004). All widths get the same drawn sentences.
"""


# %%
def bleu_of(drawn, width):
    """BLEU of the drawn sentences, decoded with that width (and λ = 1)."""
    texts = table[1.0, width]["texts"]
    return bleu([texts[n] for n in drawn], [references[n] for n in drawn], "zh").score


rng = np.random.default_rng(0)
tests = rng.integers(len(test), size=(50, len(test)))
best = np.array([bleu_of(drawn, 5) for drawn in tests])
for width in (1, 3, 8):
    gains = best - [bleu_of(drawn, width) for drawn in tests]
    low, high = np.quantile(gains, [0.05, 0.95])
    said = f"{np.mean(gains):.1f} BLEU, in nine of ten draws between {low:.1f} and {high:.1f}"
    print(f"width 5 gains over width {width}: {said}")

# %% [markdown]
r"""
The gain over greedy decoding (width 1) is real, and its size is known to a point or so. Between 3 and 5 this
test cannot tell. That 8 is worse than 5 holds in nearly all draws. One thing more: whoever picks the best row
of such a table and reports it has chosen by the test, and made it a little less of a test. Such choices
belong to the validation set.

### What comes out
"""

# %%
print("sentence, reference; below them: greedy decoding -> beam search, where it differs\n")
for pair, one, other in list(zip(test, by_greedy, table[1.0, 5]["texts"]))[:12]:
    print(f"{pair.source:<40} {pair.target}")
    print(f"    {one}" + ("" if one == other else f"  ->  {other}"))

# %% [markdown]
r"""
These are the first twelve of the test, not chosen. Take your time with them:

- 你会说法语吗？ is not the reference, 你会讲法语吗？, and is as good. BLEU counts one of seven
  characters wrong, and three of four 4-grams.
- "a good worker" becomes 好人, "a good person". The model has seen "good" beside many things, and "worker"
  seldom.
- "checkout counter" is unknown, twice. Greedy decoding says so, `<unk>`. Beam search finds 电梯在哪里？, "Where is
  the lift?", which is fluent, likely, and made up. To the reader the second is worse: nothing in it says that
  it is wrong.
- "I'm looking for you." was right, and the better search has made it worse. On average it is better; in each
  single case it need not be.
"""

# %% [markdown]
r"""
### Where it looks

Attention (chapter 9) is a by-product that one can look at. A row is a character that is written; dark is the
word that was looked at while it was written. These are the longest of the test sentences that come out right.
"""

# %%
found = translator.translate(sources, width=5, length_penalty=1.0)
right = [each for each, pair in zip(found, test) if each.text == pair.target]
right.sort(key=lambda each: len(each.target_tokens), reverse=True)
attention_heatmaps(
    [(each.alphas, each.source_tokens, each.target_tokens) for each in (right or found)[:4]]
)

# %% [markdown]
r"""
- **I like to travel alone.** English has travel before alone, Chinese has 独自, alone, before 旅行, travel. The
  dark cells take one step back: 独 looks at "alone", then 自, 旅 and 行 at "travel". No one told the model that
  the order is another one; it has found out from the pairs.
- **He has written two books.** 写 and 了 look at "written", for 了 is what "has" has become. 本 looks at "books":
  it is the measure word that books are counted in, and one has to know the noun to choose it.
- **This isn't my key.** 我的 is "my". But 我 and 的 look at "key", and "my" is hardly looked at by anyone. Is
  that a mistake? No: the encoder reads in both directions, and its state at "key" knows that "my" stands
  before it. The map shows where the decoder *reads*. It does not show where what is read *came from*.
- Once all is said, the last rows look at whatever is left, the punctuation or the last word.

### By heart

What if one tests on sentences of the training set? The same search, as many sentences:
"""

# %%
by_heart = train[: len(test)]
found = translator.translate([pair.source for pair in by_heart], width=5, length_penalty=1.0)
known = bleu([each.text for each in found], [pair.target for pair in by_heart], "zh").score
print(f"BLEU on training sentences {known:.1f}, on held-out ones {table[1.0, 5]['BLEU']:.1f}")

# %% [markdown]
r"""
More than twice as much. That is what a leak is worth where all of the test leaks, and why the split was made by
components.

### Twelve minutes instead of half a minute

The same kind of model, more than twice as wide, on *all* lengths: 27,055 pairs, read nine times. That takes
some twelve minutes of processor time, too long for a chapter. These are the commands:

```
minis2s train tatoeba
minis2s train tatoeba-fixed
minis2s results runs/tatoeba runs/tatoeba-fixed --save figures/results
```

The second is its twin without attention: there cell and output layer are told the encoder's last state at every
step, and nothing else (chapters 7 and 8). What they left behind is in `figures/results`:
"""

# %%
RESULTS = Path("../figures/results")
records = {
    name: results.read(RESULTS / f"{name}-0.json")
    for name in ("tatoeba", "tatoeba-fixed")
    if (RESULTS / f"{name}-0.json").is_file()
}
if len(records) < 2:
    print("Not all records are here; the commands above make them.")
for name, record in records.items():
    scores = record["scores"]
    said = f"BLEU {scores['bleu zh']:.1f}, chrF {scores['chrf']:.1f}"
    said += f", right {scores['exact_match']:.1%}, loss {scores['loss']:.2f}"
    print(f"{name:14} {said}; {record['parameters']:,} parameters")

# %%
accuracy_by_length("tatoeba", RESULTS) if "tatoeba" in records else None

# %% [markdown]
r"""
With attention BLEU is 37.8 on the shortest sentences and 17.2 on the longest; without it, 32.5 and 10.3. (A
point stands in the middle of the lengths that it is about; the thin line covers all of them.) Long sentences
are harder for both. The dent at 6 is chance: some 180 sentences are few.

For the shortest sentences one vector is nearly enough, and from seven words on it is six to eleven points
behind. The gap does not grow from point to point, the last one stands for 80 sentences; but of the score with
attention the twin has 86% on the left and 60% on the right. It is the picture of chapter 8.
"""

# %%
learning_curves("tatoeba", RESULTS) if "tatoeba" in records else None

# %% [markdown]
r"""
- **With attention** the training loss (thin) goes on falling, to 0.96, long after the held-out loss has come
  to rest at 1.92. It could learn more by heart, but nothing more of the language.
- **Without attention** the training loss comes to 1.20 in the same nine rounds, the held-out loss to 2.04. It
  is not true that nothing can be translated through one vector: Sutskever et al. (2014) did, with four layers
  of 1,000 units and 12 million pairs.
- The lower panel has the exact matches, a strict measure: see 你会说法语吗？ above.

And beam search, on this model? `minis2s evaluate runs/tatoeba`, with greedy decoding and with a beam of 5, gives

| | BLEU | chrF | right |
|---|---|---|---|
| `minis2s evaluate runs/tatoeba` | 28.75 | 24.75 | 7.0% |
| `minis2s evaluate runs/tatoeba --beam 5` | 30.51 | 26.13 | 8.1% |
| `minis2s evaluate runs/tatoeba --beam 5 --length-penalty 1` | 30.91 | 26.37 | 7.8% |

It is the same picture as with the small model: about two points, for a search that costs five times as much.

Some test sentences, from its `samples.txt` (greedy decoding):

| | model | reference |
|---|---|---|
| I will do anything for you. | 我会为你做任何事。 | 我会为你做任何事。 |
| There was no furniture in that room. | 那个房间里没有家具。 | 那个房间里没有家具。 |
| Tom is an extraordinary man. | 汤姆是个不同的人。 | 汤姆是个不寻常的人。 |
| I'm sick and tired of hamburgers. | 我生病了，不累。 | 我吃腻了汉堡。 |
| The kitchen knife wasn't sharp enough to cut the meat, so I used my pocket knife. | 我们的厨师不够，但是我把我的包包是我的包。 | 这把菜刀不够锋利，所以我用了我的折叠刀来切肉。 |

The fourth says "I am ill, not tired": word for word, what else could one make of sick and tired? The fifth is
lost. 27,000 pairs are very few: systems that people use have learnt from a thousand times as many and more.
"""

# %% [markdown]
r"""
## The document's own code

### 002, 6.3: a translation without a word

6.1 sets the task: "ChatGPT is powerful" is to become "ChatGPT很强大". 6.2 gives the program; its sentences are
these two lines:

```python
input_seq = torch.randn(10, 1, 20)  # 英文输入句子
target_seq = torch.randn(10, 1, 30)  # 中文目标句子
```

They are random numbers. There is no vocabulary, so no number that would be ChatGPT or 强大, and no training.
What the program shows, once its loop is mended as in chapter 7, is that the shapes fit. That is worth
showing. But 6.3 says that the sentence was translated (成功地), and that it cannot have been. What does an
untrained model say? Here are five of ours, that differ in nothing but the seed of their random weights:
"""

# %%
for seed in range(5):
    untrained = Translator.untrained(train, **KINDS, **SMALL, seed=seed)
    (said,) = untrained.translate(["ChatGPT is powerful"], max_length=8)
    print(f"seed {seed}: {said.text}")

# %% [markdown]
r"""
Five models, five "translations". How would one *know* that a sentence has been translated? Train on other
sentences, hold this one out, and look.

### Its sentence, translated

It can be done, in seconds, with a language that is small enough: eight names, eight adjectives, and one way
to join them. Of these 64 sentences 48 are for training, and "ChatGPT is powerful" is among the 8 of the test.
Training has ChatGPT, and has powerful, but never together. Three models learn it, twice each: our kind, and
the two of 002.
"""

# %%
OF_002 = {"cell": "lstm", "bidirectional": False}
MODELS = {
    "as in this chapter": {"cell": "gru", "bidirectional": True, "attention": "additive"},
    "002 §3, no attention": OF_002 | {"attention": "none", "context": "every step"},
    "002 §4, attention": OF_002 | {"attention": "concat"},
}
for name, kind in MODELS.items():
    for seed in (0, 1):
        small = Translator.untrained(
            grid.train, "words", "characters", seed, embedding_size=32, hidden_size=32, **kind
        )
        trainer, rng = Trainer(small.model, Adam(0.01), seed=seed), np.random.default_rng(seed)
        for _ in range(100):
            for batch in batches_by_length(small.encode(grid.train), 16, rng):
                trainer.step(batch)
        right = {}
        for split in ("train", "test"):
            asked = getattr(grid, split)
            found = small.translate([pair.source for pair in asked])
            right[split] = sum(each.text == pair.target for each, pair in zip(found, asked))
        (said,) = small.translate(["ChatGPT is powerful"])
        print(
            f"{name:21} right: {right['train']} of 48 learnt, {right['test']} of 8 new; {said.text}"
        )

# %% [markdown]
r"""
The first kind has truly translated 6.3's sentence, without ever having seen it. All six models know the 48 by
heart, and on the training loss alone they look alike. On the 8 new ones they do not: a model may learn that
ChatGPT is ChatGPT and powerful is 强大, or it may learn 48 sentences, and nothing in training tells which. That
is why one holds out.

It is a language of 16 words and one rule, of course. It shows that the machine works; not that it knows Chinese.

### Both sentences, in the real language

Now the translator that has learnt from Tatoeba, with both documents' sentences as they stand there, and some
that are near to them:
"""

# %%
for text in (
    "Hello world", "Hello, world!", "Hello, Tom.",
    "ChatGPT is powerful", "Tom is powerful.", "The dog is strong.",
):  # fmt: skip
    (first,) = translator.translate([text])
    (best,) = translator.translate([text], width=5, length_penalty=1.0)
    print(f"{text:20} <unk>: {', '.join(first.unknown) or 'none':18} {first.text}  ->  {best.text}")

# %% [markdown]
r"""
- **Hello world** comes out as 大家好。, "Hello everyone." It is not what 004 says, and it is not bad. The next
  cell shows all that the model has ever read with "hello" in it. Nobody there greets the world; but everyone
  is greeted. With a comma and an exclamation mark, beam search has 你们好！, "Hello, all of you!"
- **Hello, Tom.** is in training, word for word. Greedy decoding, which begins with 你 and then 是, gets it
  wrong ("You are Tom's"); beam search, which keeps 你 好 in hand, gets it right.
- **ChatGPT is powerful.** Two words of three are `<unk>`, and the model says so: `<unk>`, four times. It even
  knows where they come from, as the map below shows. It cannot know more. Of **Tom is powerful** beam search
  makes 汤姆醉了。, "Tom is drunk", as it made a lift of the checkout counter: `<unk>` is not likely, so a search
  for the likely avoids it.
- **The dog is strong** has known words, and there is a translation. That is the difference: not the kind of
  model, but whether it has read the words.
"""

# %%
for pair in train:
    if "hello" in words(pair.source, lower=True):
        print(f"{pair.source:24} {pair.target}")
found = translator.translate(["ChatGPT is powerful", "Hello world"], width=5, length_penalty=1.0)
attention_heatmaps([(each.alphas, each.source_tokens, each.target_tokens) for each in found])

# %% [markdown]
r"""
The first two `<unk>` look at "chatgpt", the other two at "powerful". One could put there what they look at,
ChatGPT itself; early systems did just that (Jean et al. 2015). Today's cut unknown words into known pieces
(Sennrich et al. 2016), as we have done on the Chinese side with characters.

And the larger model, `minis2s predict runs/tatoeba --beam 5 "…"`?

| | greedy | beam of 5 |
|---|---|---|
| Hello world | 你是世界。 | 你是世界。 |
| Hello, world! | 你好世界。 | 你好世界。 |
| ChatGPT is powerful | `<unk><unk>`是液体的。 | 创造了。 |
| The dog is strong. | 这只狗很强壮。 | 这只狗很强壮。 |

With punctuation, as in its training sentences, it has 你好世界, which is 004's sentence but for the comma.
Without it, "You are the world": a comma and an exclamation mark decide. And for ChatGPT it says "is liquid",
or "has created": when a model is asked for what it has never read, it still answers, in good Chinese.

### 004: what its loop prints

The program of 004 ends with

```python
print(f'Epoch: {epoch+1:02} | Train Loss: {train_loss:.3f}')
```

and that is all one ever learns of the model. (`train_iterator` is made nowhere. `batch.src` and `batch.trg`
belong to torchtext's old batches, which are gone since version 0.12. So whoever wants to run it writes the
data part; in `minis2s` it is `Translator.encode` and `make_batch`, and chapters 5 and 6 say what becomes of
the padding.) We have seen two things that the training loss cannot tell:

- It goes on falling while the held-out loss has stopped, in our four rounds and in the picture of the larger
  model.
- It is measured with a teacher, if only half of the time. Of what the model *writes* by itself it says
  nothing; for that one must decode.

The right version has three things more: held-out sentences, a decode loop that is not given the target, and a
score.

It is an easy thing to leave out. The
[tutorial](https://github.com/PaddlePaddle/docs/blob/028bc898ca7819da233b774435d73e9d14601b94/docs/practices/nlp/seq2seq_with_attention.ipynb)
of PaddlePaddle on this very corpus trains on 6,784 short pairs, all of them, and shows ten translations;
seven are the reference to the last character. The ten sentences are drawn from `train_en_sents`. It does not
say that they are new, and as a demonstration that training works it is fair. But seven of ten is what a model
knows by heart. Ours, on the first 366 of its training sentences and on the 366 new ones:
"""

# %%
sets = {"training": by_heart, "held-out": test}
for name, some in sets.items():
    found = translator.translate([pair.source for pair in some], width=5, length_penalty=1.0)
    share = np.mean([each.text == pair.target for each, pair in zip(found, some)])
    print(f"{name:9} sentences right to the last character: {share:.0%}")

# %% [markdown]
r"""
The model is not theirs, and nor are the sentences; so this does not say what theirs would do on new ones.
Nobody knows, and that is the point.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where. It never shows how. Run it as often as you like.

### 1. One step of a beam search

From a blank page: K beams with their scores, log P so far, and for each of them log p of every next token.
Give the K likeliest continuations, by falling score: their scores, the beam that each of them continues, and
its token. One sentence, no `<end>` to be minded. (`np.argsort` sorts; a flat list of K·V has its beam and its
token in its index.)
"""


# %% exercise="beam_step" points=3
def beam_step(scores, log_p):
    """scores (K,), log_p (K,V) -> scores (K,), parents (K,), ys (K,)"""
    raise NotImplementedError


# %%
check.beam_step(beam_step)

# %% [markdown]
r"""
### 2. Predict, then run

A reference has ten characters, all different. The hypothesis is its first eight. What is its BLEU? To within
half a point. Then take away the first `#`.
"""

# %% exercise="bleu_of_the_first_eight" points=1
bleu_of_the_first_eight = None

# %%
check.bleu_of_the_first_eight(bleu_of_the_first_eight)

# %%
reference = "天地玄黄宇宙洪荒日月"
# print(bleu([reference[:8]], [reference], "char"))

# %% [markdown]
r"""
### 3. Which length penalty?

One hypothesis has 4 tokens and log P = -3.0, another has 7 tokens and log P = -3.6. Without a penalty the first is
ranked higher. With which $\lambda$ in (10.2) are both ranked the same? To within 0.02.
"""

# %% exercise="exponent_of_equal_rank" points=1
exponent_of_equal_rank = None

# %%
check.exponent_of_equal_rank(exponent_of_equal_rank)

# %%
for penalty in (0.0, 0.3, 0.6, 0.9):
    ranks = -3.0 / length_normaliser(4, penalty), -3.6 / length_normaliser(7, penalty)
    # print(penalty, np.array(ranks))

# %% [markdown]
r"""
### 4. How many may be drawn?

Four tokens have the probabilities 0.4, 0.3, 0.2 and 0.1. We draw with `top_k=3` and `top_p=0.75`, top_k
first. How many of the four tokens can come out? Mind what the division in (10.6) does.
"""

# %% exercise="tokens_left_to_draw" points=1
tokens_left_to_draw = None

# %%
check.tokens_left_to_draw(tokens_left_to_draw)

# %%
# print(distribution(np.log([[0.4, 0.3, 0.2, 0.1]]), top_k=3, top_p=0.75))

# %% [markdown]
r"""
### 5. Find the planted bugs

This BLEU has two mistakes. Each makes a bad translator look good. One hypothesis below says the same two
characters over and over, the other stops after half of its sentence.
"""


# %%
def broken_bleu(hypotheses, references):
    """Lists of texts, one character a token -> BLEU of the corpus, 0 to 100"""
    matched, total = np.zeros(4), np.zeros(4)
    for hypothesis, reference in zip(hypotheses, references):
        for n in (1, 2, 3, 4):
            counts, known = ngrams(hypothesis, n), ngrams(reference, n)
            matched[n - 1] += sum(count for g, count in counts.items() if g in known)
            total[n - 1] += sum(counts.values())
    C, R = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * min(1.0, np.exp(1 - C / R)) * np.prod(matched / total) ** (1 / 4)


for hypothesis, reference in (
    ("天地天地天地天地", "天地天地人天地人"),
    ("天地人大小多", "天地人大小多上下左右"),
):
    both = broken_bleu([hypothesis], [reference]), bleu([hypothesis], [reference], "char").score
    print(f"{hypothesis}: broken {both[0]:.1f}, right {both[1]:.1f}")


# %% exercise="mended_bleu" points=2
def mended_bleu(hypotheses, references):
    """Lists of texts, one character a token -> BLEU of the corpus, 0 to 100"""
    raise NotImplementedError


# %%
check.mended_bleu(mended_bleu)

# %% [markdown]
r"""
### 6. Has everything been said?

A translation may leave out a word of the source; nothing in (10.4) minds. Wu et al. (2016, §7) add a term
that does. Sum the attention weights of each source position over all tokens that were written: about 1 or
more if the word has been looked at, near 0 if not. Then

$$\mathrm{rank}(Y) = \frac{\log P(Y \mid X)}{\mathrm{lp}(Y)} + \beta \sum_{i=1}^{S} \log \left( \min \left( \sum_{t=1}^{\lvert Y \rvert} \alpha_{ti}, 1 \right) \right)$$

Write it. How is $\lvert Y \rvert$ hidden in `alphas`? `length_normaliser(length, length_penalty)` is (10.2).
"""


# %% exercise="rank_with_coverage" points=2
def rank_with_coverage(score, alphas, length_penalty, beta):
    """score () log P, alphas (T,S) -> the rank of the hypothesis ()"""
    raise NotImplementedError


# %%
check.rank_with_coverage(rank_with_coverage)

# %% [markdown]
r"""
It can be used on what a beam search finds, to choose among its hypotheses:
`beam_search(model, source, lengths, width=8, n_best=8)` gives them with `score` and `alphas`. Does it help
here? Try.

## What to read next

- K. Papineni, S. Roukos, T. Ward, W.-J. Zhu, [BLEU: a method for automatic evaluation of machine
  translation](https://aclanthology.org/P02-1040), 2002, §2: the whole of it, with the example of the seven
  "the".
- M. Post, [A call for clarity in reporting BLEU scores](https://arxiv.org/abs/1804.08771), 2018: why a BLEU
  without its tokenisation cannot be compared, and sacreBLEU.
- M. Popović, [chrF: character n-gram F-score](https://aclanthology.org/W15-3049), 2015.
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §3.2: beam search, in eight lines.
- Y. Wu et al., [Google's neural machine translation system](https://arxiv.org/abs/1609.08144), 2016, §7:
  length and coverage.
- P. Koehn, R. Knowles, [Six challenges for neural machine translation](https://arxiv.org/abs/1706.03872),
  2017: unknown words, long sentences, wide beams.
- F. Stahlberg, B. Byrne, [On NMT search errors and model errors](https://arxiv.org/abs/1908.10090), 2019:
  what is found when the search is exact.
- A. Holtzman et al., [The curious case of neural text degeneration](https://arxiv.org/abs/1904.09751), 2020,
  §3: the nucleus.
- P. Koehn, [Statistical significance tests for machine translation
  evaluation](https://aclanthology.org/W04-3250), 2004: the bootstrap.
- S. Jean, K. Cho, R. Memisevic, Y. Bengio, [On using very large target
  vocabulary](https://arxiv.org/abs/1412.2007), 2015: copying what is unknown. R. Sennrich, B. Haddow, A.
  Birch, [Neural machine translation of rare words with subword units](https://arxiv.org/abs/1508.07909),
  2016: having nothing unknown.

Next is chapter 11: attention without a recurrent layer.
"""
