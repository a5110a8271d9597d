"""DICOM files: written by pydicom, read to what was written, shown as its own windowing shows them, or refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from drawings import encoded, gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_rescale, apply_voi_lut, apply_windowing
from pydicom.uid import (
    MPEG2MPML,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from refusals import refusal as refusal_of

from polyhead.contracts.config import Config
from polyhead.contracts.validation import REJECTED_TABLE
from polyhead.errors import DataError
from polyhead.kinds.features.image.config import ImageFeature
from polyhead.pictures.decode import decode_picture
from polyhead.pictures.dicom import without_tags
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.validate import step as validate_step

LIMIT = 1_000_000
PATIENT = "Mustermann^Erika"


def dicom(samples: NDArray[Any], *, syntax: UID = ExplicitVRLittleEndian, kind: str = "", **tags: Any) -> bytes:
    """A file of samples, (height, width) in gray or (height, width, 3), with a patient's name in it."""
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = PATIENT, "4711-0815", "20240229"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid(entropy_srcs=["x"])
    colours = samples.ndim == 3 and samples.shape[2] == 3
    kind = kind or ("RGB" if colours else "MONOCHROME2")
    bits = tags.pop("BitsStored", 8 * samples.itemsize)
    native = syntax if syntax == ExplicitVRBigEndian else ExplicitVRLittleEndian
    meta = dataset.file_meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = native, dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if samples.ndim == 3 and not colours:
        dataset.NumberOfFrames = len(samples)
    dataset.Rows, dataset.Columns = samples.shape[:2] if colours else samples.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3 if colours else 1, kind
    if colours:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * samples.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(samples.dtype.kind == "i")
    for name, value in tags.items():
        setattr(dataset, name, value)
    stored = samples.astype(samples.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    dataset.PixelData = stored + bytes(len(stored) % 2)
    dataset["PixelData"].VR = "OB" if samples.itemsize == 1 else "OW"
    if syntax == RLELossless:
        dataset.compress(syntax, generate_instance_uid=False)
    elif syntax != native:
        kinds: dict[str, tuple[str, dict[str, Any]]] = {
            JPEGBaseline8Bit: ("JPEG", {"quality": 95}),
            JPEG2000Lossless: ("JPEG2000", {"no_jp2": True}),
        }
        name, options = kinds.get(syntax, ("JPEG", {}))
        dataset.PixelData = encapsulate([encoded(Image.fromarray(samples), name, **options)])
        dataset["PixelData"].is_undefined_length = True
        meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def gray(content: bytes, sample_range: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The gray levels of a file, whose three colours must be equal."""
    pixels = decode_picture(content, max_pixels=LIMIT, sample_range=sample_range)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def refusal(content: bytes, max_pixels: int = LIMIT) -> PictureError:
    """Of a file whose header is read: so `validate` sees it before anything is decoded."""
    with pytest.raises(PictureError) as caught:
        examine_picture(content, max_pixels=max_pixels, decode=False)
    assert "\n" not in caught.value.detail
    assert PATIENT not in caught.value.detail
    return caught.value


def noise(dtype: str, low: int, high: int) -> NDArray[Any]:
    return np.random.default_rng(7).integers(low, high, (13, 18), endpoint=True).astype(dtype)


BYTES = noise("uint8", 0, 255)
HOUNSFIELD = noise("int16", -1024, 3071)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless])
def test_what_was_written_is_what_is_read(syntax: UID) -> None:
    """Of 8 bits all of it, in gray and in colours."""
    assert (gray(dicom(BYTES, syntax=syntax)) == BYTES).all()
    assert (255 - gray(dicom(BYTES, syntax=syntax, kind="MONOCHROME1")) == BYTES).all()
    colours = np.asarray(gradient())
    assert (decode_picture(dicom(colours, syntax=syntax), max_pixels=LIMIT) == colours).all()


def test_jpeg_samples_are_those_of_the_jpeg_file() -> None:
    content = dicom(BYTES, syntax=JPEGBaseline8Bit)
    with Image.open(io.BytesIO(encoded(Image.fromarray(BYTES), "JPEG", quality=95))) as image:
        assert (gray(content) == np.asarray(image)).all()


@pytest.mark.parametrize(
    ("bits", "dtype"), [(12, "uint16"), (16, "uint16"), (12, "int16"), (16, "int16"), (6, "uint8")]
)
def test_without_a_window_all_that_the_bits_in_use_hold_is_spread(bits: int, dtype: str) -> None:
    """Whatever the slope; a falling one turns black and white round."""
    signed = dtype == "int16"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    samples = noise(dtype, low, high)
    expected = np.floor((samples.astype(float) - low) / (high - low) * 255 + 0.5)
    assert (gray(dicom(samples, BitsStored=bits)) == expected).all()
    assert (gray(dicom(samples, BitsStored=bits, RescaleSlope=2.5, RescaleIntercept=-7)) == expected).all()
    falling = gray(dicom(samples, BitsStored=bits, RescaleSlope=-1, RescaleIntercept=0)).astype(int)
    assert abs(falling - (255 - expected)).max() <= 1  # halves are rounded up both ways


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600.5, 1500), (300, 1), ([50, 900], [350, 90])])
def test_the_first_window_of_the_file_shows_it_as_pydicom_does(function: str | None, centre: Any, width: Any) -> None:
    """In rescaled units."""
    tags: dict[str, Any] = {"RescaleSlope": 1.5, "RescaleIntercept": -100, "WindowCenter": centre, "WindowWidth": width}
    if function:
        tags["VOILUTFunction"] = function
    content = dicom(HOUNSFIELD, **tags)
    dataset = dcmread(io.BytesIO(content))
    shown = apply_windowing(apply_rescale(dataset.pixel_array, dataset), dataset)
    low, high = (end * 1.5 - 100 for end in (-(2**15), 2**15 - 1))
    expected = (shown - low) / (high - low) * 255
    assert np.abs(gray(content) - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(("centre", "width"), [(None, None), (5, 0), (5, None), (None, 9)])
def test_a_window_that_says_nothing_is_none(centre: float | None, width: float | None) -> None:
    assert (gray(dicom(BYTES, WindowCenter=centre, WindowWidth=width)) == BYTES).all()


def test_a_range_is_in_rescaled_units_and_comes_before_the_window() -> None:
    """Such as Hounsfield units, below 0 too; what lies outside is cut off."""
    tags: dict[str, Any] = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0, "WindowWidth": 10}
    expected = np.floor((np.clip(HOUNSFIELD * 2.0 - 1000, -160, 240) + 160) / 400 * 255 + 0.5)
    assert (gray(dicom(HOUNSFIELD, **tags), (-160, 240)) == expected).all()
    assert (gray(dicom(HOUNSFIELD, kind="MONOCHROME1", **tags), (-160, 240)) == 255 - expected).all()
    assert ImageFeature(kind="image", range=(-160, 240)).range == (-160, 240)


def lut(numbers: Any, *, first: int = 0, bits: int = 12, count: int | None = None) -> Dataset:
    """A table, with words that a person may have written."""
    table = Dataset()
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(numbers) if count is None else count, first, bits])
    table.LUTExplanation = PATIENT
    table.add_new("LUTData", "US", [int(number) for number in numbers])
    return table


@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("modality", [False, True])
@pytest.mark.parametrize("voi", [False, True])
def test_tables_show_samples_as_pydicom_does(kind: str, modality: bool, voi: bool) -> None:
    """Those of the modality come before slope and intercept, those of what is shown before the window."""
    random = np.random.default_rng(0)
    tags: dict[str, Any] = {"WindowCenter": 900, "WindowWidth": 1500}
    if modality:
        tags["ModalityLUTSequence"] = [lut(np.sort(random.integers(0, 4096, 200)), first=-80, bits=16)]
    if voi:
        tags["VOILUTSequence"] = [lut(random.integers(0, 1024, 900), first=20, bits=10), lut([1, 2])]
    content = dicom(HOUNSFIELD, kind=kind, **tags)
    dataset = dcmread(io.BytesIO(content))
    units = apply_modality_lut(dataset.pixel_array, dataset)
    ends = (0, 1023) if voi else (0, 65535) if modality else (-(2**15), 2**15 - 1)
    levels = (apply_voi_lut(units, dataset).astype(float) - ends[0]) * 255 / (ends[1] - ends[0])
    expected = 255 - levels if kind == "MONOCHROME1" else levels
    assert np.abs(gray(content) - expected).max() <= 0.5 + 1e-6
    low, high = int(units.min()) + 3, int(units.max()) - 3
    cut = (np.clip(units.astype(float), low, high) - low) * 255 / (high - low)
    assert np.abs(gray(content, (low, high)) - (255 - cut if kind == "MONOCHROME1" else cut)).max() <= 0.5
    assert PATIENT.encode() not in without_tags(content)
    assert (gray(without_tags(content)) == gray(content)).all()


def test_the_first_frame_is_the_picture_by_its_own_window() -> None:
    """That of the frame comes before that of all frames, and this before the file's."""

    def group(slope: float, centre: float | None) -> Dataset:
        values, window, item = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = slope, 0
        item.PixelValueTransformationSequence = [values]
        if centre is not None:
            window.WindowCenter, window.WindowWidth = centre, 200
            item.FrameVOILUTSequence = [window]
        return item

    frames = np.stack([HOUNSFIELD, HOUNSFIELD[::-1]])
    tags: dict[str, Any] = {
        "SharedFunctionalGroupsSequence": [group(5, 300)],
        "PerFrameFunctionalGroupsSequence": [group(2, None), group(9, 0)],
    }
    alone = dicom(HOUNSFIELD, RescaleSlope=2, RescaleIntercept=0, WindowCenter=300, WindowWidth=200)
    assert (gray(dicom(frames, WindowCenter=0, WindowWidth=10, **tags)) == gray(alone)).all()
    assert examine_picture(dicom(frames, **tags), max_pixels=LIMIT, decode=False).width == 18


def test_facts_are_those_of_the_header() -> None:
    found = examine_picture(dicom(HOUNSFIELD), max_pixels=LIMIT, decode=True)
    assert (found.width, found.height, found.format, found.mode, found.orientation) == (18, 13, "DICOM", "I;16", 1)
    assert found.perceptual_hash is not None


def without(content: bytes, name: str) -> bytes:
    dataset = dcmread(io.BytesIO(content))
    delattr(dataset, name)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def test_what_is_refused_is_named_when_the_header_is_read() -> None:
    """Each with what to do."""
    for content, words in (
        (dicom(noise("uint32", 0, 9)), "have 32 bits; save it in 8 or 16 bits"),
        (dicom(BYTES, kind="PALETTE COLOR"), "is PALETTE COLOR; save it as RGB or in gray"),
        (without(dicom(BYTES), "PixelData"), "holds no picture"),
        (without(dicom(BYTES), "Rows"), "damaged"),
        (dicom(BYTES, syntax=MPEG2MPML), "is in MPEG2 Main Profile / Main Level, which is not read"),
        (dicom(BYTES)[132:], "without its preamble"),
        (dicom(BYTES)[:132], ""),
    ):
        error = refusal(content)
        assert error.reason == "image_unreadable"
        assert words in error.detail
    assert refusal(dicom(BYTES), max_pixels=100).reason == "image_too_large"
    with pytest.raises(PictureError, match="less than expected"):
        gray(dicom(BYTES)[:-40])
    with pytest.raises(PictureError, match="holds 2 of its 3 numbers"):
        gray(dicom(BYTES, VOILUTSequence=[lut([7, 9], count=3)]))


def test_a_missing_decoder_is_named() -> None:
    """Also where an installed one reads other files of the transfer syntax."""
    error = refusal(dicom(BYTES, syntax=JPEGLosslessSV1))
    assert error.reason == "image_needs_package"
    assert "is a DICOM file in JPEG Lossless" in error.detail
    assert "install python-gdcm>=" in error.detail
    with pytest.raises(PictureError, match="if the file is whole, install python-gdcm>="):
        gray(dicom(BYTES, syntax=JPEGExtended12Bit, BitsStored=12, BitsAllocated=16))


@pytest.fixture
def no_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.setitem(sys.modules, "pydicom.dataset", None)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 2000), byte=st.integers(0, 255), cut=st.integers(0, 400))
def test_a_damaged_file_is_a_picture_or_a_refusal(at: int, byte: int, cut: int) -> None:
    """Never another error, and never a name in its words."""
    content = bytearray(dicom(HOUNSFIELD, WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=0))
    content = content[: len(content) - cut]
    content[at % len(content)] = byte
    said = ""
    try:
        decode_picture(bytes(content), max_pixels=LIMIT)
    except PictureError as error:
        said = error.detail
    assert "\n" not in said
    assert "Mustermann" not in said
    without_tags(bytes(content))


