"""Wrong answers to the exercises of chapter 13.

Of a function: (what its solution says, what stands there instead, what the check must say); of a question: answers.
"""

WRONG = {
    "module_of": [
        ("np.generic, ", "", "at arguments=(np.float32(2.5), device array)"),
        ("int, float, ", "", "AttributeError: 'float' object has no attribute"),
        ("int, float, type(None)", "int, float", "AttributeError: 'NoneType' object has no attribute"),
        ("    return np", "    return array.__array_namespace__()", "at arguments=()"),
        ("return array.__array_namespace__()", "return np", "at arguments=(device array)"),
        ("return array.__array_namespace__()", "return array", "yours is nan, it should be 1"),
    ],
    "launches_of_gru_gates": [1, 11, 13, 14, 16, 5, 15.5],
    "size_where_both_are_equal": [25_000_000, 15e-6, 8_400, 12_500, 32_768],
    "where_ones_stop": [2**23, 2**24 - 1, 2**25, 2**32, 1e8],
    "mended_table_gradient": [
        ("xp.add.at(dW, ids, dx)", "dW[ids] += dx", "dW["),
        ("xp.zeros(", "np.zeros(", "a NumPy array meets a device array"),
        (", dtype=dx.dtype", "", "dW has dtype float64, it should be float32"),
        ("norm = xp.sqrt((dW * dW).sum())", "norm = float((dW * dW).sum()) ** 0.5", "how often the host waits is 1"),
        ("xp.minimum(max_norm / norm, 1)", "max_norm / norm", "dW["),
        ("xp.minimum(max_norm / norm, 1)", "(max_norm / norm if norm > max_norm else 1)", "the host waits is 1"),
        ("xp.sqrt((dW * dW).sum())", "(dW * dW).sum()", "dW["),
        ("xp.add.at(dW, ids, dx)", "xp.add.at(dW, ids, dx)\n    dx *= 0", "changes its input dx"),
    ],
    "gates_at_once_backward": [
        ("s * s * (1", "s * (1", "da[0, 0]"),
        ("1 - t * t", "1 - t", "da[0, 0]"),
        ("s * s * (1 - t * t)", "s * s * t * (1 - t)", "da[0, 0]"),
        ("dy * (", "dy.sum(axis=0) * (", "at B=3, H=2"),
    ],
    "normals": [
        ("np.uint64(11)", "np.uint64(12)", "x[0]"),
        ("np.arange(2 * N, dtype", "np.arange(1, 2 * N + 1, dtype", "x[0]"),
        ("np.log(1 - u[::2])", "np.log(1 - u[1::2])", "x[0]"),
        ("u[::2])) * np.cos(2 * np.pi * u[1::2])", "u[:N])) * np.cos(2 * np.pi * u[N:])", "at N=5"),
        ("np.cos(2 * np.pi", "np.cos(np.pi", "x[0]"),
        ("np.sqrt(-2", "np.sqrt(-1", "x[0]"),
    ],
}
