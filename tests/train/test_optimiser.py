"""The optimiser of our networks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from ctrnn_jax.networks import make_network
from ctrnn_jax.tasks import CopyMemory
from ctrnn_jax.train import make_optimiser

# Adam divides a float by an int32.
pytestmark = pytest.mark.standard_promotion


def test_recurrent_weights_move_by_their_share_and_the_rest_by_the_rate():
    network = make_network("tanh-skew", CopyMemory(3), size=4, key=jr.key(0))
    params = eqx.filter(network, eqx.is_inexact_array)
    gradient = jax.tree.map(jnp.ones_like, params)
    optim = make_optimiser(1e-2, 400, weight_rate=0.25)
    updates, _ = optim.update(gradient, optim.init(params), params)
    # Adam's first step is the rate itself, which begins at a tenth.
    field = updates.cells[0].field
    np.testing.assert_allclose(field.input_weight, -1e-3, rtol=1e-5)
    np.testing.assert_allclose(field.weight.coupling, -0.25e-3, rtol=1e-5)


@pytest.mark.parametrize("name", ["learning_rate", "num_steps", "weight_rate", "clip"])
def test_what_is_not_positive_is_refused(name):
    options = {"learning_rate": 0.1, "num_steps": 5, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        make_optimiser(**options)


@pytest.mark.parametrize("num_steps", [1, 2, 39])
def test_short_trainings_have_a_schedule_too(num_steps):
    params = {"a": jnp.ones(2)}
    optim = make_optimiser(1e-2, num_steps)
    updates, _ = optim.update(params, optim.init(params), params)
    assert np.all(np.isfinite(updates["a"]))
