"""Wrong answers to the exercises of chapter 02.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

THROUGH_TIME = [
    ("dhs[t] + dh_next", "dhs[t]", "dx[0, 0, 0]"),
    ("1 - hs[t + 1] ** 2", "1 - hs[t] ** 2", "dx[0, 0, 0]"),
    ("dWh += hs[t].T", "dWh += hs[t + 1].T", "dWh[0, 0]"),
    ("dWx += x", "dWx = x", "dWx[0, 0]"),
    ("db += da.sum(axis=0)", "db += da.mean(axis=0)", "db[0]"),
    ("da @ Wh.T", "da @ Wh", "at T=4"),
]

WRONG = {
    "rnn_backward_through_time": [
        *THROUGH_TIME,
        ("dh_next = np.zeros_like(x), dhT", "dh_next = np.zeros_like(x), 0 * dhT", "at T=1"),
        ("dh_next = np.zeros_like(x), dhT", "dh_next = np.zeros_like(x), len(x) * dhT", "at T=4"),
        ("reversed(range(len(x)))", "range(len(x))", "at T=4"),
        ("dh = dhs[t] + dh_next", "dhs[t] += dh_next\n        dh = dhs[t]", "changes its input dhs"),
    ],
    "rnn_steps_until_a_hundredth": [11, 20, 22, 5, 100, 0.8],
    "exponent_of_best_step": [-8, -5, -16, -1, 1e-3],
    "mended_bptt": [
        ("dys.swapaxes(0, 1)", "dys.reshape(len(x), -1, dys.shape[2])", "at T=4"),
        ("dx.swapaxes(0, 1)", "dx", "dx has shape (4, 3, 5), it should be (3, 4, 5)"),
        ("dx.swapaxes(0, 1)", "dx.reshape(dx.shape[1], *dx.shape[::2])", "dx[0, 1, 0]"),
        ("dys[t] @ Wy.T", "dys[-1 - t] @ Wy.T", "at T=4"),
        ("dWy += hs[t + 1].T", "dWy += hs[t].T", "dWy[0, 0]"),
    ],
    "slopes_along": [
        ("/ (2 * eps)", "/ eps", "numeric is"),
        ("f(x - eps * d)", "f(x)", "numeric is"),
        ("(dx * d).sum()", "(dx * d).mean()", "analytic is"),
        ("(dx * d).sum()", "dx @ d", "at shape="),
        ("f(x + eps * d)", "f(x + eps * d) + 0 * f(x)", "f is called a third time"),
        ("numeric = (", "x += eps * d\n    numeric = (", "changes its input x"),
    ],
    "truncated_bptt": [
        *THROUGH_TIME[1:],
        ("(t + 1) % k == 0", "t % k == 0", "at T=4"),
        ("(t + 1) % k == 0", "False", "at T=4"),
        ("dh_next = np.zeros_like(dh_next)", "break", "at T=4"),
        ("(t + 1) % k == 0", "(len(x) - t - 1) % k == 0", "k="),
    ],
}
