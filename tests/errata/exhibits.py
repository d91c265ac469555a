"""What the exhibits share: where chance starts from, and how far one tensor is from another."""

import random

import torch


def same_start():
    """A fixture's body: torch and `random` from seed 0, torch on one thread, and afterwards all as before."""
    threads, state = torch.get_num_threads(), random.getstate()
    torch.set_num_threads(1)
    random.seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    random.setstate(state)
    torch.set_num_threads(threads)


def moved(after, before):
    """By what share of its length a tensor has changed: |after - before| / |before|."""
    return ((after - before).norm() / before.norm()).item()


def changed(after, before, axis):
    """Along one axis, which slices differ at all.  -> list of bool"""
    others = [other for other in range(before.dim()) if other != axis % before.dim()]
    return ((after - before).abs().amax(others) > 1e-6).tolist()
