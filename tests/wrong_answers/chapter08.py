"""Wrong answers to the exercises of chapter 08.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "word_distances": [
        ("left + j,", "n + 0 * j,", "plain[0]"),
        ("np.arange(1, len(places) + 1)", "np.arange(len(places))", "plain[0]"),
        ("places - 1", "places", "source_reversed[0]"),
        ("left_reversed + j", "2 * j - 1", "source_reversed["),
        ("left + 1", "left", "every_step[0]"),
        ("left + 1", "left_reversed + 1", "every_step[0]"),
        ("left = n - places", "places -= 1\n    left = n - 1 - places", "source_reversed[0]"),
    ],
    "share_after_reversal": [0.9**20, 0.5, 0.9, 20, 0.1216, "0.23"],
    "dates_reversed": ["better", "neither"],
    "half_with_128": [8, 16, 32],
    "mended_probe": [
        ("np.column_stack([h, np.ones(len(h))])", "h", "share is"),
        ("X[fit:] @ W).argmax(axis=1) == letters[fit:]", "X @ W).argmax(axis=1) == letters", "share is"),
        ("X[fit:] @ W).argmax(axis=1) == letters[fit:]", "X[:fit] @ W).argmax(axis=1) == letters[:fit]", "share is"),
        (".argmax(axis=1) ==", ".argmin(axis=1) ==", "share is"),
        ("len(h) // 2", "len(h) * 3 // 4", "share is"),
    ],
    "two_vectors": [
        ("(lengths + 1) // 2 - 1", "lengths // 2", "context["),
        ("hs[lengths - 1, rows]", "hs[-1]", "at S=5, B=4, H=2"),
        ("axis=1)", "axis=0)", "context has shape"),
        ("[hs[(lengths + 1) // 2 - 1, rows], hs[lengths - 1, rows]]", "[hs[lengths - 1, rows]] * 2", "context[0, 0]"),
    ],
    "two_vectors_backward": [
        ("dhs[lengths - 1, rows] +=", "dhs[lengths - 1, rows] =", "dhs[0, 0, 0]"),
        ("dcontext[:, H:]", "dcontext[:, :H]", "dhs[0, 0, 0]"),
        ("dhs[(lengths + 1) // 2 - 1, rows] +=", "dhs[lengths // 2 - 1, rows] +=", "at S="),
        ("dhs[lengths - 1, rows] +=", "dhs[-1] +=", "at S=5, B=4, H=2"),
    ],
    "copying_decoder": [
        ("k=1", "k=-1", "said[0]"),
        ("[n + 1]", "[n]", "said[0]"),
        ("np.eye(H, k=1)", "np.eye(H)", "said[0]"),
        ("np.eye(H)[n + 1]", "np.eye(H)[0]", "said[0]"),
        ("return Wh, ", "return ", "ValueError"),
    ],
}
