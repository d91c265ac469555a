"""Wrong answers to the exercises of chapter 11.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "self_attention_backward": [
        (" / sqrt(Q.shape[2])", "", "dX[0, 0, 0]"),
        ("dK = dG.swapaxes(1, 2) @ Q", "dK = dG @ Q", "dX[0, 0, 0]"),
        ("dV = alpha.swapaxes(1, 2) @ dY", "dV = alpha @ dY", "dX[0, 0, 0]"),
        ("dQ @ WQ.T + dK @ WK.T + dV @ WV.T", "dV @ WV.T", "dX[0, 0, 0]"),
        ("dQ @ WQ.T", "dQ @ WQ", "dX[0, 0, 0]"),
        ("softmax_backward(dalpha, alpha)", "softmax_backward(dalpha, alpha, axis=1)", "dX[0, 0, 0]"),
        (".sum(axis=0) for", ".mean(axis=0) for", "dWQ[0, 0]"),
        (".sum(axis=0) for", " for", "dWQ has shape"),
        ("for d in (dQ, dK, dV)", "for d in (dK, dQ, dV)", "dWQ[0, 0]"),
        ("    dV = alpha", "    alpha *= 1\n    dY *= 2\n    dY = dY / 2\n    dV = alpha", "changes its input dY"),
    ],
    "weight_on_the_second": [0.125, 0.25, 0, 1, 5, "1/5"],
    "score_deviation_at_start": [1, 1 / 9, 8 / 3, 0.577, 0.5, 16 / 3],
    "array_without_effect": ["bQ", "bV", "WK", "WQ"],
    "mended_self_attention": [
        ("sqrt(d), mask", "sqrt(D), mask", "y[0, 0, 0]"),
        ("real[:, None, None, :]", "real[:, None, :, None]", "y[0, 1, 0]"),
        ('p["bQ"]).reshape(T, B, heads, d).transpose(1, 2, 0, 3)', 'p["bQ"]).reshape(B, heads, T, d)', "y[0, "),
        ('p["bV"]).reshape(T, B, heads, d).transpose(1, 2, 0, 3)', 'p["bV"]).reshape(B, heads, T, d)', "y[0, "),
        (".transpose(2, 0, 1, 3).reshape(T, B, D)", ".reshape(T, B, D)", "y[0, "),
        ('+ p["bO"], alpha', '+ p["bO"]', "it should be y, alpha"),
    ],
    "multi_query": [
        (" / sqrt(Q.shape[3])", "", "Y[0, 0, 0, 0]"),
        ("softmax(Q @ K.swapaxes(2, 3) / sqrt(Q.shape[3]))", "softmax(Q @ K.swapaxes(2, 3) / sqrt(Q.shape[3]), axis=2)",
         "Y[0, 0, 0, 0]"),
        ("return alpha @ V, alpha", "return (alpha @ V).sum(axis=1), alpha", "Y has shape"),
    ],
    "multi_query_backward": [
        ("dK.sum(axis=1)", "dK.mean(axis=1)", "dK[0, 0, 0]"),
        ("dV.sum(axis=1)", "dV[:, 0]", "dV[0, 0, 0]"),
        (", dK.sum(axis=1), dV.sum(axis=1)", ", dK, dV", "dK has shape"),
        (" / sqrt(Q.shape[3])", "", "dQ[0, 0, 0, 0]"),
        ("dK = dG.swapaxes(2, 3) @ Q", "dK = dG @ Q", "dK[0, 0, 0]"),
    ],
    "distance_bias_backward": [
        ("diagonal(distance,", "diagonal(-distance,", "dr[0, 0]"),
        (".sum(axis=(0, 2))", ".mean(axis=2).sum(axis=0)", "dr[0, "),
        (".sum(axis=(0, 2))", "[0].sum(axis=1)", "dr[0, 0]"),
        ("distance + T - 1", "distance", "dr[0, 0]"),
    ],
}
