"""Wrong answers to the exercises of chapter 01.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "recurrent_step_backward": [
        ("(1 - h**2)", "(1 - h)", "dx[0, 0]"),
        ("(1 - h**2)", "(1 - np.tanh(h) ** 2)", "dx[0, 0]"),
        ("da @ Wh.T", "da @ Wh", "at B=4, D=3, H=2.\n    dh_prev[0, "),
        ("da.sum(axis=0)", "da.mean(axis=0)", "at B=4, D=3, H=2.\n    db[0]"),
        ("da.sum(axis=0)", "da", "db has shape"),
        ("h_prev.T @ da", "h.T @ da", "dWh[0, 0]"),
        ("x.T @ da", "da.T @ x", "dWx has shape"),
        ("dh * (1 - h**2)", "dh\n    da *= 1 - h**2", "changes its input dh"),
    ],
    "gradient_of_ln_3": [0.0, 0.9536, 0.610, 0.2529, -0.3433, "0.3433"],
    "state_after_100_steps": [0.0, 1.0, 0.01, -0.6586, 0.8, 0.01 * 1.2**100],
    "weight_that_holds_half": [1.0, 0.5493, 0.5, 2.0],
    "mended_encoder": [
        ("[h, x_t]", "[x_t, h]", "hs[0, 0, 0]"),
        ("W.T + b)", "W.T) + b", "hs[0, 0, 0]"),
        ("W.T + b)", "W.T)", "hs[0, 0, 0]"),
        ("h, hs = h0, []", "h, hs = 0 * h0, []", "hs[0, 0, 0]"),
        ("[h, x_t]", "[h0, x_t]", "at T=4, B=3, D=5, H=2.\n    hs[1, 0, 0]"),
    ],
    "weights_that_remember": [
        ("5.0, 2.0, -0.2", "5.0, 0.8, -0.2", "at T=5, B=8.\n    sign of h["),  # forgets
        ("5.0, 2.0, -0.2", "5.0, 2.0, 0.0", "sign of h[0, 0] is 0, it should be -1"),
        ("5.0, 2.0, -0.2", "1.0, 2.0, -0.2", "it should be 1"),  # cannot be lifted once it is below
        ("5.0, 2.0, -0.2", "5.0, 2.0, -1.5", "it should be 1"),  # falls back
        ("5.0, 2.0, -0.2", "-5.0, 2.0, 0.2", "it should be"),
        ("5.0, 2.0, -0.2", "5.0, 2.0", "not enough values to unpack"),
    ],
    "leaky_cell_backward": [
        ("dh * leak * (1 - g**2)", "dh * (1 - g**2)", "da[0, 0]"),
        ("dh * (1 - leak)", "dh * leak", "dh_prev[0, 0]"),
        ("(g - h_prev)", "g", "dleak is"),
        ("(g - h_prev)", "(h_prev - g)", "dleak is"),
        ("(dh * (g - h_prev)).sum()", "(dh * (g - h_prev)).sum(axis=0)", "dleak has shape"),
        ("(dh * (g - h_prev)).sum()", "(dh * (g - h_prev)).mean()", "at B=3, H=2.\n    dleak is"),
    ],
}
