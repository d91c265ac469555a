"""Chapter 09, attention: the exercises solved."""

import numpy as np

from minis2s.functional import sigmoid_backward, tanh_backward


def additive_score_backward(de, z, v):
    dv = (de[..., None] * z).sum(axis=(0, 1, 2))  # v stands everywhere
    da = de[..., None] * v * (1 - z**2)
    dr = da.sum(axis=1)  # a query meets every place
    dkeys = da.sum(axis=0)  # a key meets every step
    return dr, dkeys, dv


weights_of_one_sentence = 12 / 4

score_that_cannot_ask = "c"


def mended_masked_attention(e, hs, lengths):
    real = np.arange(len(e))[:, None] < lengths
    e = np.where(real, e, -np.inf)  # padding is out before anything is shared
    powers = np.exp(e - e.max(axis=0))
    alpha = powers / powers.sum(axis=0)
    return alpha, (alpha[:, :, None] * hs).sum(axis=0)


def gated_mix_backward(ds, Wg, Wn, cache):
    s_new, context, g, n = cache
    Q = s_new.shape[1]
    dg, dn, ds_new = ds * (n - s_new), ds * g, ds * (1 - g)
    da_n = tanh_backward(dn, n)
    da_g = sigmoid_backward(dg, g)
    dboth = da_g @ Wg.T  # [s' ; context]
    ds_new = ds_new + dboth[:, :Q]
    dcontext = da_n @ Wn.T + dboth[:, Q:]
    both = np.concatenate([s_new, context], axis=1)
    return ds_new, dcontext, both.T @ da_g, da_g.sum(axis=0), context.T @ da_n, da_n.sum(axis=0)


largest_of_ten_weights = 0.93


def scaled_dot_lookup_backward(dcontexts, queries, hs, alphas):
    dalphas = (dcontexts[:, None] * hs).sum(axis=3)  # (T,S,B)
    de = alphas * (dalphas - (alphas * dalphas).sum(axis=1, keepdims=True))
    de = de / np.sqrt(hs.shape[2])
    dqueries = (de[..., None] * hs).sum(axis=1)
    dvalues = (alphas[..., None] * dcontexts[:, None]).sum(axis=0)
    dkeys = (de[..., None] * queries[:, None]).sum(axis=0)
    return dqueries, dvalues + dkeys


def local_attention_backward(dcontext, cache):
    hs, alpha, near, p, sigma = cache
    dw = (dcontext * hs).sum(axis=2)  # (S,B)
    dhs = (alpha * near)[:, :, None] * dcontext
    dalpha, dnear = dw * near, dw * alpha
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=0))
    places = np.arange(len(hs))[:, None]
    dp = (dnear * near * (places - p) / sigma**2).sum(axis=0)  # p_t is used at every place
    return de, dhs, dp
