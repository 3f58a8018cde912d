"""Which float32 products of a program may be rounded to fewer bits on a GPU."""

import contextlib
import re

import jax
from jax.extend.core.primitives import conv_general_dilated_p, dot_general_p

_PRODUCT = re.compile(r"stablehlo\.(dot_general|dot|convolution)\b")
_NARROW = re.compile(r"xf32|xcomplex<f32>|<f32>|<complex<f32>>")
_FULL = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


def lowered_products(function, *arguments):
    """Return the float32 products of the lowered program: all, and the loose ones."""
    text = jax.jit(function).lower(*arguments).as_text()
    lines = [line.strip() for line in text.splitlines() if _PRODUCT.search(line)]
    found = [line for line in lines if _NARROW.search(line.rpartition("->")[0])]
    return found, [line for line in found if line.count("HIGHEST") != 2]


@contextlib.contextmanager
def recorded_products():
    """Collect the float32 products that are traced inside: all, and the loose ones.

    For what runs loops of its own on the host, and so is no single program. Forgets
    what is compiled, as else only what is new would be traced.
    """
    jax.clear_caches()
    found, loose = [], []
    with contextlib.ExitStack() as undo:
        for primitive in (dot_general_p, conv_general_dilated_p):
            bind = primitive.bind

            def record(*operands, _name=primitive.name, _bind=bind, **params):
                dtypes = {str(operand.dtype) for operand in operands}
                if dtypes & {"float32", "complex64"}:
                    shapes = [operand.shape for operand in operands]
                    line = f"{_name} {shapes} {params['precision']}"
                    found.append(line)
                    if params["precision"] != _FULL:
                        loose.append(line)
                return _bind(*operands, **params)

            primitive.bind = record
            undo.callback(lambda primitive=primitive: vars(primitive).pop("bind"))
        yield found, loose
