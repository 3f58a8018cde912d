"""One checkpoint file: a header that says what it holds, the arrays, a digest.

Four parts: a line that names the format and its version; the SHA-256 of what follows,
in hexadecimal, and a line end; the length of the header in decimal, and a line end;
the header, JSON; then the arrays as equinox writes leaves, `.npy` one after another.
"""

import hashlib
import importlib.metadata
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._storage import write_atomically
from .._types import PyTree
from ._errors import CheckpointError, as_write_error

FORMAT = "ctrnn_jax checkpoint"
VERSION = 1

_PACKAGES = ("ctrnn_jax", "jax", "jaxlib", "equinox", "optax", "numpy")
_SCALARS = (bool, int, float, str)


def write_checkpoint(path: Path, tree: PyTree, header: Mapping[str, Any]) -> None:
    """Write the arrays of `tree`, and `header` with what describes them.

    **Raises:** `CheckpointWriteError` if the file cannot be written; one that was there
    is then still there.
    """
    arrays = [_as_plain(leaf) for _, leaf in _leaves(tree) if _is_array(leaf)]
    described = {
        **header,
        "leaves": describe_leaves(tree),
        "structure": structure(tree),
        "versions": package_versions(),
    }
    text = json.dumps(described, indent=1, allow_nan=False).encode()
    body = io.BytesIO()
    body.write(b"%d\n" % len(text) + text)
    eqx.tree_serialise_leaves(body, arrays)
    data, first = body.getbuffer(), f"{FORMAT} {VERSION}\n".encode()

    def write(file: Any) -> None:
        file.write(first + _digest(first, data) + b"\n")
        file.write(data)

    try:
        write_atomically(path, write)
    except OSError as error:
        raise as_write_error(error, path) from error


def read_checkpoint(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return a file's header and its arrays' bytes, after the digest was checked.

    **Raises:** `CheckpointError` saying what is wrong with the file; `OSError` if it
    cannot be read.
    """
    data = path.read_bytes()
    first, _, rest = data.partition(b"\n")
    name, _, version = first.decode("utf-8", "replace").rpartition(" ")
    if name != FORMAT or not version.isdecimal():
        what = "not a checkpoint of ctrnn_jax, or its first line is damaged"
        raise DamagedError(f"{path} is {what if data else 'empty'}.")
    digest, _, body = rest.partition(b"\n")
    if digest != _digest(first + b"\n", body):
        raise DamagedError(f"{path} is damaged: its SHA-256 does not match.")
    if int(version) > VERSION:
        raise CheckpointError(
            f"{path} has format {version}, which is newer than this ctrnn_jax reads "
            f"({VERSION}); install a newer ctrnn_jax."
        )
    size, _, body = body.partition(b"\n")
    return json.loads(body[: int(size)]), body[int(size) :]


def _digest(first: bytes, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(first)
    digest.update(body)
    return digest.hexdigest().encode()


class DamagedError(CheckpointError):
    """What the file holds is not what was written."""


def restore(path: Path, header: Mapping[str, Any], body: bytes, like: PyTree) -> PyTree:
    """Return `like` with the arrays of a file that `read_checkpoint` has read.

    **Raises:** `CheckpointError` naming the first leaf that differs.
    """
    _check_leaves(path, header["leaves"], describe_leaves(like))
    leaves, treedef = jax.tree.flatten(like)
    places = [index for index, leaf in enumerate(leaves) if _is_array(leaf)]
    stream = io.BytesIO(body)
    loaded = [np.load(stream, allow_pickle=False) for _ in places]
    for index, array in zip(places, loaded, strict=True):
        leaves[index] = _from_plain(array, leaves[index])
    return jax.tree.unflatten(treedef, leaves)


def describe_leaves(tree: PyTree) -> list[dict[str, Any]]:
    """Return path, and shape and dtype or value, of each leaf that a file can hold."""
    described = []
    for path, leaf in _leaves(tree):
        if _is_array(leaf):
            what: dict[str, Any] = {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}
        elif isinstance(leaf, _SCALARS):
            what = {"value": repr(leaf)}
        else:
            continue  # Functions and the like belong to the program.
        described.append({"path": path, **what})
    return described


def package_versions() -> dict[str, str]:
    """Return the versions that decide the last bits of a result."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def structure(tree: PyTree) -> str:
    """Return what kind of thing each node is, the same in every process."""
    return without_addresses(repr(jax.tree.structure(tree)))


def without_addresses(text: str) -> str:
    """Return a `repr` without where in memory its objects are."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _leaves(tree: PyTree) -> list[tuple[str, Any]]:
    found = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in found]


def _is_array(leaf: Any) -> bool:
    return eqx.is_array(leaf) or isinstance(leaf, np.ndarray | jax.ShapeDtypeStruct)


def _as_plain(leaf: Any) -> np.ndarray:
    """Return an array that .npy can hold: keys as numbers, bfloat16 as its bits."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    # Types that NumPy does not know itself come back as raw bytes.
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array


def _from_plain(array: np.ndarray, like: Any) -> Any:
    if isinstance(like, np.ndarray):
        return array.view(like.dtype)
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        key = jnp.asarray(array)
        return jax.random.wrap_key_data(key, impl=jax.random.key_impl(like))
    return jnp.asarray(array.view(like.dtype))


def _check_leaves(path: Path, saved: list[dict], wanted: list[dict]) -> None:
    old = {leaf["path"]: leaf for leaf in saved}
    new = {leaf["path"]: leaf for leaf in wanted}
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            raise CheckpointError(
                f"{path} holds another architecture: {name} is {_show(old.get(name))} "
                f"in the file and {_show(new.get(name))} here. Build the model as it "
                "was built when the file was written."
            )


def _show(leaf: dict | None) -> str:
    if leaf is None:
        return "missing"
    if "value" in leaf:
        return leaf["value"]
    return f"{leaf['dtype']}{leaf['shape']}"
