"""The optimiser that our networks are trained with unless another is given."""

import optax

from ..networks import recurrent_weights


def make_optimiser(
    learning_rate: float | int,
    num_steps: int,
    *,
    weight_rate: float | int = 0.1,
    clip: float | int = 1.0,
) -> optax.GradientTransformation:
    """Return Adam with warm-up and cosine decay, gentler with recurrent weights.

    The rate rises from a tenth of `learning_rate` over a fortieth of the steps, and
    falls to a hundredth along a cosine.

    **Arguments:**

    - `learning_rate`: the highest.
    - `num_steps`: steps of the training.
    - `weight_rate`: share of it for the recurrent weights of our cells, see
      [`recurrent_weights`][ctrnn_jax.networks.recurrent_weights].
    - `clip`: largest norm of a gradient, all parameters together.

    **Raises:** `ValueError` unless all are positive.
    """
    given = {"learning_rate": learning_rate, "num_steps": num_steps}
    given |= {"weight_rate": weight_rate, "clip": clip}
    for name, value in given.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
    warm_up = max(num_steps // 40, 1)
    schedule = optax.warmup_cosine_decay_schedule(
        0.1 * learning_rate,
        learning_rate,
        warm_up,
        max(num_steps, warm_up + 1),
        0.01 * learning_rate,
    )
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.adam(schedule),
        optax.masked(optax.scale(weight_rate), recurrent_weights),
    )
