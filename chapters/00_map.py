# %% [markdown]
r"""
# 0 · The map

地圖 · 地图 · the map

A model reads a sentence in one language and writes one in another. Five Chinese documents tell how, each in its
own letters, and you may have one of them open. This notebook shows where everything is: what such a model does,
in one picture; what each document is good for; which of its letters is which of ours; and in which chapter each
thing is derived, written by hand and checked.

Nothing here has to be understood before its chapter explains it. Run all cells; it takes some seconds. On a
first visit read *The idea* and *Worth a look*, where a model learns before your eyes to translate a date of your
choice. The tables are for looking things up, now or in the middle of chapter 9.
"""

# %%
from itertools import pairwise
from pathlib import Path

import numpy as np

import minis2s
from minis2s.cases import cases
from minis2s.exercises import check
from minis2s.figures.alignment import DATES
from minis2s.figures.trained import trained
from minis2s.functional import softmax
from minis2s.gradcheck import gradcheck
from minis2s.models import Seq2Seq, document
from minis2s.nn import LSTM
from minis2s.plots import COLOURS, attention_heatmap, drawing

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
r"""
## What it goes with

All five documents. They are the other book that you read beside this one; keep yours open. The chapters call
them by number, and their sections by their own headings. (繁: traditional script; 简: simplified.)

| no. | title | script | what it is good for |
|---|---|---|---|
| 000 | 編碼器-解碼器（Encoder-Decoder）模型 | 繁 | the whole on one page: idea, formulas, and a program from the first import to the training loop |
| 001 | 編碼器-解碼器（Encoder-Decoder）架構 | 繁 | equations without a program, encoder beside decoder; in plain words, why one vector is too narrow |
| 002 | 工作中经常听到的Encoder-Decoder结构框架是什么？ | 简 | the widest: LSTM, attention, self-attention, each first as a formula and then in code |
| 003 | without a title; it begins with 1. 背景介绍 | 简 | the most exact formulas, with a name for every weight; a decoder with attention, one step after the other |
| 004 | without a heading; it begins with Seq2Seq（Sequence-to-Sequence）模型 | 简 | the program nearest to practice: words, `<start>` and `<end>`, two layers, dropout, teacher forcing, clipping |

What becomes of their code when it is run is told below, and at length in the chapters. Which section of a document
is treated in which section of a chapter, and back, is in [README.md](README.md).

No chapter comes before this one. The next is chapter 1.
"""

