"""Where a run stands, and what it needs to go on: arrays, and a description that JSON can hold."""

from copy import deepcopy
from dataclasses import asdict, dataclass, field

from .backend import from_numpy, to_device
from .contracts import expect_arrays, expect_choice, expect_count
from .layer import zeros_like
from .packed import ALL


@dataclass
class Standing:
    """Where a run stands: with the parameters and the optimiser's moments, all that is needed to go on from here."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done of the next one
    total: float = 0.0  # loss times tokens, over those batches
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of this process, all its threads: what else the machine did does not count
    waited: int = 0  # epochs since the best one
    best: list | None = None  # its score
    finished: bool = False
    log: list = field(default_factory=list)


def state_of(trainer):
    """All that a run needs to go on -> arrays by name (on the CPU), a description that JSON can hold

    Raises FloatingPointError as `Trainer.read` does: what is saved is known to be finite.
    """
    trainer.read()
    arrays = {f"params/{name}": array.copy() for name, array in trainer.model.params.items()}
    arrays |= {f"best/{name}": array.copy() for name, array in trainer.best_params.items()}
    for slot, array in trainer.optimiser.state.get(ALL, {}).items():
        arrays |= {f"optimiser/{name}/{slot}": part.copy() for name, part in trainer.packed.parts(array).items()}
    return to_device(arrays, "cpu"), {"steps": trainer.steps, "seed": trainer.seed, "standing": asdict(trainer.at)}


def restore(trainer, arrays, description):
    """Go on from a state; ValueError, with nothing changed, where it is not one of this trainer's."""
    parts = {"params": {}, "best": {}, "optimiser": {}}
    for name, array in arrays.items():
        part, _, rest = name.partition("/")
        expect_choice("the first part of a state's names", part, parts)
        parts[part][rest] = array
    expect_own(trainer, parts, description)
    trainer.model.load(parts["params"])
    trainer.unread = []
    own = trainer.model.params
    trainer.best_params = {name: from_numpy(array.copy(), own[name]) for name, array in parts["best"].items()}
    trainer.optimiser.state = {}
    if parts["optimiser"]:
        trainer.replicas.renew()
        moments = {slot: zeros_like(trainer.packed.params) for slot in trainer.optimiser.slots}
        for slot, moment in moments.items():
            for name, part in trainer.packed.parts(moment).items():
                part[...] = from_numpy(parts["optimiser"][f"{name}/{slot}"], part)
        trainer.optimiser.state[ALL] = moments
    trainer.optimiser.steps, trainer.at = description["steps"], Standing(**deepcopy(description["standing"]))


def expect_own(trainer, parts, description):
    """ValueError unless the parts of a state, and its description, are of this trainer's run."""
    for key in ("steps", "seed", "standing"):
        if key not in description:
            raise ValueError(f"the state does not say {key}")
    expect_count(steps=description["steps"])
    if description["seed"] != trainer.seed:
        raise ValueError(f"the state has seed {description['seed']}, this run {trainer.seed}")
    known, found = list(asdict(trainer.at)), list(description["standing"])
    if sorted(found) != sorted(known):
        raise ValueError(f"the state's standing must hold {', '.join(known)}; got {', '.join(found) or 'nothing'}")
    params = trainer.model.params
    expect_arrays("params", parts["params"], params, "model")
    if parts["best"]:
        expect_arrays("best", parts["best"], params, "model")
    slots = {name.rpartition("/")[2]: None for name in parts["optimiser"]}
    wanted = trainer.optimiser.slots if description["steps"] else ()
    if slots.keys() != set(wanted):
        kept, here = (", ".join(each) or "nothing" for each in (slots, wanted))
        raise ValueError(f"the state's optimiser keeps {kept} of each parameter, this one {here}")
    moments = {f"{name}/{slot}": param for name, param in params.items() for slot in wanted}
    expect_arrays("optimiser", parts["optimiser"], moments, "optimiser")
