"""Wrong answers to the exercises of chapter 04.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "gru_cell_backward": [
        ("dh * (1 - z)", "dh * z", "dxa[0, "),
        ("dh * (h_prev - n)", "dh * (n - h_prev)", "dxa[0, 1]"),
        ("dh * (h_prev - n)", "dh * h_prev", "dxa[0, 1]"),
        ("tanh_backward(dn, n)", "dn * (1 - n)", "dxa[0, "),
        ("[da_r, da_z, da_n]", "[da_z, da_r, da_n]", "dxa[0, 0]"),
        ("[da_r, da_z, dm]", "[da_r, da_z, da_n]", "dha[0, 2]"),
        ("[da_r, da_z, dm]", "[da_r, da_z, dr]", "dha[0, 2]"),
        ("dxa, dha, dh * z", "dxa, dha, dh * (1 - z)", "dh_prev[0, 0]"),
        ("dxa, dha, dh * z", "dxa, dha", "it should be dxa, dha, dh_prev"),
        ("da_n = tanh", "dh *= 2\n    da_n = tanh", "dh_prev[0, 0]"),
        ("    return", "    n *= 2\n    return", "changes its input cache"),
    ],
    "z_that_keeps_half": [0.5, 0.01, 0.98, 0.99, 50, "0.986"],
    "gru_state_after_10_steps": [1.0, 0.9, 0.3487, 0.1, 10],
    "gru_form_that_still_hears": ["after", "both", "neither"],
    "mended_gru_backward": [
        ("dh * (h_prev - n)", "dh * (n - h_prev)", "dx[0, 0, 0]"),
        ("q.T @ da_n", "h_prev.T @ da_n", "dWh[0, 2]"),
        ("q.T @ da_n", "h_prev.T @ (r * da_n)", "at T=4"),
        ("dh = dh + dhs[t]", "dh = dhs[t]", "at T=4"),
        (" + dq * r", "", "dh0[0, 0]"),
        (" + dq * r", " + dq", "dh0[0, 0]"),
        ("dh * z + dq", "dh * (1 - z) + dq", "dh0[0, 0]"),
        ("reversed(range(T))", "range(T)", "at T=4"),
        ("da_n @ Wh_n.T", "da_n @ Wh_n", "at T=4"),
    ],
    "weights_for_other_z": [
        ("[1.0, -1.0, 1.0]", "[1.0, 1.0, 1.0]", "Wx[0, 1]"),
        ("[1.0, -1.0, 1.0]", "[-1.0, 1.0, 1.0]", "Wx[0, 0]"),
        (", b * sign", ", b", "b[1]"),
        ("return Wx * sign, Wh * sign", "return Wx * sign, Wh", "Wh[0, 1]"),
        ("return Wx * sign", "Wx *= sign\n    return Wx", "changes its input Wx"),
        ("Wx * sign, Wh", "1 - Wx, Wh", "Wx[0, 0]"),
    ],
    "minimal_gated_cell_backward": [
        (" + dq * h_prev", "", "dxa[0, 0]"),
        ("dh * (n - h_prev)", "dh * (h_prev - n)", "dxa[0, 0]"),
        ("dn = dh * f", "dn = dh * (1 - f)", "dxa[0, "),
        (" + dq * f", "", "dh_prev[0, 0]"),
        ("(f * h_prev).T @ da_n", "h_prev.T @ da_n", "dWh[0, 1]"),
        ("Wh[:, H:].T", "Wh[:, :H].T", "dxa[0, 0]"),
        (" + da_f @ Wh[:, :H].T", "", "dh_prev[0, 0]"),
    ],
}
