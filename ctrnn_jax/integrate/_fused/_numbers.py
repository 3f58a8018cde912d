"""Numbers of a kernel: what a thread holds in its registers, one by one.

An array is held as a NumPy array of objects of its shape, called numbers. A number is
known while the kernel is built (a NumPy scalar), the same in all lanes (a traced
scalar), or one a lane (a traced vector over the lanes of a block).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..._types import Array

#: A NumPy array of objects.
Numbers: TypeAlias = np.ndarray


def is_known(number: object) -> bool:
    """Whether a number's value is known while the kernel is built."""
    return isinstance(number, np.generic)


def known(values: Any, dtype: Any = None) -> Numbers:
    """Return numbers whose values are known."""
    values = np.asarray(values, dtype)
    out = np.empty(values.shape, object)
    for index in np.ndindex(values.shape):
        out[index] = values.dtype.type(values[index])
    return out


def numbers_of(values: Sequence, shape: tuple[int, ...]) -> Numbers:
    """Return a sequence of numbers as an array of them."""
    out = np.empty(len(values), object)
    for index, value in enumerate(values):
        out[index] = value
    return out.reshape(shape)


def scalar(value: Any) -> Numbers:
    """Return a single number."""
    return numbers_of([value], ())


def alike(arrays: list[Array]) -> list[Array]:
    """Return numbers that are the same in all lanes beside ones that are not."""
    lanes = max((array.shape for array in arrays), key=len)
    return [
        array if array.shape == lanes else jnp.broadcast_to(array, lanes)
        for array in arrays
    ]


def add(a: Any, b: Any) -> Any:
    """Return a + b; nothing is computed where one is known to be 0."""
    if is_known(a) and a == 0:
        return b
    if is_known(b) and b == 0:
        return a
    if is_known(a) and is_known(b):
        return a + b
    dtype = b.dtype if is_known(a) else a.dtype
    return jnp.add(*alike([jnp.asarray(a, dtype), jnp.asarray(b, dtype)]))


def multiply(a: Any, b: Any) -> Any:
    """Return a · b; nothing is computed where one is known to be 0, 1 or −1."""
    if is_known(a) and is_known(b):
        return a * b
    if is_known(b):
        a, b = b, a
    if is_known(a):
        if a == 0:
            return a
        if a == 1:
            return b
        if a == -1:
            return -b
    dtype = b.dtype
    return jnp.multiply(*alike([jnp.asarray(a, dtype), b]))


def at_build_time(function: Callable, *arguments: Any, **params: Any) -> np.ndarray:
    """Call a function of JAX on what is known, wherever a kernel is being built."""
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.ensure_compile_time_eval(), jax.default_device(cpu):
        return np.asarray(function(*map(jnp.asarray, arguments), **params))
