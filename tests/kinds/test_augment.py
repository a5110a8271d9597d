"""What training changes in pictures: each option as it says, each picture in its own way, the same by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

OFF = {"flip": False, "shift": 0}
PICTURES = np.random.default_rng(0).integers(0, 256, (64, 20, 30, 3), np.uint8)


def changed(tf: Any, options: dict[str, Any], pictures: Any = PICTURES, seed: int = 1) -> Any:
    """Samples from 0 to 255 of what training makes of pictures."""
    from polyhead.kinds.features.image.augment import Augment

    return (np.asarray(Augment({**OFF, **options}, seed=seed)(tf.constant(pictures), training=True)) + 1) * 127.5


def test_only_training_changes_anything(tf: Any) -> None:
    """Elsewhere, and with every option off, the samples are scaled and nothing else."""
    from polyhead.kinds.features.image.augment import Augment

    served = Augment({"rotate": 90, "noise": 1, "erase": 0.5}, seed=1)(tf.constant(PICTURES))
    np.testing.assert_allclose((np.asarray(served) + 1) * 127.5, PICTURES, atol=1e-3)
    np.testing.assert_allclose(changed(tf, {}), PICTURES, atol=1e-3)


def test_flip_and_shift_move_whole_pixels(tf: Any) -> None:
    """A result is the picture or its mirror image, moved; what comes in is mirrored at the edge; all of it happens."""
    found, seen = changed(tf, {"flip": True, "shift": 0.1}), set()
    for picture, result in zip(PICTURES, found, strict=True):
        matches = []
        for mirrored in (False, True):
            padded = np.pad(picture[:, ::-1] if mirrored else picture, ((2, 2), (3, 3), (0, 0)), "symmetric")
            for down in range(5):
                for right in range(7):
                    if np.abs(padded[down : down + 20, right : right + 30] - result).max() < 1e-2:
                        matches.append((mirrored, down, right))
        assert len(matches) == 1
        seen |= set(matches)
    assert [len({match[at] for match in seen}) for at in range(3)] == [2, 5, 7]


def test_a_rotation_turns_about_the_middle(tf: Any) -> None:
    """A disc stays a disc, a bar does not stay where it was."""
    rows, columns = np.mgrid[:32, :32] - 15.5
    disc = np.repeat(((rows**2 + columns**2 < 100) * np.uint8(255))[None, :, :, None], 16, 0).repeat(3, 3)
    assert np.abs(changed(tf, {"rotate": 180}, disc) - disc).mean() < 8
    bar = np.repeat(((np.abs(rows) < 3) * np.uint8(255))[None, :, :, None], 16, 0).repeat(3, 3)
    assert np.abs(changed(tf, {"rotate": 180}, bar) - bar).mean() > 40


@pytest.mark.parametrize("options", [{"crop": 0.6}, {"zoom": 0.5}])
def test_a_crop_only_enlarges_and_a_zoom_shrinks_too(tf: Any, options: dict[str, float]) -> None:
    """Of a slope from black to white, what is seen has a gentler slope by as much as it is enlarged."""
    slope = np.repeat(np.linspace(60, 180, 30).astype(np.uint8)[None, None, :, None], 64, 0).repeat(20, 1).repeat(3, 3)
    found = changed(tf, options, slope)[:, 10, :, 0]
    steps = (found[:, 20] - found[:, 10]) / (slope[0, 0, 20, 0] - float(slope[0, 0, 10, 0]))
    low, high = (0.4, 1.0) if "crop" in options else (0.5, 1.5)
    assert low - 0.06 <= steps.min() < low + 0.15
    assert high - 0.15 < steps.max() <= high + 0.06


def test_colours_change_within_their_limits(tf: Any) -> None:
    """Brightness adds, contrast spreads about the mean, each picture in its own way; noise has its deviation."""
    grey = np.full((64, 8, 8, 3), 128, np.uint8)
    brightness = changed(tf, {"brightness": 0.2}, grey) - 128
    assert np.ptp(brightness, axis=(1, 2, 3)).max() < 1e-2
    assert 35 < np.abs(brightness).max() <= 51
    np.testing.assert_allclose(changed(tf, {"contrast": 1}, grey), grey, atol=1e-2)
    halves = np.where(np.arange(8)[None, :, None, None] < 4, 100, 156).astype(np.uint8) + np.zeros_like(grey)
    spread = np.ptp(changed(tf, {"contrast": 0.5}, halves), axis=(1, 2, 3)) / 56
    assert 0.5 <= spread.min() < 0.6
    assert 1.4 < spread.max() <= 1.5
    assert np.ptp(changed(tf, {"colour": 0.3}, grey).mean((1, 2)), axis=1).max() > 20
    assert abs((changed(tf, {"noise": 0.1}, grey) - 128).std() - 25.5) < 1


def test_what_is_erased_is_one_grey_rectangle(tf: Any) -> None:
    """Of at most the share that is given."""
    pictures = np.full((64, 40, 40, 3), 255, np.uint8)
    covered = changed(tf, {"erase": 0.3}, pictures)[..., 0] < 200
    assert (covered == covered.any(2)[:, :, None] & covered.any(1)[:, None]).all()
    assert covered.mean((1, 2)).max() <= 0.33
    assert covered.mean() > 0.1


def test_the_seed_decides(tf: Any) -> None:
    """The same seed changes the same pictures the same way, saved and loaded too; another one does not."""
    from polyhead.kinds.features.image.augment import Augment

    options = {"rotate": 20, "zoom": 0.2, "crop": 0.2, "colour": 0.1, "noise": 0.1, "erase": 0.2, "brightness": 0.1}
    first = changed(tf, options)
    assert (changed(tf, options) == first).all()
    assert (changed(tf, options, seed=2) != first).any()
    again = Augment.from_config(Augment({**OFF, **options}, seed=1).get_config())
    assert ((np.asarray(again(tf.constant(PICTURES), training=True)) + 1) * 127.5 == first).all()


def test_a_contact_sheet_shows_pictures_above_what_becomes_of_them(tf: Any) -> None:
    """Known ones alone, as they are in the first line, changed below, a large one made smaller by a whole number."""
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ImageBlock

    one = {"kind": "image", "size": [20, 30], "augment": {**OFF, "brightness": 0.5}}
    features = {"one": one, "large": {**one, "size": [200, 100]}, "none": one}
    block = ImageBlock(
        {name: ImageFeature.model_validate(body) for name, body in features.items()},
        dict.fromkeys(features, ImageStatistics(count=32, missing=32, decode="full", quality=None)),
    )
    known = (np.arange(64) % 2).astype(np.float32)
    shown = {
        "one__pixels": tf.constant(PICTURES),
        "one__known": known,
        "large__pixels": tf.constant(np.full((64, 200, 100, 3), 90, np.uint8)),
        "large__known": known,
        "none__pixels": tf.constant(PICTURES),
        "none__known": np.zeros(64, np.float32),
    }
    sheets = block.sheets(shown, [shown, shown], 0)
    assert {name: sheet.shape for name, sheet in sheets.items()} == {
        "one": (3 * 22, 6 * 32, 3),
        "large": (3 * 68, 6 * 35, 3),
    }
    tiles = sheets["one"].reshape(3, 22, 6, 32, 3).swapaxes(1, 2)[:, :, :20, :30]
    assert (tiles[0] == PICTURES[1:13:2]).all()
    assert (tiles[1:] != tiles[0]).any((2, 3, 4)).all()
    assert (sheets["large"][:66, :33] == 90).all()


def test_gray_pictures_change_as_coloured_ones_do(tf: Any) -> None:
    """A gray picture of one channel becomes what the same picture with three equal channels becomes."""
    gray = PICTURES[..., :1]
    options = {"flip": True, "shift": 0.1, "rotate": 20, "zoom": 0.2, "brightness": 0.2, "contrast": 0.3, "erase": 0.2}
    found = changed(tf, options, gray)
    assert found.shape == gray.shape
    np.testing.assert_allclose(found, changed(tf, options, gray.repeat(3, 3))[..., :1], atol=1e-2)
    assert np.abs(found - gray).mean() > 5


def test_gray_contact_sheets_are_gray(tf: Any) -> None:
    """On white, as the coloured ones are."""
    from polyhead.kinds.features.image.augment import contact_sheet

    lines = PICTURES[None, :4, ..., :1].astype(float)
    assert (contact_sheet(lines) == contact_sheet(lines.repeat(3, 4))).all()


@pytest.mark.parametrize(("rows", "has_line"), [(1_000, False), (1_001, True)])
def test_pictures_of_many_rows_have_a_line_to_every_head(tf: Any, rows: int, has_line: bool) -> None:
    """It starts at zero, and takes the tower's vector or the learned one of a row without a picture."""
    from polyhead.contracts.sizes import ModelSizes
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ImageBlock

    block = ImageBlock(
        {"p": ImageFeature.model_validate({"kind": "image", "size": [16, 16]})},
        {"p": ImageStatistics(count=rows, missing=0, decode="full", quality=None)},
    )
    inputs = block.inputs()
    encoded = block.encode(inputs, ModelSizes(width=8, dropout=0), 0)
    assert (encoded.direct is not None) == has_line
    if encoded.direct is not None:
        line = tf.keras.Model(inputs, [encoded.vector, encoded.direct(3, "head")])
        kernel = next(weight for weight in line.trainable_weights if "learned__to__head" in weight.path)
        given = {"p__pixels": PICTURES[:8, :16, :16], "p__known": np.arange(8) % 2}
        assert not line.predict_on_batch(given)[1].any()
        kernel.assign(np.eye(8, 3))
        vectors, found = line.predict_on_batch(given)
        np.testing.assert_allclose(found, vectors[:, :3], rtol=1e-5)


