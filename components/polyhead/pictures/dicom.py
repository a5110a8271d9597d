"""DICOM files, by pydicom: the first frame in gray by its window or its table, or in colours. No other tag is read."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import warnings
from collections.abc import Iterator, MutableSequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from polyhead.pictures.failures import PictureError
from polyhead.pictures.samples import Pixels

if TYPE_CHECKING:
    from pydicom import Dataset

_HEAD = 132
_MAGIC = b"DICM"
_META = 1024
_DEFLATED = b"1.2.840.10008.1.2.1.99"
"""A transfer syntax whose file is one compressed block: what it needs is not known before it is there."""

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_DEPTHS = (8, 16)

_TAGS = (
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "HighBit",
    "ModalityLUTSequence",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelData",
    "PixelRepresentation",
    "PlanarConfiguration",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "VOILUTFunction",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
)
"""What is read of a file: nothing that says who or when."""

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""Where a file of many frames has what holds for all of them, and what for each."""

_NUMBERS = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth")
_MACROS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
}
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_TABLE_TAGS = ("LUTDescriptor", "LUTData")

warnings.filterwarnings("ignore", module="pydicom")  # what it does not like and reads all the same


def is_dicom(content: bytes) -> bool:
    """Whether a file begins as DICOM files do: the word DICM after 128 bytes."""
    return content[_HEAD - len(_MAGIC) : _HEAD] == _MAGIC


def reads_dicom() -> bool:
    """Whether pydicom is installed, which the extra `polyhead[dicom]` brings."""
    return importlib.util.find_spec("pydicom") is not None


def without_tags(content: bytes) -> bytes:
    """A DICOM file with nothing but what its picture needs: no patient's name, no date, no number of a study.

    Args:
        content: A file's bytes.

    Returns:
        A DICOM file of the same picture; of one that cannot be read an empty one, which is refused in its place.
    """
    empty = bytes(_HEAD - len(_MAGIC)) + _MAGIC
    kept = io.BytesIO()
    try:
        with _blamed():
            from pydicom.dataset import FileMetaDataset

            dataset = _read(io.BytesIO(content))
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
            dataset.file_meta, dataset.preamble = meta, bytes(_HEAD - len(_MAGIC))
            dataset.save_as(kept)
    except (PictureError, ValueError):
        return empty
    return kept.getvalue()


class DicomFile(ImageFile.ImageFile):
    """A DICOM file whose header was read, as Pillow has those of other formats.

    Args:
        fp: The file.

    Raises:
        PictureError: pydicom is not installed, or no decoder of what the samples are compressed with.
        ValueError: It is damaged, or its samples are none of a picture; one line for a person.
    """

    format = "DICOM"

    def _open(self) -> None:
        with _blamed():
            assert self.fp is not None
            self._dataset = _read(self.fp)
            _insist_on_picture(self._dataset)
            self._size = (int(self._dataset.Columns), int(self._dataset.Rows))
            self._mode = self._word

    @property
    def _word(self) -> str:
        """Pillow's word for the samples."""
        if self._dataset.PhotometricInterpretation not in _GRAY:
            return "RGB"
        return "L" if self._dataset.BitsAllocated == 8 else "I;16"

    def rgb(self, sample_range: tuple[int, int] | None) -> Image.Image:
        """The first frame in RGB of 8 bits.

        Args:
            sample_range: Rescaled samples of a gray picture that become black and white. Default: what the file's
                first table of shown samples says, or its first window, or all that the bits in use can hold.
        """
        from pydicom.pixels.utils import pixel_array

        with _blamed():
            try:
                samples = pixel_array(self._dataset, index=0)
            except RuntimeError as error:  # the decoders that are installed may read a part of a syntax only
                others = _absent(self._dataset.file_meta.TransferSyntaxUID)
                raise ValueError(f"{error}; if the file is whole, install {others}" if others else error) from None
            levels = samples if self._mode == "RGB" else _levels(self._dataset, samples, sample_range)
            return Image.fromarray(levels).convert("RGB")


