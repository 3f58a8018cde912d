"""The results of a store as tables, a row a run."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ._arrays import decode
from ._errors import SpecificationError, load
from ._experiment import STATUS
from ._store import Store

if TYPE_CHECKING:
    import pandas

#: More columns than this make no table that anyone reads.
_MOST_COLUMNS = 2000


def to_frame(
    store: str | Path, *, names: Sequence[str] | None = None
) -> "pandas.DataFrame":
    """Return the finished runs of a store as a table, a row a run.

    **Arguments:**

    - `store`: the folder.
    - `names`: which results; all by default.

    **Returns:** a `pandas.DataFrame` with the run ids as index, the axes, the results
    (one column for each number of a result, as `exponents[0]`), `status` as text and
    `num_steps`.
    """
    pandas = load("pandas")
    opened = Store(Path(store))
    parts = list(chunk_tables(opened, names))
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    return pandas.DataFrame(columns).set_index("run_id").sort_index()


def chunk_tables(
    store: Store, names: Sequence[str] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of each finished chunk; of no run first, so that there is one.

    **Raises:** `SpecificationError` for results that would make too many columns.
    """
    variables = store.manifest["variables"]
    wanted = list(variables) if names is None else list(names)
    count = sum(int(np.prod(variables[name]["shape"])) for name in wanted)
    if count > _MOST_COLUMNS:
        raise SpecificationError(
            f"a table of these results has {count} columns, above {_MOST_COLUMNS}: "
            "name fewer of them, or export to netCDF (.nc)."
        )
    chosen = [name for name in store.columns if name not in variables or name in wanted]
    yield _columns(store, chosen, None)
    for chunk in np.flatnonzero(store.done()).tolist():
        yield _columns(store, chosen, chunk)


def _columns(
    store: Store, names: Sequence[str], chunk: int | None
) -> dict[str, np.ndarray]:
    found = {}
    for name in names:
        array = store.array(name)
        values = array[:0] if chunk is None else store.read(name, chunk)
        values = decode(values, array.attrs)
        if name == "status":
            values = np.array(STATUS)[values]
        if values.ndim == 1:
            found[name] = values
            continue
        for place in np.ndindex(values.shape[1:]):
            label = ",".join(map(str, place))
            found[f"{name}[{label}]"] = values[(slice(None), *place)]
    return found
