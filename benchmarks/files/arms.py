"""One function an arm that reads the files: what gives an iterator for each epoch.

Each does what its library's own guide advises and decodes at half the size, as `benchmarks.vision.arms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.files.rows import KINDS, Delivered, Rows, Sample, decoded, stacked
from benchmarks.vision.workload import CLASSES, SIDE

Epochs = Callable[[int], Iterator[Any]]
Make = Callable[[Rows, int], Epochs]
WORKERS = 2

FEW = 4
"""Rows that a thread takes at once, where it takes several."""


def shuffled(rows: int, batch_size: int, epoch: int) -> list[np.ndarray]:
    """The row numbers of each batch."""
    order = np.random.default_rng(epoch).permutation(rows)
    return [order[start : start + batch_size] for start in range(0, rows, batch_size)]


def gathered(data: Rows, ids: np.ndarray) -> Delivered:
    """The batch of these rows, one after the other."""
    return stacked([data[row] for row in ids])


def plain_generator(data: Rows, batch_size: int) -> Epochs:
    return lambda epoch: (gathered(data, ids) for ids in shuffled(len(data), batch_size, epoch))


def bare_decoding(data: Rows, batch_size: int) -> Epochs:
    """No way of feeding, but the limit of all that decode by these libraries: rows in two threads, not put together."""

    def few(ids: np.ndarray) -> list[Sample]:
        return [data[row] for row in ids]

    def epochs(epoch: int) -> Iterator[Any]:
        with ThreadPoolExecutor(WORKERS) as pool:
            yield from pool.map(few, shuffled(len(data), FEW, epoch))

    return epochs


def columns(data: Rows) -> dict[str, Any]:
    """The rows as polyhead takes them."""
    boxes = [None if np.isnan(box).any() else box[None] for box in data.box]
    return {
        "image": data.files.images,
        "kind": data.kind,
        "box": boxes,
        "mask": data.masks,
        "number": data.number,
        "row": np.arange(len(data)),
    }


def declared(
    data: Any, rows: int, batch_size: int, workers: int | str = "auto", augment: bool = False
) -> Any:
    """The feed over these columns."""
    import polyhead as ph
    from benchmarks.vision.arms import augmentations

    heads: dict[str, Any] = {
        "kind": ph.Categorical(KINDS, missing=-1),
        "box": ph.Boxes(1),
        "mask": ph.Mask(CLASSES, outside=0),
        "number": ph.Regression(),
        "row": ph.Categorical(rows),
    }
    return ph.Feed(
        data,
        inputs={"image": ph.Image(SIDE, SIDE)},
        heads=heads,
        augment=augmentations() if augment else (),
        batch_size=batch_size,
        shuffle=True,
        workers=workers,
    )


def polyhead(data: Rows, batch_size: int) -> Epochs:
    feed = declared(columns(data), len(data), batch_size)
    return lambda epoch: iter(feed)


def keras_pydataset(data: Rows, batch_size: int) -> Epochs:
    """``workers=2`` threads, as Keras advises for what reads files and decodes."""
    import keras
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    class Batches(keras.utils.PyDataset):
        def __init__(self, epoch: int) -> None:
            super().__init__(workers=WORKERS, max_queue_size=2 * WORKERS)
            self.ids = shuffled(len(data), batch_size, epoch)

        def __len__(self) -> int:
            return len(self.ids)

        def __getitem__(self, step: int) -> Any:
            image, *rest = gathered(data, self.ids[step])
            return image, tuple(rest)

    def epochs(epoch: int) -> Iterator[Delivered]:
        adapter = PyDatasetAdapter(Batches(epoch), shuffle=False)
        adapter.on_epoch_begin()
        for image, rest in adapter.get_numpy_iterator():
            yield (image, *rest)
        adapter.on_epoch_end()

    return epochs


def tf_data(data: Rows, batch_size: int) -> Epochs:
    """Shuffle, parallel map, batch, prefetch, all ``AUTOTUNE``."""
    import tensorflow as tf

    from benchmarks.files import tf_ops

    masks = [path or "" for path in data.masks]
    labels = (data.kind, data.box, data.number, np.arange(len(data), dtype=np.int32))
    rows = tf.data.Dataset.from_tensor_slices((data.files.images, masks, *labels))
    rows = rows.shuffle(len(data), reshuffle_each_iteration=True)
    rows = rows.map(tf_ops.read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    return tf_ops.batches(rows, batch_size)


def tensors(samples: Sequence[Sample]) -> Any:
    """A batch as tensors, which workers hand over in shared memory; arrays would go through a pipe."""
    import torch

    return tuple(torch.from_numpy(a) for a in stacked(samples))


def torch_loader(data: Any, batch_size: int) -> Epochs:
    """``DataLoader`` with two forked workers that stay, two batches ahead each; tensors are made in the workers."""
    import torch

    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(
        data,
        batch_size=batch_size,
        shuffle=True,
        num_workers=WORKERS,
        collate_fn=tensors,
        multiprocessing_context="fork",
        persistent_workers=True,
        prefetch_factor=2,
    )
    return lambda epoch: iter(loader)


def grain_map(data: Any, batch_size: int) -> Epochs:
    """``MapDataset``: shuffle, map, batch; two reading threads."""
    import grain

    ahead = grain.ReadOptions(num_threads=WORKERS, prefetch_buffer_size=4 * WORKERS)

    def epochs(epoch: int) -> Iterator[Any]:
        rows = grain.MapDataset.range(len(data)).shuffle(seed=epoch).map(data.__getitem__)
        return iter(rows.batch(batch_size, batch_fn=stacked).to_iter_dataset(ahead))

    return epochs


def hf_datasets(data: Rows, batch_size: int) -> Epochs:
    """Paths and labels as an Arrow table, decoded by ``with_transform``, read by a ``DataLoader`` of two workers."""
    import datasets

    table = {
        "image": data.files.images,
        "mask": data.masks,
        "kind": data.kind,
        "box": list(data.box),
        "number": data.number,
        "row": np.arange(len(data)),
    }

    def transform(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        found = []
        for at in range(len(rows["row"])):
            row = {name: values[at] for name, values in rows.items()}
            for name in ("image", "mask"):
                row[name] = _bytes(row[name])
            found.append(decoded(row))
        return {name: [sample[name] for sample in found] for name in found[0]}

    return torch_loader(datasets.Dataset.from_dict(table).with_transform(transform), batch_size)


def _bytes(path: str | None) -> bytes:
    if path is None:
        return b""
    with open(path, "rb") as file:
        return file.read()


def spdl_pipeline(data: Rows, batch_size: int) -> Epochs:
    """Rows decoded in two threads, aggregated, put together."""
    from spdl.pipeline import PipelineBuilder

    def epochs(epoch: int) -> Iterator[Delivered]:
        order = np.random.default_rng(epoch).permutation(len(data)).tolist()
        built = PipelineBuilder().add_source(order).pipe(data.__getitem__, concurrency=WORKERS)
        pipeline = built.aggregate(batch_size).pipe(stacked).add_sink(2).build(num_threads=WORKERS)
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    return epochs


def ray_data(data: Rows, batch_size: int) -> Epochs:
    """Row numbers in random order, ``map_batches`` of one batch each, ``iter_batches``."""
    import ray
    import ray.data

    if not ray.is_initialized():
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
    names = ("image", "kind", "box", "mask", "number", "row", "there")

    def read(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, gathered(data, rows["data"]), strict=True))

    def epochs(epoch: int) -> Iterator[Delivered]:
        order = np.random.default_rng(epoch).permutation(len(data))
        found = ray.data.from_numpy(np.array_split(order, WORKERS)).map_batches(read, batch_size=batch_size)
        for batch in found.iter_batches(batch_size=batch_size, prefetch_batches=2):
            yield tuple(batch[name] for name in names)

    return epochs


ARMS: dict[str, Make] = {
    "plain generator": plain_generator,
    "polyhead": polyhead,
    "bare decoding": bare_decoding,
    "keras PyDataset": keras_pydataset,
    "tf.data": tf_data,
    "torch DataLoader": torch_loader,
    "grain MapDataset": grain_map,
    "HF Datasets": hf_datasets,
    "spdl Pipeline": spdl_pipeline,
    "Ray Data": ray_data,
}
