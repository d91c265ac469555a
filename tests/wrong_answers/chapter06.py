"""Wrong answers to the exercises of chapter 06.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "embedding_backward": [
        ("np.add.at(dW, ids, dx)", "dW[ids] += dx", "at T=4, B=3"),
        ("np.add.at(dW, ids, dx)", "dW[ids] = dx", "at T=4, B=3"),
        ("    dW[0] = 0\n", "", "dW[0, 0] is"),
        ("dW[0] = 0", "dx[ids == 0] = 0\n    dW[0] = 0", "changes its input dx"),
        ("dx.shape[2]", "dx.shape[1]", "at T=4, B=3"),
        ("return dW", "return dW / ids.size", "at T=4, B=3"),
    ],
    "carry_backward": [
        ("~m", "m", "dbefore_h[0, 0]"),
        ("d * m for", "d for", "dafter_h[0, 0]"),
        ("d * ~m for d in dstate", "d * ~m for d in dstate[:1]", "returns 3 arrays; it should be dafter_h, dafter_c"),
        ("return dafter, dbefore", "return dbefore, dafter", "dafter_h[0, 0]"),
    ],
    "share_of_padding": [0.5, 0.55, 0.1, 0, 5.5],
    "deviation_after_dropout": [0.2, 0.25, 0.4, 1.0, 0.0],
    "mended_right_to_left": [
        ("zip(reversed(range(T)), x[::-1])", "enumerate(x[::-1])", "hs[0, 0, 0]"),
        ("np.stack(hs[::-1])", "np.stack(hs)", "hs[0, 0, 0]"),
        ("(t < lengths)", "(t <= lengths)", "at T=4, B=3"),
        ("(t < lengths)", "(t < T + 0 * lengths)", "hs[0, 0, 0]"),
        ("zip(reversed(range(T)), x[::-1])", "enumerate(x)", "hs[0, 0, 0]"),
    ],
    "pick_last_backward": [
        ("lengths - 1, np", "lengths % T, np", "dhs[0, "),
        ("dhs[lengths - 1, np.arange(B)] = dh", "dhs[lengths - 1] = dh", "at T=4, B=3"),
        ("dhs[lengths - 1, np.arange(B)] = dh", "dhs[-1] = dh", "dhs[0, 2, 0]"),
        ("lengths - 1, np.arange(B)", "lengths - 1, np.arange(B)[::-1]", "at T=4, B=3"),
    ],
    "direction_that_may_pick": ["right to left", "both", "neither"],
    "tied_words_backward": [
        ("np.add.at(dW, ids, dx)", "dW[ids] += dx", "at N=6"),
        ("    np.add.at(dW, ids, dx)  # W is used twice, as input and as output: sum\n", "", "dW["),
        ("dW = dlogits.T @ h", "dW = 0 * dlogits.T @ h", "dW["),
        ("1 - h**2", "1 - h", "dW["),
        ("da @ A.T", "da @ A", "dW["),
        ("x.T @ da", "h.T @ da", "dA[0, 0]"),
    ],
}
