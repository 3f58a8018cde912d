"""A plain function of one run as an experiment."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from .._nearest import nearest
from .._types import Array, Key
from ._design import Design
from ._errors import SpecificationError
from ._experiment import AbstractExperiment, BatchedRun, Parameter


class FunctionExperiment(AbstractExperiment):
    """Runs `fn(settings, key)`, of one run, for many at once.

    `settings` are scalars by name, in nested dicts where a name has dots. Texts, and
    the names in `static`, are Python values.
    """

    def __init__(self, fn: Callable, design: Design, static: Sequence[str] = ()):
        _check_signature(fn)
        values = {name: axis[0].item() for name, axis in design.axes.items()}
        values |= design.fixed
        for name in static:
            if name not in values:
                raise SpecificationError(
                    f"static names {name!r}, which is no axis; there are "
                    f"{', '.join(values)}.{nearest(name, values)}"
                )
        _check_nesting(values)
        self.fn = fn
        self.name = getattr(fn, "__qualname__", type(fn).__name__)
        self.summary = (inspect.getdoc(fn) or "").partition("\n")[0]
        self.parameters = tuple(
            Parameter(name, value, "", static=name in static or isinstance(value, str))
            for name, value in values.items()
        )
        self.outputs = ()

    def build(self, fixed: Mapping[str, Any]) -> BatchedRun:
        """Return `fn` under `jax.vmap`."""

        def one(settings: Mapping[str, Array], key: Key) -> dict[str, Any]:
            found = self.fn(_nested({**fixed, **settings}), key)
            if not isinstance(found, Mapping):
                raise SpecificationError(
                    f"{self.name} must return a dict of arrays by name, got "
                    f"{type(found).__name__}."
                )
            return dict(found)

        return jax.vmap(one)


def _check_signature(fn: Callable) -> None:
    try:
        inspect.signature(fn).bind({}, None)
    except TypeError:
        raise SpecificationError(
            "the function of a sweep is called as fn(settings, key); let it take these "
            "two."
        ) from None
    except ValueError:  # A built-in function that does not say.
        pass


def _check_nesting(names: Mapping[str, Any]) -> None:
    for name in names:
        for other in names:
            if other.startswith(name + "."):
                raise SpecificationError(
                    f"{name} is a value and {other} a field of it; rename one of them."
                )


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return found
