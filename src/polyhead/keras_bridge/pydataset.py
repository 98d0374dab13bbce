"""A feed as a ``keras.utils.PyDataset``: public means alone, for what takes no adapter."""

from __future__ import annotations

from typing import Any

from polyhead.keras_bridge.adapter import asking
from polyhead.keras_bridge.raised import Raised


def as_pydataset(feed: Any, model: Any) -> Any:
    """A feed as a ``keras.utils.PyDataset`` in a model's structure, for training.

    Item ``i`` is batch ``i`` of the epoch under way. Pass ``shuffle=False`` to ``fit``: the feed shuffles. Keras
    also calls ``on_epoch_end`` once before the first epoch and draws batches to see their shapes; neither
    counts.

    Args:
        feed: a `Feed`.
        model: that it is for.

    Raises:
        ContractError: the feed does not fit the model.
        DataError: its rows have no labels.
    """
    import keras

    feed._require_labels("as_pydataset()")
    feed.bind(model)

    class FeedDataset(keras.utils.PyDataset):
        """Batches of a feed by number."""

        def __init__(self) -> None:
            super().__init__(workers=1)
            self._begun = False
            self._raised = Raised()

        def __len__(self) -> int:
            if keras.backend.backend() == "tensorflow":  # its graph draws the batches
                self._raised.through(asking())
            return len(feed)

        def __getitem__(self, step: int) -> Any:
            with self._raised.kept():
                return feed._item(step)

        def on_epoch_begin(self) -> None:
            self._begun = True

        def on_epoch_end(self) -> None:
            if self._begun:
                feed._next_epoch()
            self._begun = False

    return FeedDataset()
