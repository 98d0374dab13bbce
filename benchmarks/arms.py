"""One function an arm: given a workload and a batch size, what gives an iterator for each epoch.

Every arm shuffles over the full range and delivers the same rows, scaled and cast alike. Each is tuned as its own
documentation advises: batches are gathered by index wherever the library lets its user do so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.workloads import Batch, Workload, as_masks, plain

Epochs = Callable[[int], Iterator[Batch]]


def plain_generator(workload: Workload, batch_size: int) -> Epochs:
    return lambda epoch: plain(workload, batch_size, epoch)


def feed_of(workload: Workload, batch_size: int, workers: int | str = "auto") -> Any:
    """polyhead's declaration of a workload."""
    import polyhead as ph

    heads: dict[str, Any]
    if workload.name == "table":
        inputs, heads = {"x": ph.Array()}, {"first": ph.Binary(), "second": ph.Regression()}
    else:
        inputs, heads = {"x": ph.Image()}, {"first": ph.Mask(), "second": ph.Mask()}
    data = {"x": workload.x, "first": workload.labels[0], "second": workload.labels[1]}
    return ph.Feed(data, inputs=inputs, heads=heads, batch_size=batch_size, shuffle=True, workers=workers)


def polyhead(workload: Workload, batch_size: int, *, workers: int | str) -> Epochs:
    feed = feed_of(workload, batch_size, workers)
    return lambda epoch: iter(feed)


def bare_copy(workload: Workload, batch_size: int) -> Epochs:
    """No way of feeding, but the limit of all that copy: finished rows, made beforehand, each batch copied once.

    They come in row order, into memory that is used again.
    """
    from polyhead.pipeline.buffer_pool import Pool

    x, (first, second) = workload.gather(slice(None))
    pool = Pool()

    def copied(rows: np.ndarray) -> np.ndarray:
        out = pool.empty(rows.shape, rows.dtype)
        np.copyto(out, rows)
        return out

    def epochs(epoch: int) -> Iterator[Batch]:
        for start in range(0, len(workload), batch_size):
            rows = slice(start, start + batch_size)
            yield copied(x[rows]), (copied(first[rows]), copied(second[rows]))

    return epochs


def keras_arrays(workload: Workload, batch_size: int) -> Epochs:
    """``fit(x, y)``: it cannot scale, so it gets float32 arrays made beforehand, which takes four times the memory."""
    from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

    x, y = workload.x, workload.labels
    if workload.name == "images":
        x, y = x / np.float32(255), (as_masks(y[0]), as_masks(y[1]))
    adapter = ArrayDataAdapter(x, y, batch_size=batch_size, shuffle=True)
    return lambda epoch: iter(adapter.get_numpy_iterator())


