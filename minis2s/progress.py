"""How far it is, on a terminal, while it runs: tqdm's bar where tqdm is installed, else a plain line now and then."""

import sys
import time


def progress(items, label, every=5.0, file=None):
    """Yield (item, show) for every item; show(loss=…, …) sets what stands at the end of the line."""
    items, file = list(items), sys.stderr if file is None else file
    try:
        from tqdm import tqdm
    except ImportError:
        yield from _plain(items, label, every, file)
        return
    with tqdm(items, desc=label, file=file, leave=False, mininterval=0.5, disable=None) as bar:
        for item in bar:
            yield item, lambda **values: bar.set_postfix(values, refresh=False)


def _plain(items, label, every, file):
    values, last = {}, time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item, values.update
        if file.isatty() and (time.monotonic() - last >= every or count == len(items)):
            last = time.monotonic()
            shown = "  ".join(f"{name} {value}" for name, value in values.items())
            print(f"{label}: {count}/{len(items)}  {shown}", file=file, flush=True)
