"""Results in the formats of other programs, written whole or not at all."""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .._nearest import nearest
from .._storage import temporary_of
from ._dataset import open_sweep
from ._errors import SpecificationError, as_storage_error, load
from ._store import Store
from ._table import chunk_tables


def export(
    store: str | Path, file: str | Path, *, names: Sequence[str] | None = None
) -> Path:
    """Write the results of a store as one file for another program.

    **Arguments:**

    - `store`: the folder; what is not finished is left out of tables, and NaN in
      netCDF.
    - `file`: where to; its suffix says how: `.nc` (netCDF, labelled and shaped as the
      grid), `.parquet` (a row a run; any number of them, as it is written in parts) or
      `.csv`.
    - `names`: which results; all by default.

    **Returns:** the path of the file.

    **Raises:** `SpecificationError` for another suffix, `SweepStorageError` if it
    cannot be written; what was at `file` then stays.
    """
    file = Path(file)
    writers: dict[str, Callable[[Store, Path, Sequence[str] | None], None]] = {
        ".nc": _write_netcdf,
        ".parquet": _write_parquet,
        ".csv": _write_csv,
    }
    if file.suffix not in writers:
        raise SpecificationError(
            f"{file} must end with one of {', '.join(writers)}, which say the format."
            f"{nearest(file.suffix, writers)}"
        )
    opened = Store(Path(store))
    variables = opened.manifest["variables"]
    for name in names or ():
        if name not in variables:
            raise SpecificationError(
                f"{store} holds no {name!r}; it holds {', '.join(variables)}."
                f"{nearest(name, variables)}"
            )
    temporary = temporary_of(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        writers[file.suffix](opened, temporary, names)
        os.replace(temporary, file)
    except OSError as error:
        raise as_storage_error(error, file) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return file


def _write_netcdf(store: Store, file: Path, names: Sequence[str] | None) -> None:
    load("h5py")
    load("h5netcdf")
    dataset = open_sweep(store.path, names=names)
    # HDF5 has no place for truth values.
    for name in [*dataset.variables]:
        if dataset[name].dtype.kind == "b":
            dataset[name] = dataset[name].astype("int8")
    packed = {name: {"zlib": True, "complevel": 1} for name in dataset.data_vars}
    dataset.to_netcdf(file, engine="h5netcdf", encoding=packed)


def _write_parquet(store: Store, file: Path, names: Sequence[str] | None) -> None:
    pyarrow, parquet = load("pyarrow"), load("pyarrow.parquet")
    tables = (pyarrow.table(columns) for columns in chunk_tables(store, names))
    first = next(tables)
    with parquet.ParquetWriter(file, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _write_csv(store: Store, file: Path, names: Sequence[str] | None) -> None:
    pandas = load("pandas")
    with file.open("w", encoding="utf-8", newline="") as text:
        for place, columns in enumerate(chunk_tables(store, names)):
            table = pandas.DataFrame(columns)
            table.to_csv(text, header=place == 0, index=False)
