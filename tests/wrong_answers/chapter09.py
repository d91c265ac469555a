"""Wrong answers to the exercises of chapter 09.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "additive_score_backward": [
        ("* v * (1 - z**2)", "* v * (1 - z)", "dr[0, 0, 0]"),
        ("* v * (1 - z**2)", "* (1 - z**2)", "dr[0, 0, 0]"),
        ("da.sum(axis=1)", "da.mean(axis=1)", "at T=3, S=2"),
        ("dkeys = da.sum(axis=0)", "dkeys = da[0]", "dkeys[0, 0, 0]"),
        ("axis=(0, 1, 2)", "axis=(0, 1)", "dv has shape"),
        ("return dr, dkeys, dv", "return dkeys, dr, dv", "dr has shape"),
        ("dv = (de[..., None] * z)", "dv = (de[..., None] * (1 - z**2))", "dv[0]"),
    ],
    "weights_of_one_sentence": [1.0, 12, 4, 0.25, 1 / 12],
    "score_that_cannot_ask": ["a", "b", "d"],
    "mended_masked_attention": [
        ("< lengths", "<= lengths", "at S=4, B=3"),
        ("-np.inf", "0.0", "alpha[0, 0]"),
        ("powers.sum(axis=0)", "powers.sum(axis=1, keepdims=True)", "alpha[0, "),
        ("powers / powers.sum(axis=0)", "powers / powers.sum(axis=0) * 0.9", "alpha[0, 0]"),
        ("e = np.where(real, e, -np.inf)", "e[~real] = -np.inf", "changes its input e"),
    ],
    "gated_mix_backward": [
        ("ds * (n - s_new)", "ds * (s_new - n)", "ds_new[0, 0]"),
        ("ds_new + dboth[:, :Q]", "ds_new", "ds_new[0, 0]"),
        (" + dboth[:, Q:]", "", "dcontext[0, 0]"),
        ("ds * g, ds * (1 - g)", "ds * (1 - g), ds * g", "ds_new[0, 0]"),
        ("tanh_backward(dn, n)", "dn", "dcontext[0, 0]"),
        ("[s_new, context]", "[context, s_new]", "dWg[0, 0]"),
        ("da_g.sum(axis=0)", "da_g.mean(axis=0)", "dbg[0]"),
    ],
    "largest_of_ten_weights": [0.1, 0.32, 0.5, 0.8],
    "scaled_dot_lookup_backward": [
        ("    de = de / np.sqrt(hs.shape[2])\n", "", "dqueries[0, 0, 0]"),
        ("np.sqrt(hs.shape[2])", "hs.shape[2]", "dqueries[0, 0, 0]"),
        ("dvalues + dkeys", "dvalues", "dhs[0, 0, 0]"),
        ("dvalues + dkeys", "dkeys", "dhs[0, 0, 0]"),
        ("dalphas - (alphas * dalphas).sum(axis=1, keepdims=True)", "dalphas", "dqueries[0, 0, 0]"),
        ("(alphas * dalphas).sum(axis=1", "(alphas * dalphas).sum(axis=2", "dqueries[0, 0, 0]"),
        ("queries[:, None]).sum(axis=0)", "queries[:, None]).mean(axis=0)", "dhs[0, 0, 0]"),
    ],
    "local_attention_backward": [
        ("dw * near, dw * alpha", "dw, dw * alpha", "de[0, 0]"),
        ("(places - p)", "(p - places)", "dp[0]"),
        ("/ sigma**2", "/ sigma", "dp[0]"),
        ("(alpha * near)[:, :, None] * dcontext", "alpha[:, :, None] * dcontext", "dhs[0, 0, 0]"),
        ("np.arange(len(hs))", "np.arange(1, len(hs) + 1)", "dp[0]"),
        ("sigma**2).sum(axis=0)", "sigma**2).mean(axis=0)", "at S=2, B=4"),
    ],
}
