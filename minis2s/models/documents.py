"""The models of the five documents, and those of the papers behind them, by name.

Each is a Seq2SeqConfig, that is a choice of cell and connection; vocabularies and sizes are the reader's, but for
document 004, which states them. Document 000 is over vectors and has a SignalConfig.
"""

from dataclasses import replace

from ..contracts import expect_choice
from .seq2seq import Seq2SeqConfig
from .signal import SignalConfig

ONE_WAY = {"bidirectional": False}
STATE = ONE_WAY | {"attention": "none", "context": "state"}
EVERY_STEP = ONE_WAY | {"attention": "none", "context": "every step"}
PAPERS_GRU = {"cell": "gru", "reset_after": False}  # as Cho et al. 2014 define it

MODELS = {
    "001": STATE | {"cell": "rnn"},  # 2 解碼器: h_t = f(W [h, x] + b), softmax output
    "002 §3": EVERY_STEP | {"cell": "lstm"},  # 3.2: s_t = g(s_{t-1}, y_{t-1}, h_n)
    "002 §3, output reads h_n": EVERY_STEP | {"cell": "lstm", "context": "every step and output"},
    "002 §4": ONE_WAY | {"cell": "lstm", "attention": "concat", "context": "input"},
    "003 §4.2": EVERY_STEP | {"cell": "rnn"},  # W_hs h_N at every step
    "003 §4.3": ONE_WAY | {"cell": "rnn", "attention": "additive", "context": "input"},  # a(s_{t-1}, h_i)
    "003 §5.3": ONE_WAY | {"cell": "lstm", "attention": "position", "context": "combined input", "dropout": 0.1},
    "003 §5.3 by content": ONE_WAY | {"cell": "lstm", "attention": "additive", "context": "combined input"},
    "003 §9 direct": STATE | {"cell": "gru"},
    "003 §9 attention": ONE_WAY | {"cell": "gru", "attention": "additive", "context": "input"},
    "003 §9 gated": ONE_WAY | {"cell": "gru", "attention": "additive", "context": "gate"},
    "004": STATE | {"cell": "lstm", "layers": 2, "embedding_size": 256, "hidden_size": 512, "dropout": 0.5},
    "Cho 2014": EVERY_STEP | PAPERS_GRU | {"context": "every step and output"},
    "Bahdanau 2015": PAPERS_GRU | {"attention": "additive", "context": "input"},
    "Luong 2015 dot": ONE_WAY | {"cell": "lstm", "layers": 2, "attention": "dot", "context": "output fed back"},
    "Luong 2015 general": ONE_WAY | {"cell": "lstm", "layers": 2, "attention": "general", "context": "output"},
    "Luong 2015 concat": ONE_WAY | {"cell": "lstm", "attention": "concat", "context": "output fed back"},
}


def document(name, input_size=None, output_size=None, **changes):
    """The configuration of a model above; `changes` replace its fields (sizes, dropout, max_length …).

    input_size, output_size: where not given, document 000's own for "000", document 004's 10,000 for the others.
    """
    sizes = {"input_size": input_size, "output_size": output_size}
    changes |= {name: size for name, size in sizes.items() if size is not None}
    expect_choice("name", name, ("000", *MODELS))
    config = SignalConfig() if name == "000" else Seq2SeqConfig(10_000, 10_000, **MODELS[name])
    return replace(config, **changes)
