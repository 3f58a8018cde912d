"""A small run of two neurons, two lanes and four segments."""

import json

import numpy as np

SMALL = [
    *("simulate", "--matrix", "[[0, 1], [-1, 0]]", "--solver", "rk4"),
    *("--y0", "[[1.5, 0], [0.5, 0.5]]", "--t1", "4", "--saves", "9", "--dt0", "0.25"),
    *("--segment", "2"),
]
SEGMENTS = 4


def read(path):
    """Return the header and the arrays of a result."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("header"))), arrays
