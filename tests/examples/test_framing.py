"""TFRecord framing: TensorFlow's writer gives the same bytes, its reader reads them and sees damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhead.examples.framing import frame


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.binary(max_size=500), min_size=1, max_size=5))
def test_bytes_are_those_of_tensorflows_writer(tf: Any, tmp_path: Path, records: list[bytes]) -> None:
    """Any records, empty ones too, are framed byte for byte as TensorFlow frames them, and it reads them back."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    ours.write_bytes(b"".join(frame([record[:7], record[7:]]) for record in records))
    assert ours.read_bytes() == theirs.read_bytes()
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == records


def test_every_single_damaged_byte_is_detected(tf: Any, tmp_path: Path) -> None:
    """TensorFlow's reader refuses a file in which any one byte differs."""
    good, path = frame([b"first row"]) + frame([b"second"]), tmp_path / "damaged"
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        with pytest.raises(tf.errors.DataLossError):
            list(tf.data.TFRecordDataset(str(path)))


def test_a_cut_file_is_detected(tf: Any, tmp_path: Path) -> None:
    """TensorFlow's reader refuses a file that ends within a record."""
    path = tmp_path / "cut"
    path.write_bytes(frame([b"first row"])[:-1])
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(path)))