# %% [markdown]
r"""
## Terms

The terms of all chapters, in the order of the chapters; the last column says where to read about them. Each
chapter has its own shorter list.

| 繁 | 简 | English | chapter |
|---|---|---|---|
| 編碼器、解碼器 | 编码器、解码器 | encoder, decoder | 6, 7 |
| 序列、時間步、批次 | 序列、时间步、批次 | sequence, time step, batch | 1 |
| 循環神經網絡 | 循环神经网络 | recurrent neural network, RNN | 1 |
| 隱藏狀態 | 隐藏状态 | hidden state | 1 |
| 向量、矩陣、形狀 | 向量、矩阵、形状 | vector, matrix, shape | 1 |
| 列（台灣） | 行 | row | 1 |
| 行（台灣） | 列 | column | 1 |
| 權重、偏置 | 权重、偏置 | weights, bias | 1 |
| 激活函數、雙曲正切、飽和 | 激活函数、双曲正切、饱和 | activation function, hyperbolic tangent, saturation | 1 |
| 不動點 | 不动点 | fixed point | 1 |
| 前向傳播、反向傳播 | 前向传播、反向传播 | forward pass, backward pass or backpropagation | 1 |
| 損失、損失函數 | 损失、损失函数 | loss, loss function | 1, 5 |
| 梯度、鏈式法則 | 梯度、链式法则 | gradient, chain rule | 1 |
| 展開、沿時間展開、計算圖 | 展开、沿时间展开、计算图 | unrolling, unrolling over time, computation graph | 1, 2 |
| 隨時間反向傳播 | 随时间反向传播 | backpropagation through time, BPTT | 2 |
| 上游梯度、快取 | 上游梯度、缓存 | upstream gradient, cache | 2 |
| 權重共享、權重綁定 | 权重共享、权重绑定 | shared weights, tied weights | 2, 6, 7 |
| 梯度檢查、有限差分 | 梯度检查、有限差分 | gradient check, finite difference | 1, 2 |
| 前向差分、中心差分、步長 | 前向差分、中心差分、步长 | forward difference, central difference, step size | 2 |
| 捨入誤差、截斷誤差、相對誤差 | 舍入误差、截断误差、相对误差 | rounding error, truncation error, relative error | 2 |
| 方向導數 | 方向导数 | directional derivative | 2 |
| 梯度消失、梯度爆炸、梯度裁剪 | 梯度消失、梯度爆炸、梯度裁剪 | vanishing gradient, exploding gradient, gradient clipping | 2 |
| 訓練循環、學習率 | 训练循环、学习率 | training loop, learning rate | 2 |
| 長短期記憶 | 长短期记忆 | long short-term memory, LSTM | 3 |
| 細胞狀態 | 细胞状态 | cell state, the cell | 3 |
| 輸入閘、遺忘閘、輸出閘 | 输入门、遗忘门、输出门 | input gate, forget gate, output gate | 3 |
| 候選內容 | 候选内容 | candidate, the new content | 3, 4 |
| 逐元素相乘、加權平均 | 逐元素相乘、加权平均 | elementwise product, weighted average or mean | 3, 4, 9 |
| 門控循環單元 | 门控循环单元 | gated recurrent unit, GRU | 4 |
| 更新閘、重置閘 | 更新门、重置门 | update gate, reset gate | 4 |
| softmax 函數 | softmax 函数（归一化指数函数） | softmax | 5 |
| 未歸一化的分數 | 未归一化的分数 | logits | 5 |
| 概率分佈（台灣：機率分佈） | 概率分布 | probability distribution | 5 |
| 交叉熵、負對數似然、困惑度 | 交叉熵、负对数似然、困惑度 | cross-entropy, negative log-likelihood, perplexity | 5 |
| 均方誤差 | 均方误差 | mean squared error | 2, 5 |
| 雅可比矩陣 | 雅可比矩阵 | Jacobian matrix | 5 |
| 溢位、下溢 | 溢出、下溢 | overflow, underflow | 5 |
| 溫度、標籤平滑 | 温度、标签平滑 | temperature, label smoothing | 5, 10 |
| 填充、填充符、遮罩 | 填充、填充符、掩码 | padding, padding token, mask | 5, 6, 9 |
| 詞元、編號、詞彙表、詞表 | 词元、编号、词汇表、词表 | token, id, vocabulary (both words) | 6 |
| 獨熱向量、詞嵌入 | 独热向量、词嵌入 | one-hot vector, word embedding | 5, 6 |
| 上下文向量 | 上下文向量 | context vector | 6, 7, 9 |
| 雙向循環神經網絡、層 | 双向循环神经网络、层 | bidirectional recurrent network, layer | 6 |
| 隨機失活、丟棄法 | 随机失活、丢弃法 | dropout (both words) | 6 |
| 訓練、評估 | 训练、评估 | training, evaluation | 6 |
| 層正規化 | 层归一化 | layer normalisation | 6 |
| 均值、變異數、標準差 | 均值、方差、标准差 | mean, variance, standard deviation | 6, 11 |
| 起始符、結束符 | 起始符、结束符 | start token, end token | 5, 7 |
| 目標序列、右移一位 | 目标序列、右移一位 | target sequence, shifted right by one | 7 |
| 條件機率、最大概似 | 条件概率、最大似然 | conditional probability, maximum likelihood | 7 |
| 自迴歸、因果性 | 自回归、因果性 | autoregressive, causality | 7 |
| 教師強制、自由運行 | 教师强制、自由运行 | teacher forcing, free running | 2, 7 |
| 排程取樣、曝光偏差 | 计划采样、曝光偏差 | scheduled sampling, exposure bias | 7 |
| 貪婪解碼 | 贪心解码 | greedy decoding | 7, 10 |
| 瓶頸、固定長度、容量、位元 | 瓶颈、固定长度、容量、比特 | bottleneck, fixed length, capacity, bit | 8, 9 |
| 長期依賴、長距離依賴 | 长期依赖、长距离依赖 | long-term dependency, long-distance dependence | 8, 11 |
| 路徑長度、最短時間間隔、來源反轉 | 路径长度、最短时间间隔、源序列反转 | path length, minimal time lag, source reversal | 8 |
| 移位暫存器、訊噪比 | 移位寄存器、信噪比 | shift register, signal-to-noise ratio | 8 |
| 線性探針、最小平方法、可解釋的變異 | 线性探针、最小二乘法、可解释的方差 | linear probe, least squares, explained variance | 8 |
| 完全匹配 | 完全匹配 | exact match | 8 |
| 注意力機制 | 注意力机制 | attention mechanism | 9 |
| 查詢、鍵、值 | 查询、键、值 | query, key, value | 9 |
| 相似度得分、注意力權重 | 相似度得分、注意力权重 | score, attention weights | 9 |
| 對齊、熱力圖 | 对齐、热力图 | alignment, heat map | 9 |
| 加性注意力、點積注意力 | 加性注意力、点积注意力 | additive attention, dot attention | 9 |
| 輸入饋送、門控連接 | 输入馈送、门控连接 | input feeding, gated connection | 9 |
| 機器翻譯 | 机器翻译 | machine translation | 10 |
| 平行語料、句對 | 平行语料、句对 | parallel corpus, sentence pair | 10 |
| 斷詞、未登錄詞 | 分词、未登录词 | tokenisation, out-of-vocabulary word | 10 |
| 留出資料、測試集、資料洩漏 | 留出数据、测试集、数据泄漏 | held-out data, test set, leak | 10 |
| 解碼、搜尋、假設 | 解码、搜索、假设 | decoding, search, hypothesis | 10 |
| 集束搜尋、束寬、長度懲罰 | 束搜索、束宽、长度惩罚 | beam search, beam width, length penalty | 10 |
| 取樣、核取樣 | 采样、核采样 | sampling, nucleus sampling | 10 |
| 參考譯文、n 元組 | 参考译文、n 元组 | reference translation, n-gram | 10 |
| 精確率、召回率、簡短懲罰 | 精确率、召回率、简短惩罚 | precision, recall, brevity penalty | 10 |
| 自注意力機制 | 自注意力机制 | self-attention | 11 |
| 縮放點積注意力、多頭注意力 | 缩放点积注意力、多头注意力 | scaled dot-product attention, attention with several heads | 11 |
| 填充遮罩、因果遮罩 | 填充掩码、因果掩码 | padding mask, causal mask | 11 |
| 位置編碼、置換 | 位置编码、置换 | positional encoding, permutation | 11 |
| 直方圖 | 直方图 | histogram | 11 |
| 殘差連接、前饋網絡 | 残差连接、前馈网络 | residual connection, feed-forward network | 11 |
| 深度學習框架、自動微分 | 深度学习框架、自动微分 | deep-learning framework, automatic differentiation | 12 |
| 矩陣乘法、逐元素運算 | 矩阵乘法、逐元素运算 | matrix product, elementwise operation | 12 |
| 算術強度、屋頂線模型 | 算术强度、屋顶线模型 | arithmetic intensity, roofline model | 12 |
| 非正規數、執行緒 | 非规格化数、线程 | denormal number, thread | 12 |
| 基準測試、預熱、消融實驗 | 基准测试、预热、消融实验 | benchmark, warm-up, ablation | 12 |
| 中位數、四分位數 | 中位数、四分位数 | median, quartile | 12 |
| 圖形處理器、中央處理器 | 图形处理器、中央处理器 | graphics processing unit, central processing unit | 13 |
| 主機、裝置、傳輸、頻寬 | 主机、设备、传输、带宽 | host, device, transfer, bandwidth | 13 |
| 核心函式、啟動、同步、融合 | 核函数、启动、同步、融合 | kernel, launch, to synchronise, to fuse | 13 |
| 浮點運算、單精度、雙精度 | 浮点运算、单精度、双精度 | floating-point operation, single precision, double precision | 13 |
| 偽隨機數 | 伪随机数 | pseudo-random number | 13 |
"""

