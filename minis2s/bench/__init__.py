"""How fast, beside PyTorch on the same processor or GPU: the same weights, the same batch, the same gradients first.

    workloads      the documents' models at their sizes
    ours           one training step of minis2s
    rivals         the same step in PyTorch: as the documents loop, and as well as PyTorch can
    textbook       the same step in plain NumPy, and the ideas that make it fast, one at a time
    worker, race   each contestant in a process of its own, timed in turns
    clocks, launches    what says the time on CPU and GPU; what a step launches there
    training, ablation, scaling, decoding, profile, gpu     what is measured
    report, figures     Markdown and pictures

`minis2s bench` runs it; nothing else imports it, and without PyTorch minis2s's own columns still run.
"""
