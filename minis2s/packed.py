"""All parameters of a model end to end in one array, and all gradients in another.

The layers keep their names and shapes, as views. What treats every number alike, an optimiser or a norm, then goes over
one array instead of dozens: one call for a small model, one kernel for a GPU.
"""

from copy import copy

from .backend import array_module
from .layer import zeros_like

ALL = "all"  # the one name that an optimiser knows of what is packed
ALIGNED = 16  # numbers: every view begins on a new line of the cache; what lies between two views stays 0


class Packed:
    """A model's parameters and gradients, each as one array (N,); the model's own are views of them from here on.

    Raises ValueError for a model without parameters, or with several dtypes.
    """

    def __init__(self, model):
        params = model.params
        if len({param.dtype for param in params.values()}) != 1:
            raise ValueError(f"model must have parameters of one dtype, got {model}")
        self.places, size = {}, 0
        for name, param in params.items():
            self.places[name] = (slice(size, size + param.size), param.shape)
            size += -(-param.size // ALIGNED) * ALIGNED
        first = next(iter(params.values()))
        self.params, self.grads = (array_module(first).zeros(size, dtype=first.dtype) for _ in range(2))
        self.views = self.parts(self.params), self.parts(self.grads)
        self.take(model, "params", 0)
        self.take(model, "grads", 1)

    def take(self, model, kind, number):
        """Copy a model's arrays into the views, and put the views in their place."""
        for path, leaf in model.leaves():
            own = getattr(leaf, kind)
            for name in own:
                view = self.views[number][path + name]
                view[...] = own[name]
                own[name] = view

    def with_gradients_of(self, model):
        """A Packed with these very parameters and the gradients of another model that has them -> Packed"""
        other = copy(self)
        other.grads = zeros_like(self.grads)
        other.views = self.views[0], self.parts(other.grads)
        other.take(model, "grads", 1)
        return other

    def parts(self, flat):
        """An array (N,) laid out like these, such as an optimiser's moment -> its views by parameter"""
        return {name: flat[place].reshape(shape) for name, (place, shape) in self.places.items()}

    def holds(self, model):
        """Whether the model's arrays are still these views: moving or converting it gives it others."""
        return all(
            own[name] is views.get(path + name)
            for path, leaf in model.leaves()
            for own, views in zip((leaf.params, leaf.grads), self.views, strict=True)
            for name in own
        )


def pack(model, packed=None):
    """The model packed: as `packed` says, if that still holds, else anew -> Packed"""
    return packed if packed is not None and packed.holds(model) else Packed(model)
