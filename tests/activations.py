"""Every activation by name: what drives the tests that hold for all."""

import jax.numpy as jnp

import ctrnn_jax as cj

#: At unit scale.
UNIT = {
    "Tanh": cj.Tanh(),
    "Linear": cj.Linear(),
    "HardTanh": cj.HardTanh(),
    "Arctan": cj.Arctan(),
    "Erf": cj.Erf(),
    "Softsign": cj.Softsign(),
    "Sine": cj.Sine(),
    "Relu": cj.Relu(),
    "RectifiedTanh": cj.RectifiedTanh(),
}

#: Those with a scale.
SCALED = {
    name: type(activation)
    for name, activation in UNIT.items()
    if name not in ("Linear", "Relu")
}

#: A user's own, neither odd, bounded nor coercive.
CUSTOM = cj.CustomActivation(
    lambda x: x + x**2, lambda x: x**2 / 2 + x**3 / 3, is_smooth=True
)

#: All that have a potential.
ACTIVATIONS = {
    **UNIT,
    "Tanh(0.3)": cj.Tanh(0.3),
    "HardTanh(0.3)": cj.HardTanh(0.3),
    "Tanh(array)": cj.Tanh(jnp.asarray(2.5)),
    "Custom": CUSTOM,
}
