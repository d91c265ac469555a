"""What is measured: the documents' models at their sizes, one training step of each."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..contracts import expect_choice
from ..data.batches import Example, make_batch
from ..models import AttentionDecoder, Bridge, Seq2Seq, SignalConfig, SignalSeq2Seq, document
from ..nn import LSTM, AdditiveAttention

SEED = 0
LR = 1e-6  # the model stays where it began, and time does not depend on it
WORDS = 4  # the first id that is no <pad>, <start>, <end> or <unk>

# Contestants: minis2s, and forms of the same model in PyTorch.
OURS = "minis2s"
SPLIT = "minis2s split in "  # and so many parts of the batch, a Python thread each
ON_GPU = " on GPU"  # at the end of a name; without it, on the CPU
STEP_LOOP, BEST_FORM = "step loop", "best form"
AS_PUBLISHED = "as published"  # of document 000, which has no loop
FLUSHED = "best form, denormals flushed"


@dataclass(frozen=True)
class Workload:
    """A model and its batch, in numbers and words that a pipe can carry.

    model: what `document` is called with. decoder_size: its hidden size where it is not the encoder's.
    padded: the sentences differ in length, so that lengths and masks matter; else none are given.
    limits: against each rival the ratio ours / theirs that is to be reached; memory_limits likewise; gpu_limits: of
    ours on a GPU, whatever the others run on.
    """

    name: str
    model: dict
    batch: int
    source_length: int
    target_length: int
    teacher_forcing: float = 1.0
    padded: bool = False
    decoder_size: int | None = None
    clip: float = 1.0
    limits: dict = field(default_factory=dict)
    memory_limits: dict = field(default_factory=dict)
    gpu_limits: dict = field(default_factory=dict)

    @property
    def config(self):
        return document(**self.model)

    @property
    def over_vectors(self):
        return isinstance(self.config, SignalConfig)

    @property
    def in_textbook(self):
        """Whether the textbook's form covers it: words, LSTM, teacher forcing, no attention, no padding."""
        words = not self.over_vectors and (self.config.cell, self.config.attention) == ("lstm", "none")
        return words and self.teacher_forcing == 1 and not self.padded

    @property
    def divisible(self):
        """Whether its parts have the gradients of the whole: half forced, each part would throw other coins."""
        return not self.over_vectors and self.teacher_forcing == 1

    @property
    def tokens(self):
        """Target tokens of the batch, padding left out; over vectors, vectors."""
        return self.batch * self.target_length if self.over_vectors else self.make_batch().tokens

    def comparable(self):
        """Without dropout, whose masks differ, and clipping: in PyTorch's norm each bias counts twice."""
        model = self.model if self.over_vectors else self.model | {"dropout": 0.0}
        return replace(self, model=model, clip=1e9)

    def tiny(self):
        """The same kind of model at the smallest sizes, all different."""
        model = self.model
        if not self.over_vectors:
            model = model | {"input_size": 13, "output_size": 11, "embedding_size": 5, "hidden_size": 6}
            model |= {"attention_size": 3}
        decoder_size = self.decoder_size and 7
        return replace(self, model=model, batch=4, source_length=8, target_length=9, decoder_size=decoder_size)

    def make_model(self, dtype):
        """The model in its first state, the same in every process."""
        config, rng = self.config, np.random.default_rng(SEED)
        model = (SignalSeq2Seq if self.over_vectors else Seq2Seq)(config, rng, dtype)
        if self.decoder_size is not None:
            H, Q = config.hidden_size, self.decoder_size
            model.bridge = Bridge(1, 1, H, Q, rng, dtype)
            attention = AdditiveAttention(Q, 2 * H, config.attention_size, rng, dtype)
            sizes = config.output_size, config.embedding_size, Q
            model.decoder = AttentionDecoder(*sizes, rng, attention, dtype, cell=config.cell)
        for _, layer in model.leaves():
            if isinstance(layer, LSTM):  # as PyTorch, and with it the documents, begin: no forget bias
                layer.params["b"].fill(0)
        return model

    def make_batch(self):
        """A Batch of random sentences; the lengths are None where none has padding."""
        rng, config = np.random.default_rng(SEED + 1), self.config

        def sentences(vocabulary_size, length):
            """One less than the length: <end> comes behind the source, <start> before y."""
            shortest = length // 2 if self.padded else length
            lengths = rng.integers(shortest, length + 1, self.batch)
            lengths[0] = length
            return [rng.integers(WORDS, vocabulary_size, n - 1).tolist() for n in lengths]

        sources = sentences(config.input_size, self.source_length)
        targets = sentences(config.output_size, self.target_length)
        batch = make_batch(list(map(Example, sources, targets)))
        return batch if self.padded else batch._replace(source_lengths=None)

    def make_signals(self, dtype):
        """source (S,B,D), y (T,B,V) and targets (T,B,V): noise, as in document 000."""
        rng, config = np.random.default_rng(SEED + 1), self.config
        source = rng.standard_normal((self.source_length, self.batch, config.input_size)).astype(dtype)
        targets = rng.standard_normal((self.target_length, self.batch, config.output_size)).astype(dtype)
        y = np.concatenate([np.zeros_like(targets[:1]), targets[:-1]])
        return source, y, targets

    def flops(self):
        """Multiplications and additions in the matrix products of one step; backward takes twice those of forward."""
        S, T, B = self.source_length, self.target_length, self.batch
        rows = {"encoder": S * B, "bridge": B, "decoder": T * B, "output": T * B}  # how often a matrix is met
        forward = 0
        params = self.make_model("float32").params
        for name, param in params.items():
            if param.ndim == 2 and "embedding" not in name:
                met = S * B if name == "decoder.attention.U" else rows[name.partition(".")[0]]
                forward += 2 * met * param.size
        if "decoder.attention.U" in params:  # for every pair of places a score and a weighted value
            forward += 2 * S * T * B * sum(params["decoder.attention.U"].shape)
        return 3 * forward


