"""Where the time of our step goes, part by part."""

import time

from . import contestants

SECONDS = 3.0


def profile(workload, dtype, seconds=SECONDS):
    """Seconds a step in every part, in the rest, and in the whole step; mean over at least `seconds` -> dict

    The methods of the parts are replaced by ones that look at the clock, and put back.
    """
    contestant = contestants.make(contestants.OURS, workload, dtype)
    contestant.step()
    spent, methods = {}, []
    for part, owner, name in contestant.parts():
        methods.append((owner, name, getattr(owner, name)))
        setattr(owner, name, timed(getattr(owner, name), part, spent))
    try:
        steps, start = 0, time.perf_counter()
        while steps == 0 or time.perf_counter() - start < seconds:
            contestant.step()
            steps += 1
        whole = time.perf_counter() - start
    finally:
        for owner, name, method in methods:
            setattr(owner, name, method)
    found = {part: total / steps for part, total in spent.items()}
    return found | {"rest": whole / steps - sum(found.values()), "whole step": whole / steps}


def timed(method, part, spent):
    spent.setdefault(part, 0.0)

    def run(*args, **options):
        start = time.perf_counter()
        out = method(*args, **options)
        spent[part] += time.perf_counter() - start
        return out

    return run