def _read(file: IO[bytes]) -> Dataset:
    """What the picture of a file needs; what holds for the first of several frames is put at the top.

    Raises:
        ValueError: It is of the one syntax that is not read.
    """
    import pydicom

    if _DEFLATED in file.read(_META):
        raise ValueError("the DICOM file is deflated as a whole; save it in Explicit VR Little Endian")
    file.seek(0)
    dataset = pydicom.dcmread(file, specific_tags=[*_TAGS, *_GROUPS])
    for group in _GROUPS:
        for item in (dataset.get(group) or ())[:1]:
            for macro, names in _MACROS.items():
                for values in (item.get(macro) or ())[:1]:
                    for name in set(names) & set(values.dir()):
                        setattr(dataset, name, values.get(name))
        if group in dataset:
            delattr(dataset, group)
    for name in _TABLES:
        if name in dataset:
            setattr(dataset, name, [_bare(item) for item in dataset.get(name)[:1]])
    return dataset


def _bare(table: Dataset) -> Dataset:
    """A table of samples without what else is said of it."""
    from pydicom import Dataset

    kept = Dataset()
    for name in _TABLE_TAGS:
        if name in table:
            kept[name] = table[name]
    return kept


def _insist_on_picture(dataset: Dataset) -> None:
    """Refuse what is no picture, and what no installed decoder reads.

    Raises:
        PictureError: A decoder is missing.
        ValueError: It is no picture.
    """
    from pydicom.pixels.decoders.base import get_decoder

    if "PixelData" not in dataset:
        raise ValueError("the DICOM file holds no picture, such as a report")
    kind, bits = dataset.PhotometricInterpretation, dataset.BitsAllocated
    if kind not in (*_GRAY, *_COLOURS):
        raise ValueError(f"the DICOM file is {kind}; save it as RGB or in gray")
    if bits not in _DEPTHS or (kind in _COLOURS and bits != 8):
        raise ValueError(f"the samples of the DICOM file have {bits} bits; save it in 8 or 16 bits, colours in 8")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        is_read = get_decoder(syntax).is_available
    except NotImplementedError:
        raise ValueError(f"the DICOM file is in {syntax.name}, which is not read; save it uncompressed") from None
    if not is_read:
        what = f"is a DICOM file in {syntax.name}, which no installed decoder reads"
        raise PictureError("image_needs_package", f"{what}: install {_absent(syntax)}, or save it uncompressed")


def _absent(syntax: str) -> str:
    """The packages that read a transfer syntax and are not installed, as pip calls them."""
    from pydicom.pixels.decoders.base import get_decoder

    wanted = (words.partition(" - requires ")[2] for words in get_decoder(syntax).missing_dependencies)
    return " or ".join(filter(None, wanted)).replace("gdcm>", "python-gdcm>")


def _levels(dataset: Dataset, samples: NDArray[Any], sample_range: tuple[int, int] | None) -> Pixels:
    """Stored samples in gray as 8 bits, by a table of what each of them is."""
    limits = np.iinfo(samples.dtype)
    levels = _shown(dataset, np.arange(limits.min, limits.max + 1), sample_range)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        levels = 255 - levels
    return levels[samples.astype(np.int32) - limits.min]


