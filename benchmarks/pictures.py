"""The network for pictures, trained as Polyhead trains, against a plain network of two convolutions.

    python -m benchmarks.pictures [--seeds 0 1 2] [--epochs 30] [--rows dev] [--packages FOLDER]
                                  [--vendors twitter google] [--size 32]

The pictures are 4,458 emoji at 32 x 32 pixels by two vendors, each with one skin tone at most, from the npm packages
`emoji-datasource-twitter` and `emoji-datasource-google` (16.0.0; data MIT, © Cal Henderson; pictures Twemoji, CC BY
4.0, and Noto Emoji, Apache 2.0), which npm fetches; the target is Unicode's group, nine classes. Rows are split by code
point, so that no emoji's pictures are on both sides: 70 % train, 10 % val, which decides when Polyhead stops, 8 % dev,
for choices, and 12 % test. Nothing is set for Polyhead but the epochs and the batch; the simple models beside its
network are left out. The peer learns the train rows for as many epochs in batches of as many, with Adam as Keras has
it, and is never stopped. Prints the accuracies of every seed, and the median of their ratios. `--vendors twitter --size
64` has the same of 2,229 larger pictures.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

VENDORS = ("twitter", "google")
VERSION = "16.0.0"
BATCH = 32
SHARES = {"train": 70, "val": 80, "dev": 88, "test": 100}


def pictures(packages: Path, folder: Path, vendors: Sequence[str] = VENDORS, size: int = 32) -> pl.DataFrame:
    """Write the pictures as PNG files on white, and give a row for each: picture, group, part.

    Args:
        packages: Where npm has put the packages, or shall put them.
        folder: Where the pictures go.
        vendors: Whose pictures. Default: both.
        size: Pixels a side, at most 64. Default: 32.
    """
    rows = []
    for vendor in vendors:
        archive = packages / f"emoji-datasource-{vendor}-{VERSION}.tgz"
        if not archive.exists():
            subprocess.run(["npm", "pack", f"emoji-datasource-{vendor}@{VERSION}"], cwd=packages, check=True)
        with tarfile.open(archive) as files:
            held = {member.name: member for member in files.getmembers()}
            emoji = json.load(_opened(files, held["package/emoji.json"]))
            for one in emoji:
                if one["category"] == "Component":
                    continue
                for shown in [one, *list(one.get("skin_variations", {}).values())[:1]]:
                    member = held.get(f"package/img/{vendor}/64/{shown['image']}")
                    if member is None:
                        continue
                    name = f"{vendor}-{shown['image']}"
                    image = Image.open(_opened(files, member)).convert("RGBA")
                    white = Image.new("RGBA", image.size, "white")
                    white.alpha_composite(image)
                    white.convert("RGB").resize((size, size), Image.Resampling.BOX).save(folder / name)
                    rows.append({"picture": name, "group": one["category"], "part": _part(one["unified"])})
    return pl.DataFrame(rows)


def _opened(files: tarfile.TarFile, member: tarfile.TarInfo) -> io.BufferedReader:
    opened = files.extractfile(member)
    assert isinstance(opened, io.BufferedReader)
    return opened


def _part(code: str) -> str:
    place = int(hashlib.sha256(code.encode()).hexdigest(), 16) % 100
    return next(part for part, end in SHARES.items() if place < end)


def ours(table: pl.DataFrame, folder: Path, part: str, epochs: int, seeds: list[int]) -> list[float]:
    """Polyhead's accuracy on the rows of a part, for each seed."""
    from polyhead.contracts.config import Config
    from polyhead.evaluate import step as evaluate_step
    from polyhead.preprocess import step as preprocess_step
    from polyhead.shard import step as shard_step
    from polyhead.train import step as train_step
    from polyhead.validate import step as validate_step

    split = pl.when(pl.col("part") == part).then(pl.lit("test")).otherwise(pl.col("part"))
    rows = table.filter(pl.col("part").is_in(["train", "val", part])).with_columns(split.alias("part"))
    config = Config.model_validate(
        {
            "table": "emoji.parquet",
            "image_root": str(folder),
            "features": {"picture": {"kind": "image", "size": Image.open(folder / table["picture"][0]).size}},
            "targets": {"group": {"kind": "multiclass"}},
            "split": {"column": "part"},
            "train": {"epochs": epochs, "batch_size": BATCH},
            "ensemble": {"use": "off", "members": []},
        }
    )
    steps = folder / "steps"
    validate_step.run(config=config, table=rows, out=steps / "V")
    preprocess_step.run(config=config, data=steps / "V", out=steps / "P")
    shard_step.run(config=config, data=steps / "V", preprocessing=steps / "P", out=steps / "S")
    found = []
    for seed in seeds:
        given: dict[str, Any] = {"shards": steps / "S", "preprocessing": steps / "P"}
        bundle, report = steps / f"T{seed}", steps / f"E{seed}"
        train_step.run(config=config.with_seed(seed), **given, out=bundle)
        evaluate_step.run(config=config.with_seed(seed), bundle=bundle, **given, out=report)
        predictions = pl.read_parquet(report / "predictions.parquet")
        found.append(float((predictions["group.true"] == predictions["group.predicted"]).mean()))  # type: ignore[arg-type]
    return found


def theirs(table: pl.DataFrame, folder: Path, part: str, epochs: int, seeds: list[int]) -> list[float]:
    """The plain network's accuracy on the same rows, for each seed."""
    import keras
    from keras import layers

    classes = sorted(table["group"].unique())
    sides = []
    for side in ("train", part):
        rows = table.filter(pl.col("part") == side)
        pixels = np.stack([np.asarray(Image.open(folder / name)) for name in rows["picture"]])
        sides.append((pixels, np.array([classes.index(group) for group in rows["group"]])))
    (pixels, labels), (unseen, truth) = sides
    found = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        network = keras.Sequential(
            [
                keras.Input(pixels.shape[1:]),
                layers.Rescaling(1 / 255),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(len(classes)),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(), loss)
        network.fit(pixels, labels, batch_size=BATCH, epochs=epochs, verbose=0)
        found.append(float((network.predict(unseen, verbose=0).argmax(1) == truth).mean()))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rows", choices=("dev", "test"), default="test", help="which are predicted (default: test)")
    parser.add_argument(
        "--packages", type=Path, help="where npm's packages lie or are put (default: a temporary folder)"
    )
    parser.add_argument("--vendors", choices=VENDORS, nargs="+", default=VENDORS, help="whose pictures (default: both)")
    parser.add_argument("--size", type=int, default=32, help="pixels a side (default: 32)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="polyhead-pictures-") as temporary:
        folder = Path(temporary)
        table = pictures(arguments.packages or folder, folder, arguments.vendors, arguments.size)
        how = (table, folder, arguments.rows, arguments.epochs, arguments.seeds)
        pairs = list(zip(ours(*how), theirs(*how), strict=True))
    for seed, (mine, plain) in zip(arguments.seeds, pairs, strict=True):
        print(f"seed {seed}: Polyhead {mine:.3f}, plain network {plain:.3f}, ratio {mine / plain:.3f}")
    print(f"median ratio {statistics.median(mine / plain for mine, plain in pairs):.3f}")


if __name__ == "__main__":
    main()
