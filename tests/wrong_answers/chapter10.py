"""Wrong answers to the exercises of chapter 10.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "beam_step": [
        ("scores[:, None] + log_p", "np.zeros((K, 1)) + log_p", "scores[0] is"),
        ("scores[:, None] + log_p", "scores[:, None] * log_p", "scores[0] is"),
        ("argsort(-continued", "argsort(continued", "scores[0] is"),
        ("places // V, places % V", "places // K, places % K", "parents[0] is"),
        ("places // V, places % V", "places % V, places // V", "parents["),
        ("[:K]", "", "scores has shape"),
        (".ravel()", ".T.ravel()", "at K=3, V=5"),
    ],
    "bleu_of_the_first_eight": [100.0, 80.0, 0.7788, 72.5, "77.9"],
    "exponent_of_equal_rank": [0.326, 1.0, 0.0, -0.63, 1.2],
    "tokens_left_to_draw": [1, 3, 4, 0, "2"],
    "mended_bleu": [
        ("min(count, known[gram])", "count * (gram in known)", "at sentences=1"),
        ("1 - R / C", "1 - C / R", "at sentences=4"),
        ("min(1.0, np.exp(1 - R / C))", "np.exp(1 - R / C)", "at sentences=3"),
        ("min(1.0, np.exp(1 - R / C)) * ", "", "at sentences=4"),
        ("np.prod(matched / total) ** (1 / 4)", "np.mean(matched / total)", "at sentences=1"),
        ("np.prod(matched / total) ** (1 / 4)", "np.prod(matched / total)", "at sentences=1"),
        ("range(1, 5)", "range(1, 4)", "at sentences=1"),
        ("100 * ", "", "at sentences=1"),
    ],
    "rank_with_coverage": [
        ("np.minimum(alphas.sum(axis=0), 1)", "alphas.sum(axis=0)", "at T=3, S=5"),
        ("alphas.sum(axis=0)", "alphas.sum(axis=1)", "at T="),
        ("+ beta", "- beta", "at T=3, S=5"),
        ("length_normaliser(len(alphas)", "length_normaliser(len(looked)", "at T=3, S=5"),
        ("score / length", "score * length", "at T=3, S=5"),
        ("np.log(looked).sum()", "np.log(looked.sum())", "at T=3, S=5"),
    ],
}