def _shown(dataset: Dataset, stored: NDArray[np.int_], sample_range: tuple[int, int] | None) -> Pixels:
    """Stored samples as 8 bits (DICOM PS3.3, C.11.1 and C.11.2).

    They are put into the modality's units by its table, or by slope and intercept. What is shown of these is the range,
    what the file's table says (C.11.2.1.1), its window (C.11.2.1.2 and C.11.2.1.3), or all that the bits in use hold.

    Raises:
        ValueError: The file's numbers are none.
    """
    slope, intercept, centre, width = (_number(dataset, name) for name in _NUMBERS)
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    units = _table(dataset, "ModalityLUTSequence")
    rescaled = stored * slope + intercept if units is None else units.of(stored).astype(np.float64)
    shown = _table(dataset, "VOILUTSequence")
    if sample_range is None and shown is not None:
        return _rounded(shown.of(rescaled) * (255 / (2**shown.bits - 1)))
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    if width is not None and (width < 1 if function == "LINEAR" else width <= 0):
        width = None  # as some devices have it where they know none
    low: float
    high: float
    if sample_range is not None:
        low, high = sample_range
    elif centre is not None and width is not None:
        if function == "SIGMOID":
            return _rounded(255 / (1 + np.exp(np.clip(-4 * (rescaled - centre) / width, -700, 700))))
        if function == "LINEAR":  # the middles of the first and the last sample in it
            centre, width = centre - 0.5, width - 1
        low, high = centre - width / 2, centre + width / 2
    elif units is not None:
        low, high = 0, 2**units.bits - 1
    else:
        signed, bits = int(dataset.PixelRepresentation), int(dataset.BitsStored)
        ends = (-signed * 2 ** (bits - 1), 2 ** (bits - signed) - 1)
        low, high = sorted(end * slope + intercept for end in ends)
    if low == high:
        return np.where(rescaled > low, np.uint8(255), np.uint8(0))
    return _rounded((np.clip(rescaled, low, high) - low) * 255 / (high - low))


class _Table(NamedTuple):
    """What samples become.

    Attributes:
        first: The sample that the first number is of; smaller ones become the same.
        numbers: Those of one sample after the other; larger samples become the last one.
        bits: Of each number.
    """

    first: int
    numbers: NDArray[np.int64]
    bits: int

    def of(self, samples: NDArray[Any]) -> NDArray[np.int64]:
        """What samples become, fractions cut off."""
        return self.numbers[np.clip(samples.astype(np.int64) - self.first, 0, len(self.numbers) - 1)]


def _table(dataset: Dataset, name: str) -> _Table | None:
    """The first table of a sequence; None where there is none.

    Raises:
        ValueError: It does not hold what it says.
    """
    items = dataset.get(name)
    if not items:
        return None
    count, first, bits = (int(number) for number in items[0].LUTDescriptor)
    count = count or 2**16
    data = items[0].LUTData
    if isinstance(data, bytes):
        order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
        data = np.frombuffer(data, f"{order}u{2 if len(data) >= 2 * count else 1}")
    numbers = np.atleast_1d(np.asarray(data, np.int64))[:count]
    if len(numbers) < count or not 8 <= bits <= 16:
        raise ValueError(f"the {name} of the DICOM file holds {len(numbers)} of its {count} numbers of {bits} bits")
    return _Table(first, numbers & (2**bits - 1), bits)


def _rounded(levels: NDArray[np.float64]) -> Pixels:
    return np.floor(levels + 0.5).astype(np.uint8)


def _number(dataset: Dataset, name: str) -> float | None:
    """The first of a tag's numbers; None where it has none.

    Raises:
        ValueError: It is infinite, or no number.
    """
    value = dataset.get(name)
    first = next(iter(value), None) if isinstance(value, MutableSequence) else value
    if first is not None and not math.isfinite(first):
        raise ValueError(f"the {name} of the DICOM file is {first}")
    return None if first is None else float(first)


@contextlib.contextmanager
def _blamed() -> Iterator[None]:
    """Whatever pydicom raises of a damaged file in the block as a ValueError, one line for a person.

    Raises:
        PictureError: pydicom is not installed, or too old.
    """
    try:
        yield
    except (MemoryError, PictureError):
        raise
    except ImportError:
        raise PictureError("image_needs_package", "is a DICOM file: pip install 'polyhead[dicom]' to read it") from None
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            words if isinstance(error, ValueError) else f"the DICOM file is damaged or of an unknown kind: {words}"
        ) from None