def test_a_row_without_a_picture_is_as_it_was(tf: Any) -> None:
    """In training, which changes the others anew each time, and the same again by the same seed."""
    from polyhead.contracts.sizes import ModelSizes
    from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
    from polyhead.kinds.features.image.graph import ImageBlock

    block = ImageBlock(
        {
            "p": ImageFeature.model_validate(
                {"kind": "image", "size": [16, 16], "augment": {"flip": True, "shift": 0.2}}
            )
        },
        {"p": ImageStatistics(count=9, missing=0, decode="full", quality=None)},
    )
    given = {"p__pixels": PICTURES[:8, :16, :16], "p__known": np.arange(8) % 2}

    def seen(training: bool) -> list[Any]:
        tf.keras.utils.set_random_seed(0)
        inputs = block.inputs()
        vectors = tf.keras.Model(
            inputs, block.encode(inputs, ModelSizes(width=8, dropout=0, image_dropout=0), 0).vector
        )
        return [np.asarray(vectors(given, training=training)) for _ in range(2)]

    (served, again), (first, second) = seen(training=False), seen(training=True)
    assert (served == again).all()
    assert not any(vectors[::2].any() for vectors in (served, first, second))
    assert all((one[1::2] != other[1::2]).any() for one, other in ((served, first), (first, second)))
    assert [found.tolist() for found in seen(training=True)] == [first.tolist(), second.tolist()]
