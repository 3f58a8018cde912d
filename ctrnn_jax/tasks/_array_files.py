"""Arrays from files of other people, read without running what they may bring."""

import gzip
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

_IDX_IMAGES, _IDX_LABELS = 0x803, 0x801
_CIFAR_RECORD = 1 + 3 * 32 * 32


def read_npz(path: str | Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the named arrays of an `.npz` archive.

    **Raises:** `ValueError` for no such archive, one that is cut off or damaged, a
    name that it lacks, and an array that only unpickling could read.
    """
    try:
        # Opened here: numpy leaves a damaged file open.
        with Path(path).open("rb") as file:
            if file.read(2) != b"PK":
                raise ValueError(
                    f"{path} is no .npz archive; save the arrays with numpy.savez."
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                missing = [name for name in names if name not in archive.files]
                if missing:
                    raise ValueError(
                        f"{path} lacks the array {missing[0]!r}; it holds "
                        f"{sorted(archive.files)}, and {sorted(names)} are needed."
                    )
                return {name: archive[name] for name in names}
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"{path} is no whole .npz archive: {error}.") from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{path} holds Python objects, which can run code when read; save "
                "plain arrays with numpy.savez instead."
            ) from None
        raise


def read_idx(path: str | Path) -> np.ndarray:
    """Return the images `(count, rows, columns)` or labels `(count,)` of an IDX file.

    Plain, or compressed as `.gz`; unsigned bytes.

    **Raises:** `ValueError` for another format, or a file that is cut off.
    """
    content = _read(Path(path))
    magic = struct.unpack(">I", content[:4])[0] if len(content) >= 4 else None
    dimensions = {_IDX_IMAGES: 3, _IDX_LABELS: 1}.get(magic or 0)
    if dimensions is None:
        raise ValueError(f"{path} is no IDX file of unsigned bytes.")
    head = 4 + 4 * dimensions
    if len(content) < head:
        raise ValueError(f"{path} is cut off within its head.")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    size = int(np.prod(shape, dtype=object))
    if len(content) - head != size:
        raise ValueError(
            f"{path} promises {size} bytes of data and holds {len(content) - head}; "
            "is it cut off?"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def read_cifar(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(count, 32, 32, 3)` and labels of CIFAR-10's binary version.

    **Raises:** `ValueError` for the Python version, which is pickled, a file that is
    cut off, and labels above 9.
    """
    path = Path(path)
    content = path.read_bytes()
    if not content or len(content) % _CIFAR_RECORD:
        raise ValueError(
            f"{path} holds {len(content)} bytes, no whole number of images of "
            f"{_CIFAR_RECORD}; take CIFAR-10's binary version "
            "(cifar-10-binary.tar.gz), not the Python one."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
    labels = records[:, 0].astype(int)
    if labels.max() > 9:
        raise ValueError(f"{path} holds the label {labels.max()}; expected 0 to 9.")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of these files that is there.

    **Raises:** `FileNotFoundError` naming what was looked for.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder} holds none of {', '.join(names)}.")


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is no whole .gz file: {error}.") from error
