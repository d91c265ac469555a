"""Wrong answers to the exercises of chapter 07.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "decoder_backward": [
        ("ds = ds + dlogits[t] @ Wo.T", "ds = dlogits[t] @ Wo.T", "at T=4"),
        ("ds = ds + dlogits[t] @ Wo.T", "ds = ds - dlogits[t] @ Wo.T", "ds0[0, 0]"),
        ("np.add.at(dE, fed[t], da @ Wx.T)", "dE[fed[t]] += da @ Wx.T", "dE["),
        ("dWo += ss[t + 1].T", "dWo += ss[t].T", "dWo[0, 0]"),
        ("(1 - ss[t + 1] ** 2)", "(1 - ss[t] ** 2)", "ds0[0, 0]"),
        ("dWh += ss[t].T", "dWh += ss[t + 1].T", "dWh[0, 0]"),
        ("da @ Wh.T", "da @ Wh", "ds0[0, 0]"),
        ("reversed(range(len(fed)))", "range(len(fed))", "at T=4"),
        ("dbo += dlogits[t].sum(axis=0)", "dbo += dlogits[t].mean(axis=0)", "dbo[0]"),
        ("ds = ds + dlogits[t]", "dlogits[t] *= 2\n        ds = ds + dlogits[t] / 2", "changes its input dlogits"),
    ],
    "context_decoder_backward": [
        ("dc + ds", "dc", "dc[0, 0]"),
        ("dc += dinput", "dc = dinput", "at T=4"),
        (" + dfeatures[:, 2 * H :]", "", "dx[0, 0, 0]"),
        (" + dfeatures[:, H : 2 * H]", "", "dc[0, 0]"),
        ("ds = ds + dfeatures", "ds = dfeatures", "at T=4"),
        ("dinput[:, :E]", "dinput[:, -E:]", "dx[0, 0, 0]"),
    ],
    "best_honest_loss": [2.3026, 0.0, 6.9078, 1.0, 1.2],
    "loss_of_the_copier": [1.727, 2.3026, 0.25, "0"],
    "companion_with_half_a_teacher": [0.3, 0.5, 0.6, 0.0, 0.75],
    "mended_feed": [
        ("y[: len(ids) + 1, b] = [START, *ids]", "y[: len(ids) + 1, b] = [*ids, END]", "y[0, 0]"),
        ("y[: len(ids) + 1, b] = [START, *ids]", "y[: len(ids) + 2, b] = [START, *ids, END][:T]", "y["),
        ("[*ids, END]", "[START, *ids]", "targets[0, 0]"),
        ("max(map(len, sentences)) + 1", "max(map(len, sentences)) + 2", "y has shape (3, 1)"),
        ("PAD)", "END)", "y["),
    ],
    "inverse_sigmoid_decay": [
        ("np.log(k) - step / k", "step / k - np.log(k)", "at step=0"),
        ("np.log(k) - step / k", "-step / k", "at step=0, k=50"),
        ("np.log(k) - step / k", "np.log(k) - step * k", "at step=100, k=60"),
        ("(1 + np.tanh((np.log(k) - step / k) / 2)) / 2", "k / (k + math.exp(step / k))", "NameError"),
        ("/ k) / 2)) / 2", "/ k) / 2))", "at step=0, k=1"),
    ],
    "soft_decoder_backward": [
        (" + softmax_backward(dx_next @ E.T, ps[t])", "", "at T=4"),
        ("softmax_backward(dx_next @ E.T, ps[t])", "dx_next @ E.T", "ds0[0, 0]"),
        ("dE += ps[t].T @ dx_next", "dE += 0", "dE[0, 0]"),
        ("np.add.at(dE, first, dx_next)", "dE[first] += dx_next", "dE["),
        ("np.add.at(dE, first, dx_next)", "dE += 0", "at T=1"),
        ("ds = ds + da_o @ Wo.T", "ds = ds + dlogits[t] @ Wo.T", "ds0[0, 0]"),
        ("dWo += ss[t + 1].T @ da_o", "dWo += ss[t + 1].T @ dlogits[t]", "dWo[0, 0]"),
    ],
}