def keras_pydataset(workload: Workload, batch_size: int) -> Epochs:
    import keras
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    class Batches(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__(workers=1)
            self.order = np.arange(len(workload))

        def __len__(self) -> int:
            return -(-len(workload) // batch_size)

        def __getitem__(self, step: int) -> Batch:
            return workload.gather(self.order[step * batch_size : (step + 1) * batch_size])

    batches = Batches()
    adapter = PyDatasetAdapter(batches, shuffle=False)

    def epochs(epoch: int) -> Iterator[Batch]:
        batches.order = np.random.default_rng(epoch).permutation(len(workload))
        return iter(adapter.get_numpy_iterator())

    return epochs


def tf_gather(workload: Workload, batch_size: int) -> Epochs:
    """A data set of row numbers, shuffled and batched, then one gather a batch."""
    import tensorflow as tf

    rows = len(workload)
    x, first, second = (tf.constant(a) for a in (workload.x, *workload.labels))

    def gather(ids: Any) -> Any:
        return _tf_scaled(workload.name, tf.gather(x, ids), (tf.gather(first, ids), tf.gather(second, ids)))

    ids = tf.data.Dataset.range(rows).shuffle(rows, reshuffle_each_iteration=True).batch(batch_size)
    data = ids.map(gather, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    return lambda epoch: iter(data)


def tf_slices(workload: Workload, batch_size: int) -> Epochs:
    """``from_tensor_slices``, shuffle, batch, map, prefetch: the order that the guide to performance gives."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((workload.x, workload.labels))
    data = data.shuffle(len(workload), reshuffle_each_iteration=True).batch(batch_size)
    if workload.name == "images":
        data = data.map(lambda x, y: _tf_scaled("images", x, y), num_parallel_calls=tf.data.AUTOTUNE)
    data = data.prefetch(tf.data.AUTOTUNE)
    return lambda epoch: iter(data)


def _tf_scaled(name: str, x: Any, y: Any) -> Any:
    import tensorflow as tf

    if name == "table":
        return x, y
    masks = tuple(tf.cast(mask, tf.float32)[..., tf.newaxis] for mask in y)
    return tf.cast(x, tf.float32) / 255.0, masks


def torch_loader(workload: Workload, batch_size: int) -> Epochs:
    """Automatic batching off: the sampler gives the row numbers of a batch, and the data set indexes tensors once."""
    import torch

    x, first, second = (torch.from_numpy(a) for a in (workload.x, *workload.labels))

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(workload)

        def __getitem__(self, ids: list[int]) -> Batch:
            at = torch.tensor(ids)
            if workload.name == "table":
                return x[at], (first[at], second[at])
            return x[at].float().div_(255), (first[at].float()[..., None], second[at].float()[..., None])

    rows = Rows()
    sampler = torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(rows), batch_size, drop_last=False)
    loader = torch.utils.data.DataLoader(rows, sampler=sampler, batch_size=None, num_workers=0)
    return lambda epoch: iter(loader)


def grain_map(workload: Workload, batch_size: int) -> Epochs:
    """Row numbers shuffled and batched as a ``MapDataset``, one gather a batch, two reading threads."""
    import grain

    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=8)

    def epochs(epoch: int) -> Iterator[Batch]:
        ids = grain.MapDataset.range(len(workload)).shuffle(seed=epoch).batch(batch_size)
        return iter(ids.map(workload.gather).to_iter_dataset(options))

    return epochs


def torch_samples(workload: Workload, batch_size: int) -> Epochs:
    """``DataLoader`` as most people write it: a row at a time, put together by the default ``collate_fn``."""
    import torch

    x, first, second = (torch.from_numpy(a) for a in (workload.x, *workload.labels))

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(workload)

        def __getitem__(self, row: int) -> Batch:
            if workload.name == "table":
                return x[row], (first[row], second[row])
            return x[row].float().div_(255), (first[row].float()[..., None], second[row].float()[..., None])

    loader = torch.utils.data.DataLoader(Rows(), batch_size=batch_size, shuffle=True, num_workers=0)
    return lambda epoch: iter(loader)


def hf_datasets(workload: Workload, batch_size: int) -> Epochs:
    """An Arrow table in memory, ``with_format("numpy")``, and one index of row numbers a batch."""
    import datasets

    def column(array: np.ndarray) -> Any:
        kinds = {2: None, 3: datasets.Array2D, 4: datasets.Array3D}
        kind = kinds[array.ndim]
        if kind is None:
            return datasets.Sequence(datasets.Value("float32"), length=array.shape[1])
        return kind(array.shape[1:], "uint8")

    columns = {"x": workload.x, "first": workload.labels[0], "second": workload.labels[1]}
    features = datasets.Features({name: column(array) for name, array in columns.items()})
    kind = workload.x.dtype
    rows = datasets.Dataset.from_dict(columns, features=features).with_format("numpy", dtype=kind)

    def epochs(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng(epoch).permutation(len(workload))
        for start in range(0, len(order), batch_size):
            found = rows[order[start : start + batch_size]]
            x, y = found["x"], (found["first"], found["second"])
            if workload.name == "images":
                yield x / np.float32(255), (as_masks(y[0]), as_masks(y[1]))
            else:
                yield x, y

    return epochs


def spdl_pipeline(workload: Workload, batch_size: int) -> Epochs:
    """Row numbers of a batch as the source, one gather a batch in two threads."""
    from spdl.pipeline import PipelineBuilder

    def epochs(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng(epoch).permutation(len(workload))
        starts = range(0, len(order), batch_size)
        built = PipelineBuilder().add_source(order[start : start + batch_size] for start in starts)
        pipeline = built.pipe(workload.gather, concurrency=2).add_sink(4).build(num_threads=2)
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    return epochs


def ray_data(workload: Workload, batch_size: int) -> Epochs:
    """Row numbers in random order, ``map_batches`` over data in the object store, ``iter_batches``."""
    import ray
    import ray.data

    if not ray.is_initialized():
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
    held = ray.put((workload.x, *workload.labels))
    name = workload.name

    def gather(rows: dict[str, np.ndarray], held: Any = held) -> dict[str, np.ndarray]:
        x, first, second = (a[rows["data"]] for a in ray.get(held))
        if name == "table":
            return {"x": x, "first": first, "second": second}
        return {"x": x / np.float32(255), "first": as_masks(first), "second": as_masks(second)}

    def epochs(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng(epoch).permutation(len(workload))
        rows = ray.data.from_numpy(order).map_batches(gather, batch_size=max(batch_size, 4096))
        for batch in rows.iter_batches(batch_size=batch_size, prefetch_batches=2):
            yield batch["x"], (batch["first"], batch["second"])

    return epochs


ARMS: dict[str, Callable[[Workload, int], Epochs]] = {
    "plain generator": plain_generator,
    "polyhead, workers=0": partial(polyhead, workers=0),
    "polyhead, workers=1": partial(polyhead, workers=1),
    "polyhead, workers=auto": partial(polyhead, workers="auto"),
    "bare copy": bare_copy,
    "keras arrays": keras_arrays,
    "keras PyDataset": keras_pydataset,
    "tf.data gather": tf_gather,
    "tf.data slices": tf_slices,
    "torch DataLoader, batches": torch_loader,
    "torch DataLoader, samples": torch_samples,
    "grain MapDataset": grain_map,
    "HF Datasets": hf_datasets,
    "spdl Pipeline": spdl_pipeline,
    "Ray Data": ray_data,
}

NEEDS = {
    "tf.data": "tensorflow",
    "torch": "torch",
    "grain": "grain",
    "HF": "datasets",
    "spdl": "spdl",
    "Ray": "ray",
}

ABSENT = dict.fromkeys(
    ("webdataset", "mosaicml-streaming", "litdata"),
    "reads its own files alone, so it has no arm over rows in memory",
)


def available(names: Iterable[str] = ARMS, needs: Mapping[str, str] = NEEDS) -> list[str]:
    """The arms whose library is installed here."""
    return [name for name in names if lacking(name, needs) is None]


def lacking(name: str, needs: Mapping[str, str] = NEEDS) -> str | None:
    """The module that an arm needs and that is not installed here."""
    from importlib.util import find_spec

    module = next((module for start, module in needs.items() if name.startswith(start)), None)
    return None if module is None or find_spec(module) else module


def unpacked(batch: Any) -> Batch:
    """A batch of any arm as ``(x, (first, second))``."""
    x, y = batch[0], batch[1]
    if isinstance(x, dict):
        return x["x"], (y["first"], y["second"])
    return x, (y[0], y[1])


def rows_of(batch: Any) -> int:
    """Rows in a batch, without a look at the data."""
    x = batch[0]
    return len(x["x"]) if isinstance(x, dict) else x.shape[0]