# %% [markdown]
r"""
## Symbols

### One notation for five documents

Go down the column of your document; what the chapters call the same thing stands under *here*. In `this type`
are names in code. A dash: the document has no sign for it.

| 000 | 001 | 002 | 003 | 004 | here | in the code | what it is |
|---|---|---|---|---|---|---|---|
| $x_t$, `src` | $x_t$ | $x_t$, `x` | $x_t$, `input` | $x_t$, `src` | $x_t$ | `x[t]`; of ids `source[t]` | what the encoder reads at step $t$ |
| $T$, `seq_len` | $T$ | $n$ | $N$ | $T$ | $T$; of a source $S$ | `T`, `S` | the number of steps that it reads |
| $h_t$, `output` | $h_t$ | $h_t$, $h_i$ | $h_t$, $h_i$ | `outputs` | $h_t$, in attention $h_i$ | `h`, all of them `hs` | the encoder's hidden state |
| – | $h_0 = 0$ | – | `initHidden` | – | $h_0$ | `h0` | the state before the first step |
| $h_T$, `h_n` | $h_T$ | $h_n$, `hidden` | $h_N$, `hidden` | $c$, `hidden` | $h_T$, $h_S$ | `hT`, `states` | the encoder's last state |
| `c_n` | – | `_`, 2.3 | inside `hidden` | `cell` | $c_t$ | `c` | the cell of an LSTM |
| $f$, `rnn` | $f$ | $f$, `lstm` | $f$, `rnn` | `rnn` | cell | `RNN`, `LSTM`, `GRU` | the rule that makes the next state |
| – | $W$, its two parts | – | $W_{xh}$, $W_{hh}$ | – | $W_x$, $W_h$ | `Wx`, `Wh` | weights from input and from state to state |
| – | $b$ | – | $b_h$ | – | $b$ | `b` | their bias |
| $h'_t$ | $h_t^{\text{dec}}$ | $s_t$ | $s_t$ | `hidden` | $s_t$ | `s`, all of them `ss` | the decoder's hidden state |
| $h'_1 = h_T$ | – | `encoder_hidden`, 6.2 | in words, 3.2 | in words, 工作流程 | $s_0 = h_S$ (7.3) | `states0` | where the decoder begins |
| – | $W^{\text{dec}}$, $b^{\text{dec}}$ | inside $g$ | $W_{ys}$, $W_{ss}$, $b_s$ | – | $W_x$, $W_h$, $b$ | `Wx`, `Wh`, `b` | the weights of the decoder's cell |
| – | – | $h_n$ in $g$ | $W_{hs} h_N$ | – | $c$ in (7.5) | `c` | the context, told at every step |
| `tgt` | $y_{t-1}$ | $y_{t-1}$, `decoder_input` | $y_{t-1}$, `input` | `input`, `trg[t]`, `top1` | $y_{t-1}$ | `y` | the word that the decoder is fed |
| `tgt` | – | – | – | `trg[1:]` | $y_t$ | `targets` | the word that it should say |
| $T$ | – | $m$ | – | $T'$, `trg_len` | $T$ | `T` | the number of words that it says |
| $g$, `fc` | $W^{\text{out}}$, $b^{\text{out}}$ | $W$, $b$, `fc` | $W_{sy}$, $b_y$, `out` | `fc_out` | $W_o$, $b_o$ (7.2); $W_y$, $b_y$ (2.1) | `output.W`, `output.b` | the output layer |
| – | – | `output` | – | `output`, `prediction` | $\mathrm{logits}_t$ | `logits` | its numbers, before the softmax |
| – | $y_t$ | $y_t$ | $y_t$; its logarithm, `output` | – | $p_t$ | `p` | the distribution over the next word |
| $y_t$, `output` | – | – | – | – | $y_t$ in (7.8) | `outputs` | an output that is a vector and no word |
| – | – | $e_{t,i}$, $\text{score}$ | $e_{t,i}$, $a$ | – | $e_{ti}$ | `e`, `scores` | score of place $i$ at step $t$ |
| – | 注意力權重 | $\alpha_{t,i}$, `attn_weights` | $\alpha_{t,i}$, `attn_weights` | – | $\alpha_{ti}$ | `alpha`, `alphas` | attention weight |
| – | – | $c_t$, `context` | $c_t$, `attn_applied` | – | $\mathrm{context}_t$ | `context`, `contexts` | what attention brings back |
| – | – | $W^Q$, $W^K$, $W^V$ | – | – | $W_Q$, $W_K$, $W_V$ | `query.W`, `key.W`, `value.W` | weights of self-attention |
| – | – | $Q$, $K$, $V$ | – | – | $Q$, $K$, $V$ | `Q`, `K`, `V` | queries, keys, values |
| – | – | $d_k$, `scale` | – | – | $d_k$ | `Q.shape[3]` | the size of a key |
| `loss` | – | – | – | `loss` | $L$ | `loss` | the loss, one number |
| `loss.backward()` | – | – | – | `loss.backward()` | $dX$, for any $X$ | `dX` | the gradient of $L$ with respect to $X$ |

Two habits go through all rows. 001 to 003 write a vector as a column and the matrix before it, $W x$. Here a
vector is a row and the matrix stands behind it, $x W$, so that a batch is rows below each other (chapter 1);
002 does it as well, in 5.2. And a gradient is one name, $d$ and the name: nothing is multiplied.

### Letters for sizes

Shapes are written as `hs (S,B,H)`: S blocks of B rows and H columns. Time comes first, the batch second.

| letter | how many |
|---|---|
| T | steps; where there is a source as well, those of the target |
| S | places in the source (chapters 1 to 6 have one sequence only, and call its steps T; chapter 8 has n) |
| B | sequences side by side in a batch |
| D | numbers in an input vector |
| E | numbers in a word's vector, in chapters 7 to 9 (in chapter 6 that is D) |
| H | numbers in a hidden state; what has been read in both directions has 2H |
| V | words of a vocabulary, and so numbers in a row of logits |
| A | numbers in what attention compares |
| Q | numbers in a query, where it is not H |
| N | positions laid end to end, T·B of them |

### Letters with two meanings

There are more things than letters. These you will meet twice, and each time the chapter says which is meant:

| letter | here | and there |
|---|---|---|
| $c$ | the cell of an LSTM (3) | the context: in 002 to 004, and in chapter 7 |
| $f$ | the forget gate (3) | the whole recurrent function, in the documents |
| $g$ | the new content of an LSTM (3); a gate (9) | in 000 the output layer, in 002 the decoder's cell |
| $y_t$ | the word that should come (5, 7) | a distribution in 001 to 003; an output (2); what self-attention fetches (11) |
| $z$ | the update gate (4) | a normalised number (6); a target vector (5) |
| $r$ | the reset gate (4) | random upstream gradients (1, 2, 3) |
| $n$ | the new content of a GRU (4) | a position (5); the length of the source, in 002 and in chapter 8 |
| $k$ | key (9) | mask of dropout (6); steps back (2) |
| $p$ | a probability (5, 7) | the share that is dropped (6); a place (8, 11); a precision (10) |
| $K$ | keys (11) | how many beginnings a beam search keeps (10) |
| $V$, $E$ | two of the sizes above | values (11); the table of words' vectors (7), scores (11) |
"""

