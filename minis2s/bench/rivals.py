"""PyTorch's models, as the documents loop and as well as PyTorch can.

    step loop    embedding, recurrent layers, output layer called a token at a time, as in documents 003 and 004
    best form    known inputs run as one sequence, embedding and output layer once for all steps

Both read the source once and have the layers of the workload's model under its names, so that weights and gradients
can be laid side by side. Import this only where PyTorch is installed.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..data.vocabulary import PAD
from ..models.decoder import runs_of_known_inputs

RECURRENT = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Part(nn.Module):
    """What encoder and decoder share: embedding, dropout, recurrent layers."""

    def __init__(self, config, vocabulary_size, input_size, hidden_size, **options):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size, padding_idx=PAD)
        self.dropout = nn.Dropout(config.dropout)
        options["dropout"] = config.dropout if config.layers > 1 else 0.0
        self.rnn = RECURRENT[config.cell](input_size, hidden_size, config.layers, **options)

    def embed(self, ids):
        return self.dropout(self.embedding(ids))


class AdditiveAttention(nn.Module):
    """v . tanh(W s + U h + b), batch first, as a batched product wants it."""

    def __init__(self, query_size, source_size, attention_size):
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(source_size, attention_size)
        self.score = nn.Linear(attention_size, 1, bias=False)

    def forward(self, s, keys, hs, padding):
        """s (B,Q), keys (B,S,A), hs (B,S,H), padding (B,S) or None -> context (B,H)"""
        scores = self.score(torch.tanh(keys + self.query(s)[:, None])).squeeze(2)
        if padding is not None:
            scores = scores.masked_fill(padding, -torch.inf)
        return torch.bmm(torch.softmax(scores, dim=1)[:, None], hs).squeeze(1)


class Rival(nn.Module):
    """Encoder and decoder; StepLoop and BestForm say how the decoder is run."""

    def __init__(self, workload):
        super().__init__()
        config = workload.config
        self.attends, self.bidirectional = config.attention == "additive", config.bidirectional
        E, H = config.embedding_size, config.hidden_size
        S, Q = 2 * H if self.bidirectional else H, workload.decoder_size or H
        looked_up = S if self.attends else 0
        self.encoder = Part(config, config.input_size, E, H, bidirectional=self.bidirectional)
        if self.bidirectional:
            self.bridge = nn.Module()
            self.bridge.maps = nn.ModuleList([nn.Linear(2 * H, Q)])
        self.decoder = Part(config, config.output_size, E + looked_up, Q)
        if self.attends:
            self.decoder.attention = AdditiveAttention(Q, S, config.attention_size or H)
        self.decoder.output = nn.Linear(Q + looked_up, config.output_size)

    def loss(self, batch, teacher_forcing, lots):
        """Of a batch (source, lengths or None, y, targets); lots.random() says who feeds the next step."""
        *inputs, targets = batch
        logits = self(*inputs, teacher_forcing, lots)
        return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)

    def encode(self, source, lengths):
        """source (S,B), lengths (B,) or None -> the decoder's first state; keys, hs, padding, or None"""
        x, padding = self.encoder.embed(source), None
        if lengths is None:
            hs, state = self.encoder.rnn(x)
        else:
            packed, state = self.encoder.rnn(pack_padded_sequence(x, lengths, enforce_sorted=False))
            hs, _ = pad_packed_sequence(packed, total_length=len(source))
            padding = (torch.arange(len(source)) >= lengths[:, None]).to(source.device)
        if self.bidirectional:
            state = torch.tanh(self.bridge.maps[0](torch.cat([state[0], state[1]], dim=1)))[None]
        if not self.attends:
            return state, None
        hs = hs.transpose(0, 1).contiguous()
        return state, (self.decoder.attention.key(hs), hs, padding)


class StepLoop(Rival):
    """One step after the other, each through all layers."""

    def forward(self, source, lengths, y, teacher_forcing, lots):
        state, memory = self.encode(source, lengths)
        W = self.decoder.output.weight
        outputs = torch.zeros(*y.shape, len(W), dtype=W.dtype, device=W.device)
        fed = y[0]
        for t in range(len(y)):
            logits, state = self.step(fed, state, memory)
            outputs[t] = logits
            if t + 1 < len(y):
                forced = teacher_forcing == 1 or lots.random() < teacher_forcing
                fed = y[t + 1] if forced else logits.argmax(1)
        return outputs

    def step(self, ids, state, memory):
        """ids (B,), the state before -> logits (B,V), the state after"""
        x = self.decoder.embed(ids[None])
        if memory is None:
            features, state = self.decoder.rnn(x, state)
            return self.decoder.output(features[0]), state
        context = self.decoder.attention(state[0], *memory)[None]
        features, state = self.decoder.rnn(torch.cat([x, context], dim=2), state)
        return self.decoder.output(torch.cat([features, context], dim=2)[0]), state


class BestForm(Rival):
    """All that does not wait for the step before is done for all steps at once."""

    def forward(self, source, lengths, y, teacher_forcing, lots):
        state, memory = self.encode(source, lengths)
        features = []
        for start, stop in runs_of_known_inputs(len(y), teacher_forcing, lots):
            fed = y[start:stop]
            if start > 0:
                with torch.no_grad():
                    guess = self.decoder.output(features[-1][-1]).argmax(1)
                fed = torch.cat([guess[None], fed[1:]])
            x = self.decoder.embed(fed)
            run, state = self.decoder.rnn(x, state) if memory is None else self.attending(x, state, memory)
            features.append(run)
        return self.decoder.output(torch.cat(features) if len(features) > 1 else features[0])

    def attending(self, x, state, memory):
        """torch.gru_cell is what nn.GRUCell calls, and quicker than nn.GRU for one step."""
        s, weights, features = state[0], self.decoder.rnn.all_weights[0], []
        for x_t in x:
            context = self.decoder.attention(s, *memory)
            s = torch.gru_cell(torch.cat([x_t, context], dim=1), s, *weights)
            features.append(torch.cat([s, context], dim=1))
        return torch.stack(features), s[None]


class Signals(nn.Module):
    """Document 000's model, batch first as there; its decoder is one call already."""

    def __init__(self, workload):
        super().__init__()
        config = workload.config
        self.encoder = nn.LSTM(config.input_size, config.hidden_size, batch_first=True)
        self.decoder = nn.LSTM(config.output_size, config.hidden_size, batch_first=True)
        self.output = nn.Linear(config.hidden_size, config.output_size)

    def loss(self, batch, teacher_forcing, lots):
        """Of a batch (source, y, targets) of vectors, batch first; every step is fed y."""
        source, y, targets = batch
        _, state = self.encoder(source)
        return mse_loss(self.output(self.decoder(y, state)[0]), targets)
