"""What is drawn in these tests: the exact kind of data the other rooms return."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def circle():
    """One and a half turns of the unit circle, as a solution has them."""
    ts = np.linspace(0.0, 3 * np.pi, 301)
    return SimpleNamespace(ts=ts, ys=np.stack([np.cos(ts), -np.sin(ts)], axis=-1))


@pytest.fixture
def waves():
    """Eight neurons, each a sine of its own frequency and amplitude."""
    ts = np.linspace(0.0, 20.0, 201)
    neurons = np.arange(1, 9)
    return SimpleNamespace(ts=ts, ys=neurons * np.sin(np.outer(ts, 0.3 * neurons)))
