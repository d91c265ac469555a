"""What was measured as Markdown: the target of every row stands beside it."""

from .contestants import OURS, TEXTBOOK
from .decoding import MAX_LENGTH
from .race import median, paired, quartiles
from .textbook import IN_WORDS, Ideas
from .workloads import BEST_FORM, ON_GPU, SPLIT, STEP_LOOP


def markdown(result):
    """All tables of a result, and the circumstances above them."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    head = f"{result['machine']}; {result['threads']} threads, {result['dtype']}; {versions}; {result['date']}."
    if "profile" not in result:
        head += f"\nMedians of {result['rounds']} rounds in turns, quartiles in brackets."
    tables = [table(result) for name, table in TABLES.items() if name in result]
    return "\n\n".join([head, *tables])


def training(result):
    peak = max(result["peak"].values())
    rows = []
    for row in result["training"]:
        found, limits = row["contestants"], row["limits"]
        split = next((name for name in found if name.startswith(SPLIT)), None)
        best = min(filter(None, [OURS, split]), key=lambda name: median(found[name]["seconds"]))
        rivals = [name for name in limits if name in found] or [None]
        for rival in rivals:
            names = [OURS] if rival is None else [OURS, rival]
            shares = " / ".join(f"{row['flops'] / median(found[name]['seconds']) / peak:.0%}" for name in names)
            rows.append([
                row["name"], rival or "", time(found, OURS), time(found, split), time(found, rival),
                ratio(found, OURS, rival), ratio(found, split, rival),
                reached(found, rival, limits.get(rival, []), best), time(found, TEXTBOOK), memory(found, OURS, rival),
                memory_reached(found, rival, row["memory_limits"].get(rival)), shares,
            ])  # fmt: skip
    columns = [
        "workload", "PyTorch as", "minis2s, ms", "split, ms", "PyTorch, ms", "ratio", "ratio, split", "to reach",
        "textbook, ms", "peak memory, MB", "memory, to reach", "share of BLAS peak",
    ]  # fmt: skip
    peaks = ", ".join(f"{name} {flops / 1e9:.0f}" for name, flops in result["peak"].items())
    note = (
        "One training step. Split: the batch is shared among Python's threads, each with one of BLAS; to reach: by the "
        f"faster of ours. BLAS peak, GFLOP/s: {peaks}; shares are of the higher. Pairs: minis2s / PyTorch."
    )
    return f"{lines(columns, rows)}\n\n{note} {same_gradients(result['training'])}"


def gpu(result):
    rows, mine = [], OURS + ON_GPU
    for row in result["gpu"]:
        found, limits = row["contestants"], row["gpu_limits"]
        for name, one in found.items():
            steps = 1 / median(one["seconds"])
            rows.append([
                row["name"], name, time(found, name), digits(steps), digits(row["tokens"] * steps),
                "" if name == mine else ratio(found, mine, name), reached(found, name, limits.get(name, []), mine),
                part_of_step(one, "issue"), str(one.get("launches", "")), part_of_step(one, "busy"),
            ])  # fmt: skip
    columns = [
        "workload", "", "a step, ms", "steps/s", "target tokens/s", "time of minis2s on GPU / this", "to reach",
        "issuing it, ms", "launches", "GPU at work, ms",
    ]  # fmt: skip
    note = (
        "One training step; on the GPU by its events, without TF32. Issuing: how long the CPU takes to hand a step to "
        "an idle GPU; near 100% the GPU waits for launches. Launches: kernels, copies and fills."
    )
    return f"{lines(columns, rows)}\n\n{note} {same_gradients(result['gpu'])}"


def ablation(result):
    tables = []
    for row in result["ablation"]:
        found = row["contestants"]
        names = [name for name in found if name != OURS]
        ideas = ["as a textbook writes it", *(IN_WORDS[field] for field in Ideas._fields)]
        rows = [
            [idea, time(found, name), gain(found, before, name), gain(found, TEXTBOOK, name)]
            for idea, name, before in zip(ideas, names, [None, *names], strict=False)
        ]
        rows.append([OURS, time(found, OURS), gain(found, names[-1], OURS), gain(found, TEXTBOOK, OURS)])
        columns = [f"{row['name']}, one idea more a row", "ms", "times faster than the row above", "than the first"]
        tables.append(lines(columns, rows))
    return "\n\n".join([*tables, same_gradients(result["ablation"])])


def scaling(result):
    rows = []
    for row in result["scaling"]:
        found = row["contestants"]
        cells = [row["varied"], str(row["value"])]
        for name in (OURS, BEST_FORM):
            if name in found:
                cells += [digits(1e6 * a_token(row, name)), megabytes(found[name])]
            else:
                cells += ["", ""]
        rows.append(cells)
    columns = ["", "", "minis2s, µs a token", "peak memory, MB", "PyTorch's best form, µs a token", "peak memory, MB"]
    over_T = {row["value"]: row for row in result["scaling"] if row["varied"] == "T"}
    growth = a_token(over_T[400], OURS) / a_token(over_T[50], OURS)
    note = f"minis2s, time a token at T 400 / at T 50: {growth:.2f}: {verdict(growth, 1.15)}."
    return f"{lines(columns, rows)}\n\n{note}"


def decoding(result):
    rows = []
    for row in result["decoding"]:
        found = row["contestants"]
        speeds = [
            f"{row['sentences'] / median(found[name]['seconds']):.0f}" if name in found else ""
            for name in (OURS, STEP_LOOP)
        ]
        kind = "greedy" if row["width"] == 1 else f"beam {row['width']}"
        rival = STEP_LOOP if STEP_LOOP in found else None
        rows.append([row["name"], kind, *speeds, ratio(found, OURS, rival), reached(found, rival, [1.0])])
    columns = ["model", "decoding", "minis2s, sentences/s", "PyTorch, sentences/s", "ratio of times", "to reach"]
    note = f"PyTorch in a step loop. The weights are random: hardly a sentence ends before {MAX_LENGTH} tokens."
    return f"{lines(columns, rows)}\n\n{note}"


def profile(result):
    rows = result["profile"]
    parts = list(dict.fromkeys(part for row in rows for part in row["seconds"]))
    cells = [[part, *(share_of_step(row["seconds"], part) for row in rows)] for part in parts]
    return lines(["part, ms", *(row["name"] for row in rows)], cells)


TABLES = {
    "training": training, "gpu": gpu, "ablation": ablation, "scaling": scaling, "decoding": decoding,
    "profile": profile,
}  # fmt: skip


# Cells; empty where there is nothing to say.


def time(found, name):
    """812 [800, 830]"""
    if name not in found:
        return ""
    low, middle, high = (digits(1e3 * value) for value in quartiles(found[name]["seconds"]))
    return f"{middle} [{low}, {high}]"


def ratio(found, name, other):
    """Of the times of two, round by round: 0.47 [0.46, 0.48]"""
    if name not in found or other not in found:
        return ""
    low, middle, high = quartiles(paired(found, name, other))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def gain(found, before, after):
    return "" if before is None else f"{median(paired(found, before, after)):.2f}"


def reached(found, rival, limits, name=OURS):
    """≤ 1.00 reached, ≤ 0.90 missed"""
    if rival not in found:
        return ""
    return ", ".join(verdict(median(paired(found, name, rival)), limit) for limit in limits)


def memory(found, name, rival):
    """260 / 480"""
    return " / ".join(megabytes(found[each]) for each in (name, rival) if each in found)


def memory_reached(found, rival, limit):
    if rival not in found or limit is None:
        return ""
    share = found[OURS]["bytes"] / found[rival]["bytes"]
    return f"{share:.2f}: {verdict(share, limit)}"


def same_gradients(rows):
    """A sentence; nothing was timed whose gradients were not ours."""
    differences = [value for row in rows for value in row["differences"].values()]
    if not differences:
        return "No gradients were compared."
    return f"All gradients are those of minis2s, to {max(differences):.0e} of the largest entry of their array."


def megabytes(one):
    return digits(one["bytes"] / 1e6)


def verdict(value, limit):
    return f"≤ {limit:.2f} {'reached' if value <= limit else 'missed'}"


def a_token(row, name):
    """Seconds a target token."""
    return median(row["contestants"][name]["seconds"]) / row["tokens"]


def digits(value):
    """1,234 or 123 or 12.3 or 0.123"""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def part_of_step(one, part):
    """11.9 (97%), of the median step"""
    if part not in one:
        return ""
    seconds = median(one[part])
    return f"{digits(1e3 * seconds)} ({seconds / median(one['seconds']):.0%})"


def share_of_step(seconds, part):
    if part not in seconds:
        return ""
    return f"{digits(1e3 * seconds[part])} ({seconds[part] / seconds['whole step']:.0%})"


def lines(columns, rows):
    """A Markdown table."""
    table = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)
