"""Colour a graph so that neurons of one colour share no edge."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def colour_graph(size: int, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Return a proper colouring, shape `(size,)`, colours 0, 1, 2, … all used.

    Each colour is a maximal independent set of what is still uncoloured, found by
    Luby's rounds (Luby 1986): every neuron draws a priority and joins the set where
    it beats its neighbours. The neurons of highest degree go first. Deterministic.

    A bipartite graph gets its two colours instead, since leapfrog needs exactly two.
    """
    two = _two_colour(size, rows, cols)
    if two is not None:
        return two
    rng = np.random.default_rng(0)
    degree = np.bincount(np.concatenate([rows, cols]), minlength=size)
    # Ties of degree are broken at random; all priorities are distinct.
    priority = np.empty(size, np.int64)
    priority[np.lexsort([rng.permutation(size), degree])] = np.arange(size)
    colour = np.full(size, -1)
    current = 0
    while (colour < 0).any():
        candidate = colour < 0
        while candidate.any():
            live = candidate[rows] & candidate[cols]
            i, j = rows[live], cols[live]
            beaten = np.zeros(size, bool)
            beaten[np.where(priority[i] < priority[j], i, j)] = True
            chosen = candidate & ~beaten
            colour[chosen] = current
            candidate &= ~chosen
            # A neighbour of a chosen neuron cannot have this colour.
            candidate[j[chosen[i]]] = False
            candidate[i[chosen[j]]] = False
        current += 1
    return colour


def _two_colour(size: int, rows: np.ndarray, cols: np.ndarray) -> np.ndarray | None:
    """Return colours 0 and 1 if the graph is bipartite, else `None`.

    In the bipartite double cover each neuron appears twice; a connected graph is
    bipartite exactly when the two copies of a neuron are not connected.
    """
    ends = np.concatenate([rows, cols + size]), np.concatenate([cols + size, rows])
    crossed = np.concatenate([rows + size, cols]), np.concatenate([cols, rows + size])
    i = np.concatenate([ends[0], crossed[0]])
    j = np.concatenate([ends[1], crossed[1]])
    cover = coo_array((np.ones(i.size, bool), (i, j)), shape=(2 * size, 2 * size))
    _, label = connected_components(cover, directed=False)
    if np.any(label[:size] == label[size:]):
        return None
    return (label[:size] > label[size:]).astype(int)
