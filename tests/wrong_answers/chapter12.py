"""Wrong answers to the exercises of chapter 12.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "weight_gradients_at_once": [
        ("x.reshape(-1, x.shape[2]).T @ dA", "x[0].T @ das[0]", "dWx[0, 0]"),
        ("dWh = h_prevs.reshape(-1, h_prevs.shape[2])", "dWh = np.roll(h_prevs, 1, 0).reshape(-1, h_prevs.shape[2])",
         "dWh[0, 0]"),
        ("x.reshape(-1, x.shape[2]).T @ dA", "sum(x_t.T @ da for x_t, da in zip(x, das))",
         "the number of products is 5"),
        ("x.reshape(-1, x.shape[2]).T @ dA", "np.einsum('tbd,tbm->dm', 2 * x, das)", "dWx[0, 0]"),
        ("dA.sum(axis=0)", "dA.mean(axis=0)", "db[0]"),
        ("return dWx, dWh", "return dWx.T, dWh", "dWx has shape"),
        ("dA = das.reshape(-1, das.shape[2])", "das *= 2\n    dA = das.reshape(-1, das.shape[2])", "dWx[0, 0]"),
        ("dA.sum(axis=0)", "dA.copy().sum(axis=0) * x.fill(0)", "TypeError"),
    ],
    "operations_of_lstm_step": [2 * 128 * (256 + 512) * 512, 128 * (256 + 512) * 4 * 512, 3 * 402_653_184, 0.4],
    "sum_after_first_step": [-0.001, 0.002, -0.0006, -0.0003],
    "step_that_turns_denormal": [126, 149, 202, 87],
    "mended_lstm_to_pytorch": [
        ('P["Wx"].T', 'P["Wx"]', "weight_ih_l0 has shape"),
        ("0 * P", "P", "bias_ih_l0 + bias_hh_l0[0]"),
        ('P["Wh"].T', 'P["Wh"].T[[0, 1, 3, 2]] if len(P["Wh"]) == 1 else P["Wh"].T', "weight_hh_l0[2, 0]"),
        ('"weight_hh_l0"', '"weight_hh"', "KeyError: 'weight_hh_l0'"),
        ('"bias_ih_l0": P["b"]', '"bias_ih_l0": -P["b"]', "bias_ih_l0 + bias_hh_l0[0]"),
    ],
    "gru_from_pytorch": [
        ("b[2 * H :] = bias_ih[2 * H :]", "pass", "b[2]"),
        ("b = bias_ih + bias_hh", "b = bias_ih.copy()", "b[0]"),
        ("b[2 * H :] = bias_ih[2 * H :]", "b[:H] = bias_ih[:H]", "b[0]"),
        ("weight_ih.T, weight_hh.T", "weight_ih.T, weight_hh", "Wh has shape"),
        ("b, bias_hh[2 * H :]", "b, bias_hh[:H]", "bh[0]"),
        ("b = bias_ih + bias_hh", "bias_ih += bias_hh\n    b = bias_ih.copy()", "b[2]"),
    ],
    "mended_ratio": [
        ("ours[warm_up:] / theirs[warm_up:]", "ours / theirs", "at rounds=5, warm_up=1"),
        ("np.quantile(ratios, [0.25, 0.5, 0.75])",
         "np.quantile(ours[warm_up:], [0.25, 0.5, 0.75]) / np.quantile(theirs[warm_up:], [0.25, 0.5, 0.75])",
         "quartiles[0]"),
        ("ours[warm_up:] / theirs[warm_up:]", "theirs[warm_up:] / ours[warm_up:]", "quartiles[0]"),
        ("[0.25, 0.5, 0.75]", "[0.0, 0.5, 1.0]", "quartiles[0]"),
    ],
    "loss_in_blocks": [
        ("a /= N", "a /= len(a)", "ds[0, 0]"),
        ("dW += ", "dW = ", "dW[0, 0]"),
        ("a[at_target] -= 1\n", "pass\n", "ds[0, 0]"),
        ("loss / N", "loss", "loss is"),
        ("start in range(0, N, rows)", "start, rows in [(0, N)]", "the most rows of logits at once is 7"),
        ("slice(start, start + rows)", "slice(start, N)", "loss is"),
        ("db += a.sum(axis=0)", "db += a.sum(axis=0)\n        s[block] = 0", "changes its input"),
    ],
}  # fmt: skip