DOCUMENT_004 = {"name": "004"}
BAHDANAU = {"name": "Bahdanau 2015", "reset_after": True}  # the GRU that PyTorch has
ONE_LAYER = DOCUMENT_004 | {
    "input_size": 2000, "output_size": 2000, "embedding_size": 256, "hidden_size": 256, "layers": 1, "dropout": 0.0,
}  # fmt: skip
TRANSLATION = BAHDANAU | {
    "input_size": 5000, "output_size": 5000, "embedding_size": 256, "hidden_size": 256, "attention_size": 256,
}  # fmt: skip
CHARACTERS = BAHDANAU | {
    "input_size": 60, "output_size": 60, "embedding_size": 32, "hidden_size": 128, "attention_size": 128,
}  # fmt: skip

CUDNN = {BEST_FORM + ON_GPU: [2.0]}  # whose LSTM PyTorch calls there

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "004", DOCUMENT_004, 128, 25, 25,
            limits={STEP_LOOP: [0.50], BEST_FORM: [1.00, 0.90]}, memory_limits={BEST_FORM: 0.6},
            gpu_limits={OURS: [0.1], BEST_FORM + ON_GPU: [2.0]},
        ),
        Workload("004-half-forced", DOCUMENT_004, 128, 25, 25, 0.5, limits={STEP_LOOP: [0.50], BEST_FORM: []}),
        Workload("004-T50", DOCUMENT_004, 128, 50, 50, limits={STEP_LOOP: [0.40], BEST_FORM: [0.95]}),
        Workload(
            "bahdanau", TRANSLATION, 64, 25, 25, padded=True, decoder_size=512,
            limits={STEP_LOOP: [0.66], BEST_FORM: [1.00]}, gpu_limits={STEP_LOOP + ON_GPU: [1.0]},
        ),
        Workload("000", {"name": "000"}, 5, 3, 3, limits={AS_PUBLISHED: [0.15], BEST_FORM: []}),
        Workload(
            "characters", CHARACTERS, 32, 20, 12,
            limits={STEP_LOOP: [0.55], BEST_FORM: [0.75]}, gpu_limits={STEP_LOOP + ON_GPU: [1.0]},
        ),
        Workload("lstm-T25", ONE_LAYER, 64, 25, 25, limits={BEST_FORM: [1.1]}, gpu_limits=CUDNN),
        Workload("lstm-T100", ONE_LAYER, 64, 100, 100, limits={BEST_FORM: [1.0]}, gpu_limits=CUDNN),
        Workload("lstm-T400", ONE_LAYER, 64, 400, 400, limits={BEST_FORM: [0.3], FLUSHED: []}, gpu_limits=CUDNN),
    )
}  # fmt: skip


def find(name):
    """The workload of this name; ValueError lists them."""
    expect_choice("workload", name, WORKLOADS)
    return WORKLOADS[name]
