"""Wrong answers to the exercises of chapter 05.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "log_softmax_backward": [
        ("dy - p", "dy + p", "da[0, 0]"),
        ("p * dy.sum", "dy.sum", "da[0, 0]"),
        ("p = np.exp(y)", "p = y", "da[0, 0]"),
        ("dy - p * dy.sum(axis=1, keepdims=True)", "p * (dy - (dy * p).sum(axis=1, keepdims=True))", "da[0, 0]"),
        (".sum(axis=1", ".sum(axis=0", "da[0, "),
        (".sum(axis=1", ".mean(axis=1", "da[0, 0]"),
        ("np.exp(y)", "np.exp(y, out=y)", "changes its input y"),
    ],
    "masked_loss_backward": [
        ("w / max(1, w.sum())", "w / w.size", "at T=4, B=3, V=5"),
        ("w / max(1, w.sum())", "np.ones_like(w) / max(1, w.sum())", "at T=4, B=3, V=5"),
        ("w / max(1, w.sum())", "w / w.sum()", "at T=3, B=2, V=4, tokens=0"),
        ("dnll = dloss * ", "dnll = ", "dlogits[0, 0, 0]"),
        (" - np.eye(logits.shape[-1])[targets]", "", "dlogits[0, 0, "),
        (" - np.eye", " + np.eye", "dlogits[0, 0, "),
        ("softmax(logits)", "softmax(logits, axis=0)", "dlogits[0, 0, "),
        ("w / max(1, w.sum())", "w / np.maximum(1, w.sum(axis=0))", "at T=4, B=3, V=5"),
        ("w = targets != 0", "w = targets != 0\n    targets[~w] = 1", "changes its input targets"),
    ],
    "untrained_loss": [0.0, 1.0, 4.0, 13.29, 10_000, -9.21, "9.21"],
    "softmax_twice_floor": [0.0, 2.457, 9.2103, 9.2104 - 0.5, 1.0],
    "mended_loss_and_gradient": [
        ("moved = logits - logits.max(axis=1, keepdims=True)", "moved = logits", "at N=3, V=4"),
        ("moved[rows, targets])).sum() / real.sum()", "moved[rows, targets])).mean()", "loss is"),
        ("real[:, None] * dlogits", "dlogits", "dlogits[3, 0]"),
        ("dlogits / real.sum()", "dlogits / len(targets)", "dlogits[0, 0]"),
        ("dlogits[rows, targets] -= 1", "dlogits[real, targets[real]] -= 0.5", "dlogits[0, "),
        ("moved = logits - ", "logits -= 1\n    moved = logits - ", "changes its input logits"),
    ],
    "smoothed_cross_entropy": [
        ("epsilon / V", "epsilon", "loss is"),
        ("(1 - epsilon) * np", "np", "loss is"),
        (" / N", "", "at N=4"),
        ("return -", "return ", "loss is"),
        ("functional.log_softmax(logits)", "np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))", "at N=2"),
    ],
    "smoothed_cross_entropy_backward": [
        (" - q", " - np.eye(V)[targets]", "dlogits[0, 0]"),
        (" - q", " + q", "dlogits[0, 0]"),
        (" / N", "", "at N=4"),
        ("epsilon / V", "epsilon / (V - 1)", "dlogits[0, 0]"),
    ],
}