# %% [markdown]
r"""
## The idea

An **encoder-decoder** is two networks and what is said between them. The encoder (編碼器 / 编码器) reads a sentence,
word by word, and changes its state at each word. The decoder (解碼器 / 解码器) begins from what the encoder has in
mind at the end, and writes a sentence, word by word, each one after the words before it. No rule of either
language is built in. There are only weights, and training finds them.

Here is document 004's example, Hello world to 你好，世界. In the dark boxes: the chapters. (The next cell only draws
it; read on below.)
"""

# %%
READ, FED, SAID = ("Hello", "world"), ("<start>", "你好", "，", "世界"), ("你好", "，", "世界", "<end>")
PLACES = [0, 1.7, 4.9, 6.6, 8.3, 10]  # of two steps of reading and four of writing
LABELS = [  # x, y, what is to be seen there, the chapters about it
    (1.4, -0.6, "the encoder reads", "6"), (8.15, -0.6, "the decoder writes", "7"),
    (0.95, 1.5, "the cell", "1, 3, 4"), (3.8, 1.62, "the bottleneck", "8"),
    (3.5, 3.0, "attention: look back", "9"), (1.3, 3.0, "self-attention", "11"),
    (11.75, 2.85, "how wrong?", "5"), (11.75, 3.75, "which word?", "10"),
    (5.8, -1.2, "back: the gradients", "2"),
]  # fmt: skip


