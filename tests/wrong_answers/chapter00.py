"""Wrong answers to the exercises of chapter 00.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "decoder_line_of_003": [
        ("s @ W_ss.T", "s @ W_ss", "at B=3, E=4, H=2.\n    s_t[0, 0]"),
        ("h @ W_hs.T", "h @ W_hs", "at B=3, E=4, H=2.\n    s_t[0, 0]"),
        ("y @ W_ys.T", "y @ W_ys", "Your function stops"),
        (" + b_s", "", "s_t[0, 0]"),
        ("np.tanh(", "(", "the document says"),
        ("h @ W_hs.T", "s @ W_hs.T", "s_t[0, 0]"),
    ],
    "shapes_of_a_batch": [
        ("2 * H", "H", "axis 2 of hs is 4, minis2s says 8"),
        ("(S, B, 2 * H)", "(B, S, 2 * H)", "axis 0 of hs is 3, minis2s says 7"),
        ("(T, B, V)", "(T, B, H)", "axis 2 of logits is 4, minis2s says 9"),
        ("(T, B, S)", "(T, S, B)", "axis 1 of alphas is 7, minis2s says 3"),
        ("(T, B, S)", "(S, B, T)", "axis 0 of alphas is 7, minis2s says 5"),
    ],
    "documents_with_context_at_every_step": ["000 and 001", "003 and 004", "all", "none"],
    "documents_with_the_cell_of_an_lstm": ["000 and 001", "002 and 003", "003 and 004", "all"],
}