@pytest.fixture(params=["files", "bytes"])
def scans(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A table of twelve scans of 24 x 20, in files or in the table, in the folder that is given."""
    paths = [f"{row}.dcm" for row in range(12)]
    for row, path in enumerate(paths):
        samples = np.random.default_rng(row).integers(-1000, 1000, (24, 20)).astype(np.int16)
        (tmp_path / path).write_bytes(dicom(samples, WindowCenter=40, WindowWidth=400))
    cells = paths if request.param == "files" else [(tmp_path / path).read_bytes() for path in paths]
    part = ["train", "train", "val", "test"] * 3
    pl.DataFrame({"scan": cells, "size": range(12), "part": part}).write_parquet(tmp_path / "t.parquet")
    return tmp_path


CONFIG = Config.model_validate(
    {
        "table": "t.parquet",
        "features": {"scan": {"kind": "image", "size": [24, 20], "channels": "grey", "range": [-200, 200]}},
        "targets": {"size": {"kind": "regression"}},
        "split": {"column": "part"},
    }
)


def written(folder: Path) -> bytes:
    """All that steps wrote into a folder, and that no tag of a patient is among it."""
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    assert not [word for word in (PATIENT, PATIENT[:10], "4711-0815", "20240229") if word.encode() in content]
    return content


def test_no_artifact_holds_a_tag_of_a_patient(scans: Path) -> None:
    """What the shards hold of the files is the pictures, by the range."""
    out = scans / "out"
    report = validate_step.run(config=CONFIG, table=str(scans / "t.parquet"), out=out / "V")
    assert report.rows_clean == 12
    preprocess_step.run(config=CONFIG, data=out / "V", out=out / "P")
    shard_step.run(config=CONFIG, data=out / "V", preprocessing=out / "P", out=out / "S")
    content = written(out)
    for row in range(12):
        stored = dcmread(scans / f"{row}.dcm").pixel_array
        levels = np.floor((np.clip(stored, -200, 200) + 200) / 400 * 255 + 0.5)
        assert levels.astype(np.uint8).tobytes() in content


def test_without_the_extra_every_row_says_what_to_install(scans: Path, no_pydicom: None) -> None:
    """Neither is a tag kept of what cannot be read."""
    codes = ("too-many-rejected", "image-needs-package", "run-stopped")
    with refusal_of(DataError, *codes, shows=["pip install 'polyhead[dicom]'"]):
        validate_step.run(config=CONFIG, table=str(scans / "t.parquet"), out=scans / "out")
    assert pl.read_parquet(scans / "out" / REJECTED_TABLE)["reason"].to_list() == ["image_needs_package"] * 12
    written(scans / "out")
