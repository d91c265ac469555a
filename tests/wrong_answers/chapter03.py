"""Wrong answers to the exercises of chapter 03.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

CELL = [
    ("dc = dc + tanh", "dc = tanh", "da[0, 0]"),
    ("do = dh * tanh_c", "do = dh * o", "da[0, "),
    ("da_g = tanh_backward(dg, g)", "da_g = dg * (1 - g)", "da[0, "),
    ("df = dc * c_prev", "dc *= 1 - o\n    df = dc * c_prev", "da[0, 0]"),
    ("do = dh * tanh_c", "dh *= 1.5\n    do = dh / 1.5 * tanh_c\n    dh = dh / 1.5", "changes its input dh"),
    ("axis=1)", "axis=0)", "da has shape"),
]

WRONG = {
    "lstm_cell_backward": [
        *CELL,
        ("dc_prev = dc * f", "dc_prev = dc * i", "dc_prev[0, 0]"),
        ("[da_i, da_f, da_g, da_o]", "[da_i, da_g, da_f, da_o]", "da[0, 1]"),
        ("dg = dc * i", "dg = dc * i\n    dc = dc + 0 / 0", "ZeroDivisionError"),
        ("return np", "return None and np", "da is a NoneType"),
    ],
    "share_after_20_steps": [0.0, 0.5, 1, -0.0019, 0.731, 0.1, "0"],
    "bias_that_keeps_half": [0.966, 1.0, 3.0, -3.35],
    "mended_lstm_backward": [
        ("dc * c_prev * f", "dc * c * f", "dx[0, 0, 0]"),
        ("h_prev.T @ da", "(o * np.tanh(c)).T @ da", "dWh[0, 0]"),
        ("dh = dh + dhs[t]", "dh = dhs[t]", "at T=4"),
        ("dc = dc + dh", "dc = dh", "at T=4"),
        ("reversed(range(T))", "range(T)", "at T=4"),
        ("dWx + x.T @ da", "x.T @ da", "dWx[0, 0]"),
        ("dh = dh + dhs[t]", "dh += dhs[t]\n        dhs[t] = 0", "changes its input dhs"),
    ],
    "coupled_cell_backward": [
        *CELL[:2],
        ("- dc * g", "+ dc * g", "da[0, 0]"),
        (" - dc * g", "", "da[0, 0]"),
        ("dc * (1 - f)", "dc * f", "da[0, 1]"),
        ("dc * f", "dc * (1 - f)", "dc_prev[0, 0]"),
    ],
    "peephole_cell": [
        ("sigmoid(a_o + p[2] * c)", "sigmoid(a_o + p[2] * c_prev)", "h[0, 0]"),
        ("sigmoid(a_i + p[0] * c_prev)", "sigmoid(a_i + p[1] * c_prev)", "h[0, 0]"),
        ("f * c_prev + i * g", "f * c_prev + i + g", "h[0, 0]"),
    ],
    "peephole_cell_backward": [
        (" + da_o * p[2]", "", "da[0, 0]"),
        (" + da_f * p[1]", "", "dc_prev[0, 0]"),
        ("(da_o * c).sum", "(da_o * c_prev).sum", "dp[2, 0]"),
        (", dp", "", "it should be da, dc_prev, dp"),
        ("(da_i * c_prev).sum(axis=0)", "(da_i * c_prev).mean(axis=0)", "at B=3, H=2"),
    ],
}