def draw_map():
    """A model that reads two words and writes four, and which chapter is about which part."""
    with drawing((9.6, 4.4)) as figure:
        ax = figure.add_subplot(xlim=(-0.7, 12.3), ylim=(-1.4, 4.2))
        ax.axis("off")

        def box(x, y, label, **look):
            look = {"boxstyle": "round,pad=0.4", "ec": "0.4", "fc": "white"} | look
            look = {"bbox": look, "parse_math": "$" in label, "ha": "center", "va": "center"}
            return ax.text(x, y, label, **look)

        def arrow(start, end, **look):
            ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
            look = {"arrowstyle": "->", "color": "0.25", "shrinkA": 1, "shrinkB": 1} | ends | look
            ax.annotate("", end.get_position(), start.get_position(), arrowprops=look)

        states = []
        for n, (x, word) in enumerate(zip(PLACES, READ + FED)):
            t = n - 1  # the step of writing
            state = box(x, 2, f"$h_{n + 1}$" if n < 2 else f"$s_{t}$", fc="#DCEBF7")
            column = [box(x, 0, word, ec="none"), box(x, 1, "● ● ●"), state]
            if n >= 2:
                column += [box(x, 2.85, f"$p_{t}$"), box(x, 3.75, SAID[t - 1], ec="none")]
            for start, end in pairwise(column):
                arrow(start, end)
            if states:
                arrow(states[-1], state, lw=4 if n == 2 else 1)
            states.append(state)
        dashed = {"linestyle": "--", "color": COLOURS[0], "lw": 1.3}
        for state, bend in zip(states, (-0.35, -0.45)):
            arrow(state, states[2], connectionstyle=f"arc3,rad={bend}", **dashed)
        dashed |= {"connectionstyle": "arc3,rad=-0.9", "arrowstyle": "<->"}
        arrow(states[0], states[1], **dashed)
        back = {"linestyle": "--", "color": COLOURS[1], "lw": 1.6, "arrowstyle": "->"}
        ax.annotate("", (-0.5, -1.2), (10.6, -1.2), arrowprops=back, zorder=0)
        for x, y, label, chapters in LABELS:
            look = {"va": "center", "size": 9}
            ax.text(x, y, f"{label}  ", ha="right", backgroundcolor="white", **look)
            look["bbox"] = {"boxstyle": "round,pad=0.25", "fc": "0.25", "ec": "none"}
            ax.text(x, y, chapters, color="white", **look)
    return figure


draw_map()

# %% [markdown]
r"""
Start at the lower left and go up and to the right.

- Each word becomes a row of numbers, its vector, and changes the encoder's state $h$. (Chapter 6; the rule by
  which it changes is the *cell*, of which there are three kinds, in chapters 1, 3 and 4.)
- The thick arrow hands the last state over. In the plainest model it is *all* that the decoder is ever told
  of the sentence, be it long or short: a bottleneck (瓶頸 / 瓶颈, chapter 8).
- The decoder is fed `<start>`, then one word after the other, and changes its own state $s$. From each state
  comes a distribution $p$ over all words it knows. (Chapter 7. Look at the two rows of words: what it is fed
  is what it should say, one step late.)
- While it learns, $p$ is compared with the word that should have come: how wrong was it? (Chapter 5.) When it
  is used, somebody has to choose a word from $p$. (Chapter 10, where whole sentences are translated.)
- From every $p$ gradients go back against the arrows, as far as the vector of the first word, and tell every
  weight how to become better. (Chapter 2; and all others, for each equation has its way back.)
- The dashed lines that end at $s_1$ are a second way: at each step the decoder may look at *all* states of
  the encoder, and take what it needs. They are drawn for its first step alone. This is attention (chapter 9).
  In chapter 11 a sentence looks at itself.

Chapter 12 puts all of it beside PyTorch, chapter 13 on a GPU.
"""

# %% [markdown]
r"""
## The equations

### How they are numbered

This chapter has no equation of its own. But here is one from chapter 3, to show what its number tells:

$$c_t = f_t \odot c_{t-1} + i_t \odot g_t \tag{3.5}$$

It is the fifth of chapter 3. It keeps this number wherever it is quoted, in any chapter. With a prime, (3.5'), it
means the way back of this equation, the gradients of what stands on its right. And the line of the library
that computes it ends with the same number. So from any number in any chapter you can go to the code:
"""

