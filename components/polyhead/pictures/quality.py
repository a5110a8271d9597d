"""How pictures are to be decoded: scaled down in the decoder, unless that costs more quality than is allowed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from PIL import Image

from polyhead.kinds.features.image.config import PictureFeature, PictureQuality
from polyhead.pictures.decode import decode_picture
from polyhead.pictures.failures import PictureError, work_on
from polyhead.pictures.folder import PictureFolder
from polyhead.pictures.resize import fitted
from polyhead.pictures.samples import Pixels
from polyhead.storage.parallel import available_cpus

SAMPLE = 32
"""Pictures by which the decoding is chosen, at most."""

_EQUAL = 99.0


def choose_decoding(
    paths: Sequence[str], feature: PictureFeature, folder: PictureFolder, *, max_pixels: int
) -> tuple[Literal["scaled", "full"], PictureQuality | None]:
    """How the pictures of a feature are decoded, and how good that is.

    Args:
        paths: A sample of the train rows' pictures, of which the first are decoded. Those that cannot be read are
            passed over.
        feature: The feature.
        folder: Where the paths start.
        max_pixels: Largest picture that is decoded.

    Returns:
        scaled or full, as in `PictureStatistics`; the quality of what was chosen, None where no picture can be read.
    """
    decode = partial(
        decode_picture,
        max_pixels=max_pixels,
        background=feature.background_colour,
        sample_range=feature.range,
        gray=feature.is_gray,
    )
    fit = partial(fitted, size=feature.size, fit=feature.fit, background=feature.background_colour)

    def of(path: str) -> tuple[float, float] | None:
        try:
            with work_on(path):
                content = folder.read(path)
                full = decode(content)
                scaled = decode(content, at_least=feature.size)
                wanted = fit(full, resized=reference)
                return psnr(fit(scaled), wanted), psnr(fit(full), wanted)
        except PictureError:
            return None

    pairs = folder.map(of, paths[:SAMPLE], lambda path: [path], workers=available_cpus())
    measured = [pair for pair in pairs if pair is not None]
    by_scaling, at_full = ([pair[way] for pair in measured] for way in (0, 1))
    if feature.decode == "auto" and (not measured or statistics.median(by_scaling) >= feature.min_psnr):
        return "scaled", _quality(by_scaling)
    return "full", _quality(at_full)


def reference(full: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture decoded at full size, resized by Pillow's antialiased bilinear filter."""
    image = Image.fromarray(full[..., 0] if full.shape[2] == 1 else full)
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, full.shape[2])


def psnr(pixels: Pixels, wanted: Pixels) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / mean squared error); 99 at most."""
    error = float(np.square(pixels.astype(np.float64) - wanted).mean())
    return min(_EQUAL, 10 * float(np.log10(255**2 / error))) if error else _EQUAL


def _quality(ratios: list[float]) -> PictureQuality | None:
    if not ratios:
        return None
    return PictureQuality(sample=len(ratios), median=round(statistics.median(ratios), 2), lowest=round(min(ratios), 2))
