"""Greedy decoding and beam search in PyTorch, as a step loop: one call of the decoder a token."""

import torch

from ..data.vocabulary import END, PAD, START
from .decoding import MAX_LENGTH
from .rivals import StepLoop
from .same_numbers import load
from .torch_step import tensors


class TorchDecoder:
    """Decodes the workload's batch; width 1 is greedy."""

    def __init__(self, workload, dtype, width):
        self.model = StepLoop(workload).to(getattr(torch, dtype)).eval()
        load(self.model, workload.make_model(dtype).params)
        self.source, self.lengths, *_ = tensors(workload, dtype)
        self.width = width

    @torch.inference_mode()
    def step(self):
        self.found = self.greedy() if self.width == 1 else self.beam_search()

    def outputs(self):
        """(ids, log P) of every sentence"""
        return [(ids[: ids.index(END)] if END in ids else ids, score) for ids, score in self.found]

    def greedy(self):
        state, memory = self.model.encode(self.source, self.lengths)
        B = self.source.shape[1]
        y, done, score, ys = torch.full((B,), START), torch.zeros(B, dtype=bool), 0, []
        for _ in range(MAX_LENGTH):
            logits, state = self.model.step(y, state, memory)
            gain, y = torch.log_softmax(logits, 1).max(1)
            y = y.masked_fill(done, PAD)
            score = score + gain.masked_fill(done, 0)
            ys.append(y)
            done = done | (y == END)
            if done.all():
                break
        return list(zip(torch.stack(ys, 1).tolist(), score.tolist(), strict=True))

    def beam_search(self):
        """Beams of a sentence side by side in the batch; a finished one is kept, if it is the best of its sentence."""
        K, B = self.width, self.source.shape[1]
        state, memory = self.model.encode(self.source, self.lengths)
        state = each(state, lambda h: h.repeat_interleave(K, 1))
        memory = each(memory, lambda array: array.repeat_interleave(K, 0))
        first = K * torch.arange(B)[:, None]
        scores = torch.full((B, K), -torch.inf, dtype=self.model.decoder.output.weight.dtype)
        scores[:, 0] = 0  # all beams are alike before the first token: one will do
        y, ids = torch.full((B * K,), START), torch.zeros(B, K, 0, dtype=torch.long)
        best = [(-torch.inf, None)] * B
        for _ in range(MAX_LENGTH):
            logits, state = self.model.step(y, state, memory)
            V = logits.shape[1]
            scores, chosen = (scores[:, :, None] + torch.log_softmax(logits, 1).view(B, K, V)).flatten(1).topk(K)
            parents, tokens = chosen // V, chosen % V
            ids = torch.cat([ids.gather(1, parents[:, :, None].expand(-1, -1, ids.shape[2])), tokens[:, :, None]], 2)
            finished = tokens == END
            for b, k in finished.nonzero().tolist():
                best[b] = max(best[b], (scores[b, k].item(), ids[b, k].tolist()))
            scores = scores.masked_fill(finished, -torch.inf)
            if all(float(top) <= score for top, (score, _) in zip(scores.amax(1), best, strict=True)):
                break
            y, state = tokens.flatten(), of_rows(state, (first + parents).flatten())
        unfinished = zip(scores.amax(1).tolist(), ids[torch.arange(B), scores.argmax(1)].tolist(), strict=True)
        return [(ids, score) for score, ids in (b if b[1] else u for b, u in zip(best, unfinished, strict=True))]


def of_rows(state, rows):
    return each(state, lambda h: h.index_select(1, rows))


def each(arrays, function):
    """`function` of every tensor of a tuple, of one tensor, or of None."""
    if isinstance(arrays, tuple):
        return tuple(each(array, function) for array in arrays)
    return None if arrays is None else function(arrays)