# %%
LIBRARY = Path(minis2s.__file__).parent


def where(number):
    """Print each line of the library that computes this equation, or takes it back."""
    for path in sorted(LIBRARY.rglob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            code, _, comment = line.partition("  # ")
            if code.strip() and f"({number})" in comment:
                print(f"{path.relative_to(LIBRARY).as_posix()}: {line.strip()}")


where("3.5")

# %% [markdown]
r"""
(`# (3.5)'` is how the prime stands in code.) Every equation stands in the code once, and a test sees to it. The
numbers follow the files of the library; so a number now and then comes before its turn. Try
`where("9.3")`, or any other.
"""

# %% [markdown]
r"""
## The gradient check

### What "every gradient is checked" means

To learn, a model needs to know of each of its numbers: if this one were a little larger, by how much would the
loss rise? The answer for all of them is the gradient (梯度), and the backward pass of each layer works it out. A
mistake in it stops no program. The model still learns, only worse, and nobody knows.

So each layer here is asked twice. Once its backward pass. And once by trying: every number of every weight and
every input is moved up and down by a hundred-thousandth, and one looks at what becomes of the loss. Here is the
LSTM, and below it the same LSTM with one sign wrong:
"""

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 3, 5))  # (T,B,D)
h0, c0 = rng.standard_normal((2, 3, 2))  # (B,H) each


class OneSignWrong(LSTM):
    def backward(self, dhs, dstate, cache):
        dx, dstate0 = super().backward(dhs, dstate, cache)
        return -dx, dstate0


for kind in (LSTM, OneSignWrong):
    print(gradcheck(kind(5, 2, np.random.default_rng(0), dtype="float64"), x, (h0, c0)), "\n")
print(f"layers and models with their options that the library asks in this way: {len(cases())}")

# %% [markdown]
r"""
Above every row passes: the two answers agree to eight digits and more. Below one row fails, and says at which
place, with what answer, and which one would have been right. `minis2s gradcheck` on the command line asks
them all (large models not number by number, but along random directions). How it is done, and how such checks
can be fooled, is in chapter 2.
"""

# %% [markdown]
r"""
## The same from minis2s

### The library as a map

Each chapter first writes its matter by hand and then finds the same numbers in `minis2s`. These are its
rooms. What a file needs of others stands, with few exceptions, in its own row or above it. So they can be read
from the top down:

| what | files | chapters |
|---|---|---|
| arrays, on processor or GPU | [backend.py](../minis2s/backend.py) | 13 |
| what is wrong with an input; functions without weights, each beside its way back; what a layer is | [contracts.py](../minis2s/contracts.py), [functional.py](../minis2s/functional.py), [layer.py](../minis2s/layer.py) | 1, 5 |
| finite differences | [gradcheck.py](../minis2s/gradcheck.py) | 2 |
| words and batches; tasks to learn, one a file | [vocabulary.py](../minis2s/data/vocabulary.py), [batches.py](../minis2s/data/batches.py), [data/](../minis2s/data) | 6, 10 |
| scores: BLEU, chrF, edit distance | [metrics/](../minis2s/metrics) | 10 |
| SGD, Adam, clipping, schedules | [optim.py](../minis2s/optim.py) | 2 |
| matrix product and bias; embedding; dropout; layer normalisation | [linear.py](../minis2s/nn/linear.py), [embedding.py](../minis2s/nn/embedding.py), [dropout.py](../minis2s/nn/dropout.py), [layer_norm.py](../minis2s/nn/layer_norm.py) | 2, 6 |
| the cells, their loop over time, layers and directions | [rnn.py](../minis2s/nn/rnn.py), [lstm.py](../minis2s/nn/lstm.py), [gru.py](../minis2s/nn/gru.py), [recurrent.py](../minis2s/nn/recurrent.py), [stack.py](../minis2s/nn/stack.py) | 1, 3, 4, 6 |
| losses | [losses.py](../minis2s/nn/losses.py) | 5 |
| attention, one kind a file | [attention.py](../minis2s/nn/attention.py), [additive.py](../minis2s/nn/additive.py), [concat.py](../minis2s/nn/concat.py), [dot.py](../minis2s/nn/dot.py), [position.py](../minis2s/nn/position.py) | 9 |
| self-attention | [self_attention.py](../minis2s/nn/self_attention.py) | 11 |
| encoder, decoders, the models that they make | [encoder.py](../minis2s/models/encoder.py), [decoder.py](../minis2s/models/decoder.py), [seq2seq.py](../minis2s/models/seq2seq.py), [models/](../minis2s/models) | 6, 7, 9 |
| the documents' models by name | [documents.py](../minis2s/models/documents.py) | all |
| greedy, beam search, sampling | [greedy.py](../minis2s/decoding/greedy.py), [beam.py](../minis2s/decoding/beam.py), [sampling.py](../minis2s/decoding/sampling.py) | 7, 10 |
| the training loop; held-out scores | [training.py](../minis2s/training.py), [evaluation.py](../minis2s/evaluation.py) | 5, 7 |
| from text to text; weights to and from PyTorch | [translator.py](../minis2s/translator.py), [exchange.py](../minis2s/exchange.py) | 10, 12 |
| figures and exercises of these chapters | [figures/](../minis2s/figures), [exercises/](../minis2s/exercises) | all |

A model prints its own map. This is the one that 003 §4.3 has formulas for, in small: each line a layer, each array
with its shape.
"""

