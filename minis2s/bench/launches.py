"""What a step launches on a GPU.

CuPy counts no launches. CUDA's own tracing (CUPTI) sees those of every library in a process, and PyTorch's profiler
hands on what it sees, whether PyTorch launched it or not.
"""

from .contestants import torch_sees_gpu

LAUNCHED = ("kernel", "gpu_memcpy", "gpu_memset")


def launches(contestant, clock):
    """Kernels, copies and fills of one step, and the seconds they take on the GPU -> {"launches": n, "busy": seconds}

    {} where PyTorch sees no GPU. Raises RuntimeError where nothing was seen of the step.
    """
    if not torch_sees_gpu():
        return {}
    from torch.profiler import ProfilerActivity, profile

    for _ in range(2):  # the first time the profiler gets ready itself
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            first = clock.mark()
            contestant.step()
            clock.seconds(first, clock.mark())  # what is not over would not be seen
    found = [event for event in seen.events() if event.activity_type in LAUNCHED]
    if not found:
        raise RuntimeError("the profiler saw nothing on the GPU")
    return {"launches": len(found), "busy": sum(event.time_range.elapsed_us() for event in found) / 1e6}
