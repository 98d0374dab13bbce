"""One class a packed format: how rows are written into it, and what gives an iterator for each epoch.

Each is written in four shards where the format has shards, once with the bytes of the files as they are, and once with
pixels that are resized already; polyhead's store is written by ``ph.pack``. None is compressed beyond that. What
is read may be augmented: by `benchmarks.files.augment` in Python, by TensorFlow's operations, or by polyhead.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.files.arms import WORKERS, Epochs, columns, declared, shuffled, tensors, torch_loader
from benchmarks.files.augment import Augment
from benchmarks.files.rows import Rows, Sample, decoded, shaped, stacked

SHARDS = 4
NAMES = ("image", "mask", "kind", "box", "number", "row")


class Format:
    """Rows in a folder, in some format.

    Args:
        folder: where they are, or will be.
        pixels: whether images and masks are resized pixels, not the bytes of their files.
        augment: whether what is read is augmented.
    """

    def __init__(self, folder: Path, pixels: bool, augment: bool = False) -> None:
        self.folder, self.pixels, self.augment = folder, pixels, augment

    def held(self, data: Rows) -> Iterator[Sample]:
        """What is written, row by row."""
        return map(data.pixels if self.pixels else data.encoded, range(len(data)))

    def write(self, data: Rows) -> None:
        """Write all rows."""
        raise NotImplementedError

    def read(self, rows: int, batch_size: int) -> Epochs:
        """What gives an iterator for each epoch."""
        raise NotImplementedError


class RowByRow(Format):
    """A format whose rows are opened, and augmented, one by one in Python."""

    def __init__(self, folder: Path, pixels: bool, augment: bool = False) -> None:
        super().__init__(folder, pixels, augment)
        self._opened = shaped if pixels else decoded
        self.change: Callable[[Sample], Sample] = Augment() if augment else _as_it_is

    def open(self, held: Sample) -> Sample:
        """A row as it was written, as it goes into a batch."""
        return self.change(self._opened(held))


def _as_it_is(row: Sample) -> Sample:
    return row


class Files(RowByRow):
    """No packed format: the reference, by hand from the files, or from one memory-mapped array of pixels."""

    def write(self, data: Rows) -> None:
        self.folder.mkdir(parents=True)
        with open(self.folder / "rows.pickle", "wb") as file:
            pickle.dump(data, file)
        if self.pixels:
            held = list(self.held(data))
            np.save(self.folder / "images.npy", np.stack([shaped(row)["image"] for row in held]))
            np.save(self.folder / "masks.npy", np.stack([shaped(row)["mask"] for row in held]))

    def read(self, rows: int, batch_size: int) -> Epochs:
        with open(self.folder / "rows.pickle", "rb") as file:
            data: Rows = pickle.load(file)
        if not self.pixels:
            return lambda epoch: (
                stacked([self.change(data[row]) for row in ids]) for ids in shuffled(rows, batch_size, epoch)
            )
        images, masks = (np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in ("images", "masks"))

        def one(row: int) -> Sample:
            held = {"image": images[row], "mask": masks[row], "masked": bool(data.masks[row])}
            return self.change({**held, **data.labels(row)})

        return lambda epoch: (stacked([*map(one, ids)]) for ids in shuffled(rows, batch_size, epoch))


class Polyhead(Format):
    """``ph.pack`` of the feed with its images resized, or of its source with the files taken in."""

    def write(self, data: Rows) -> None:
        import polyhead as ph

        given = declared(columns(data), len(data), 32) if self.pixels else columns(data)
        ph.pack(given, self.folder, progress=False)

    def read(self, rows: int, batch_size: int) -> Epochs:
        import polyhead as ph

        feed = declared(ph.open_store(self.folder), rows, batch_size, augment=self.augment)
        return lambda epoch: iter(feed)


class WebDataset(RowByRow):
    """Tar files; shuffled within a buffer that holds all rows; batches are made in the workers of a ``WebLoader``."""

    def write(self, data: Rows) -> None:
        import webdataset as wds

        self.folder.mkdir(parents=True)
        per_shard = -(-len(data) // SHARDS)
        pattern = str(self.folder / "rows-%04d.tar")
        with wds.ShardWriter(pattern, maxcount=per_shard, verbose=0) as sink:
            for row in self.held(data):
                labels = {name: row[name] for name in ("kind", "number", "row")}
                text = json.dumps({**labels, "box": row["box"].tolist()})
                held = {"jpg": row["image"], "png": row["mask"], "json": text.encode()}
                sink.write({"__key__": f"{row['row']:06d}", **held})

    def read(self, rows: int, batch_size: int) -> Epochs:
        import webdataset as wds

        shards = sorted(map(str, self.folder.glob("*.tar")))

        def opened(found: dict[str, bytes]) -> Sample:
            labels = json.loads(found["json"])
            labels["box"] = np.float32(labels["box"])
            return self.open({"image": found["jpg"], "mask": found["png"], **labels})

        data = wds.WebDataset(shards, shardshuffle=len(shards)).shuffle(rows).map(opened)
        data = data.batched(batch_size, collation_fn=tensors)
        workers = min(WORKERS, len(shards))
        loader = wds.WebLoader(data, batch_size=None, num_workers=workers, persistent_workers=True)
        return lambda epoch: iter(loader)


class Streaming(RowByRow):
    """MDS, shuffled by mosaicml-streaming, read by a ``DataLoader`` of two workers."""

    def write(self, data: Rows) -> None:
        base = _streaming()
        kinds = ("bytes", "bytes", "int", "ndarray:float32:4", "float64", "int")
        columns_ = dict(zip(NAMES, kinds, strict=True))
        with base.MDSWriter(out=str(self.folder), columns=columns_, size_limit="16mb") as out:
            for row in self.held(data):
                out.write({name: row[name] for name in NAMES})

    def read(self, rows: int, batch_size: int) -> Epochs:
        import torch

        base, opened = _streaming(), self.open

        class Decoded(base.StreamingDataset):  # type: ignore[misc, name-defined]
            def __getitem__(self, at: Any) -> Sample:
                return opened(super().__getitem__(at))

        data = Decoded(local=str(self.folder), shuffle=True, batch_size=batch_size)
        loader = torch.utils.data.DataLoader(
            data, batch_size, num_workers=WORKERS, collate_fn=tensors, persistent_workers=True
        )
        return lambda epoch: iter(loader)


def _streaming() -> Any:
    """``streaming.base``: formats and data sets. The package around it loads torchvision, which nothing here needs."""
    import importlib
    import importlib.util
    import sys
    import types

    if "streaming" not in sys.modules:
        found = importlib.util.find_spec("streaming")
        if found is None:
            raise ModuleNotFoundError("No module named 'streaming'")
        package = types.ModuleType("streaming")
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules["streaming"] = package
    return importlib.import_module("streaming.base")


class LitData(RowByRow):
    """Chunks of litdata, shuffled by it, read by its ``StreamingDataLoader`` of two workers."""

    def write(self, data: Rows) -> None:
        from litdata.streaming.writer import BinaryWriter

        writer = BinaryWriter(str(self.folder), chunk_size=-(-len(data) // SHARDS))
        for row in self.held(data):
            writer[row["row"]] = {name: row[name] for name in NAMES}
        writer.done()
        writer.merge()

    def read(self, rows: int, batch_size: int) -> Epochs:
        import litdata

        opened = self.open

        class Decoded(litdata.StreamingDataset):  # type: ignore[misc]
            def __getitem__(self, at: Any) -> Sample:
                return opened(super().__getitem__(at))

        loader = litdata.StreamingDataLoader(
            Decoded(str(self.folder), shuffle=True),
            batch_size=batch_size,
            num_workers=WORKERS,
            collate_fn=tensors,
            persistent_workers=True,
        )
        return lambda epoch: iter(loader)


class Arrow(RowByRow):
    """HF Datasets on disk, memory-mapped, opened by ``with_transform``, read by a ``DataLoader`` of two workers."""

    def write(self, data: Rows) -> None:
        import datasets

        held = list(self.held(data))
        table = {name: [row[name] for row in held] for name in NAMES}
        datasets.Dataset.from_dict(table).save_to_disk(str(self.folder), num_shards=SHARDS)

    def read(self, rows: int, batch_size: int) -> Epochs:
        import datasets

        def transform(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
            held = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
            samples = [self.open(row) for row in held]
            return {name: [sample[name] for sample in samples] for name in samples[0]}

        data = datasets.load_from_disk(str(self.folder)).with_transform(transform)
        return torch_loader(data, batch_size)


class TFRecord(Format):
    """Records of ``tf.train.Example``, read from all shards at once, shuffled within a buffer that holds all rows."""

    def write(self, data: Rows) -> None:
        import tensorflow as tf

        def numbers(values: Any) -> Any:
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))

        def whole(value: int) -> Any:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

        self.folder.mkdir(parents=True)
        writers = [tf.io.TFRecordWriter(str(self.folder / f"{i}.tfrecord")) for i in range(SHARDS)]
        for row in self.held(data):
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[row[name]]))
                for name in ("image", "mask")
            }
            features |= {"kind": whole(row["kind"]), "row": whole(row["row"])}
            features |= {"box": numbers(row["box"]), "number": numbers([row["number"]])}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writers[row["row"] % SHARDS].write(example.SerializeToString())
        for writer in writers:
            writer.close()

    def read(self, rows: int, batch_size: int) -> Epochs:
        import tensorflow as tf

        from benchmarks.files import tf_ops

        forms = {
            **{name: tf.io.FixedLenFeature([], tf.string) for name in ("image", "mask")},
            **{name: tf.io.FixedLenFeature([], tf.int64) for name in ("kind", "row")},
            "box": tf.io.FixedLenFeature([4], tf.float32),
            "number": tf.io.FixedLenFeature([], tf.float32),
        }

        def ordered(found: dict[str, Any]) -> Any:
            found = {**found, **{name: tf.cast(found[name], tf.int32) for name in ("kind", "row")}}
            return tuple(found[name] for name in NAMES)

        def batch(records: Any) -> Any:
            return tf_ops.shaped(*ordered(tf.io.parse_example(records, forms)))

        def one(record: Any) -> Any:
            return tf_ops.decoded(*ordered(tf.io.parse_single_example(record, forms)))

        shards = sorted(map(str, self.folder.glob("*.tfrecord")))
        data = tf.data.TFRecordDataset(shards, num_parallel_reads=WORKERS).shuffle(rows)
        data = data.batch(batch_size) if self.pixels else data
        data = data.map(
            batch if self.pixels else one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False
        )
        return tf_ops.batches(data, None if self.pixels else batch_size, self.augment)


class ArrayRecord(RowByRow):
    """Files of array_record with pickled rows, read at random by grain's ``MapDataset`` in two threads."""

    def write(self, data: Rows) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        self.folder.mkdir(parents=True)
        names = [str(self.folder / f"{i}.arrayrecord") for i in range(SHARDS)]
        writers = [ArrayRecordWriter(name, "group_size:1,uncompressed") for name in names]
        for row in self.held(data):
            writers[row["row"] % SHARDS].write(pickle.dumps(row))
        for writer in writers:
            writer.close()

    def read(self, rows: int, batch_size: int) -> Epochs:
        import grain

        source = grain.sources.ArrayRecordDataSource(sorted(map(str, self.folder.glob("*.arrayrecord"))))
        ahead = grain.ReadOptions(num_threads=WORKERS, prefetch_buffer_size=4 * WORKERS)

        def epochs(epoch: int) -> Iterator[Any]:
            data = grain.MapDataset.source(source).shuffle(seed=epoch)
            data = data.map(lambda record: self.open(pickle.loads(record)))
            return iter(data.batch(batch_size, batch_fn=stacked).to_iter_dataset(ahead))

        return epochs


FORMATS: dict[str, type[Format]] = {
    "plain generator": Files,
    "polyhead store": Polyhead,
    "webdataset tar": WebDataset,
    "mosaicml-streaming MDS": Streaming,
    "litdata chunks": LitData,
    "HF Datasets Arrow": Arrow,
    "tf.data TFRecord": TFRecord,
    "grain array_record": ArrayRecord,
}