# %%
config = document("003 §4.3", input_size=9, output_size=8, embedding_size=5, hidden_size=4)
model = Seq2Seq(config, np.random.default_rng(0))
print(model)
print(model.params["decoder.attention.v"])

# %% [markdown]
r"""
The way down to an array is its name, as in the last line. With `grads` in place of `params` it is the name of
its gradient.
"""

# %% [markdown]
r"""
## Worth a look

### A model of your own, in one cell

It sees 350 batches of 64 dates, English on the one side and Chinese on the other, for a few seconds. It knows no
month and no rule; it reads characters and writes characters. Change the date, in one of the ways printed first,
and run the cell again.
"""

# %%
yours = "Friday, 13 March 2026"  # your date

translator, dates = trained(**DATES, steps=350)
print("it has learnt from:", *(pair.source for pair in dates.train[:6]), sep="\n  ")
(found,) = translator.translate([yours], max_length=40)
print(f"{yours}  ->  {found.text}")
attention_heatmap(found.alphas, found.source_tokens, found.target_tokens)

# %% [markdown]
r"""
Each row is a character that it wrote, from the top down; the darker a cell, the more it looked at that
character of yours. The year stands last in what it read and first in what it wrote, and it goes there to
fetch it. Nobody has told it where to look. Chapter 9 tells how it found out, and what such a picture does
*not* say.

Of the dates that were kept apart, how many does it get right to the last character?
"""

# %%
answers = translator.translate([pair.source for pair in dates.test], max_length=40)
right = np.mean([answer.text == pair.target for answer, pair in zip(answers, dates.test)])
print(f"{right:.0%} of {len(dates.test)}")

# %% [markdown]
r"""
`minis2s demo` trains longer, on more, and tests on 1,500: its scores are in [RESULTS.md](../RESULTS.md).
"""

# %% [markdown]
r"""
## The document's own code

Each document is right about what matters, and readable; that is why it is here. Each also slips somewhere, as
everybody does who writes a formula or a program that is not run again. The chapters run all of it, say kindly
what happens, and put the right version beside it. Here are the places at which to take care:

| document | what happens | chapter |
|---|---|---|
| 000, PyTorch 實現 | the decoder is fed the very value that it should predict, so it copies; it is trained on one batch of noise, and never used | 2, 7 |
| 000, 數學公式 | no equation leads from $h'_1$ to $h'_2$ | 7 |
| 000, 優勢 | sequences of any length, but the zeros that fill up the short ones are read as input | 3, 6 |
| 001, 1 | $f$ is called an activation function, which is true of the plain cell alone | 1 |
| 001, 2 | $h_T$ enters no equation of the decoder | below |
| 001, 4 | attention in words, which fit more than one equation | 9 |
| 002, 2.3 and 3.3 | of an LSTM's state, $h$ and $c$, only $h$ is returned | 3, 7 |
| 002, 4.3 and 5.3 | the softmax and the look go over the batch instead of the sentence | 5, 9, 11 |
| 002, 6.2 and 6.3 | `for t` is broken in two; what is called a translation is random numbers | 7, 10 |
| 003, 4.1 and 5.1 | the formula is the plain cell, the code an LSTM; one word of one sentence a call | 1, 6 |
| 003, 4.2 and 5.2 | the formula tells $h_N$ at every step, the code once | 7 |
| 003, 4.3 and 5.3 | the formula's weights depend on $h_i$, the code's do not | 9 |
| 004, 实现 | the loss is told what padding is, the encoder is not | 5, 6 |
| 004, 实现 | half of the answers are read out in evaluation, too | 7 |
| 004, 实现 | `device` is kept, and neither the model nor a batch is moved there | 13 |
| 002, 003, 004 | imports and names are missing: `nn`, `F`, `random`, `train_iterator` | 7, 9, 10, 11 |

### 001, 2: one translation for all sources

001 ends its section 1 with $h_T$, the context vector, and says that the decoder works from it. The equations of
section 2 do not mention it, and do not say where $h_0^{\text{dec}}$ comes from. Here they are, a line each, with
random weights (the biases are 0). Two sources are read; then four steps are written, once from
$h_0^{\text{dec}} = 0$, as section 1 has it for the encoder, and once from $h_T$:
"""

# %%
H, V = 8, 12
rng = np.random.default_rng(0)
W, W_dec, W_out = (rng.standard_normal(shape) for shape in ((H, H + V), (H, H + V), (V, H)))


def encode(source):
    """001, 1: the words' numbers -> h_T"""
    h = np.zeros(H)
    for x in np.eye(V)[source]:
        h = np.tanh(W @ np.concatenate([h, x]))
    return h


def decode(h_dec, steps=4):
    """001, 2: -> the likeliest word of each step"""
    y, words = np.zeros(V), []
    for _ in range(steps):
        h_dec = np.tanh(W_dec @ np.concatenate([h_dec, y]))
        y = softmax(W_out @ h_dec)
        words.append(int(y.argmax()))
    return words


for source in ([4, 5, 6], [9, 8, 7]):
    h_T = encode(source)
    print(f"read {source}: from 0 {decode(0 * h_T)}, from h_T {decode(h_T)}")

# %% [markdown]
r"""
From 0 there is one translation, whatever was read. What 001 means is the other, $h_0^{\text{dec}} = h_T$, and
that is our (7.3). Three more things are left to the reader there: a first $y_0$ and a word that says "that
was all" (004 has them, `<start>` and `<end>`); that the $h_t$ in its item 1 is $h_{t-1}^{\text{dec}}$; and
whether $y_{t-1}$ is the distribution, as above, or the word that was chosen from it. Chapter 7 writes all of
it out.
"""

# %% [markdown]
r"""
## Exercises

A check says right or wrong, and if wrong, where: which entry, what yours is and what it should have been
compared with. It never shows how. Run it as often as you like. The exercises of this chapter need the tables
above and no more.

### 1. From columns to rows

003, 4.2 has

$$s_t = f(W_{ys} y_{t-1} + W_{ss} s_{t-1} + W_{hs} h_N + b_s)$$

with columns. Your arrays hold a batch, one sentence a row; the matrices are the document's own, as they stand
there. Write the line, with tanh for $f$.
"""


# %% exercise="decoder_line_of_003" points=2
def decoder_line_of_003(y, s, h, W_ys, W_ss, W_hs, b_s):
    """y (B,E), s (B,H), h (B,H), W_ys (H,E), W_ss (H,H), W_hs (H,H), b_s (H,) -> s_t (B,H)"""
    raise NotImplementedError


# %%
check.decoder_line_of_003(decoder_line_of_003)

# %% [markdown]
r"""
### 2. Shapes

A batch is translated by a model with attention whose encoder reads in both directions. Which shapes have `hs`,
`logits` and `alphas`? Answer in letters: the sizes are what your function is given. (`alphas` has an axis for
who looks, one for the batch and one for what is looked at, in this order.)
"""


# %% exercise="shapes_of_a_batch" points=2
def shapes_of_a_batch(S, T, B, H, V):
    """-> the shape of hs, of logits, of alphas: three tuples of three numbers"""
    raise NotImplementedError


# %%
check.shapes_of_a_batch(shapes_of_a_batch)

# %% [markdown]
r"""
### 3. Which document says it?

Our (7.5) tells the decoder the encoder's last state at *every* step, as an input beside the word. Look through the
formulas of the five documents. Which of them say so? Answer with one of "000 and 001", "002 and 003",
"003 and 004", "all", "none".
"""

# %% exercise="documents_with_context_at_every_step" points=1
documents_with_context_at_every_step = None

# %%
check.documents_with_context_at_every_step(documents_with_context_at_every_step)

# %% [markdown]
r"""
All five name the LSTM. In which of them do you find (3.5), the equation above? The same answers to choose from.
"""

# %% exercise="documents_with_the_cell_of_an_lstm" points=1
documents_with_the_cell_of_an_lstm = None

# %%
check.documents_with_the_cell_of_an_lstm(documents_with_the_cell_of_an_lstm)

# %% [markdown]
r"""
## What to read next

That depends on your time, and on the document beside you.

**An evening.** Chapter 1 as far as *With a pencil*; chapter 9, round 1; and the sentences that chapter 10
translates.

**A week**, a sitting a day: chapter 1; chapter 2 as far as *Ask the forward pass*; 3; 5; 6; 7; 9, round 1,
with 10. Of the exercises the one *from a blank page*. Come back for 4, 8 and 11.

**Four weeks**, with exercises for each: a course is laid out in [README.md](README.md).

**Along a document.** With 000 open: chapters 2, 3, 7. With 001: 1, 5, 7, 8, 9. With 002: 3, 6, 7, 9, 11, 10. With
003: 1, 6, 7, 9, 4. With 004: 6, 7, 5, 8, 10.

And three papers, with which it began, all of them readable:

- K. Cho et al., [Learning phrase representations using RNN encoder-decoder for statistical machine
  translation](https://arxiv.org/abs/1406.1078), 2014, §2: the name, and the GRU.
- I. Sutskever, O. Vinyals, Q. Le, [Sequence to sequence learning with neural
  networks](https://arxiv.org/abs/1409.3215), 2014, §2: one LSTM reads, another writes.
- D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
  translate](https://arxiv.org/abs/1409.0473), 2015, §3: attention.
- As a book, from the beginning: G. Neubig, [Neural machine translation and sequence-to-sequence models: a
  tutorial](https://arxiv.org/abs/1703.01619), 2017.

Next is chapter 1: the plainest cell there is.
"""
