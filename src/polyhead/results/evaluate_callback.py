"""The callback `Evaluate`, which logs the metrics of `evaluate` during training. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import keras

from polyhead.errors import ContractError, Problem, require_size, shown
from polyhead.kinds.declaration import Declaration
from polyhead.results.bootstrap import Intervals
from polyhead.results.evaluate import evaluated, labeled_feed
from polyhead.results.evaluation import Evaluation
from polyhead.results.judge_rows import RowJudges


class Evaluate(keras.callbacks.Callback):
    """Evaluates at the end of epochs, and logs metrics that Keras cannot compute: mAP, macro F1, AUC over all rows.

    ``EarlyStopping`` and ``ModelCheckpoint`` can monitor them under names like ``val_box_map`` and
    ``val_animal_f1_macro``; put this callback before those. Metrics of single classes and columns are not logged.
    Values that Keras logs under the same name, by ``fit(validation_data=)``, are kept.

    Args:
        data: rows with labels, as for `evaluate`.
        every: evaluate after the first epoch and then every so many epochs; in between, the last values are logged.
        prefix: the beginning of each name.
        batch_size: as for `evaluate`.

    Attributes:
        evaluation: the last `Evaluation`, without intervals; None before the first epoch has ended.

    Raises:
        ContractError: an argument is not valid.

    >>> import keras, numpy as np, polyhead as ph
    >>> data = {"x": np.linspace(-1, 1, 64), "y": np.linspace(-1, 1, 64) > 0}
    >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()})
    >>> x = keras.Input((1,), name="x")
    >>> model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    >>> history = model.fit(feed, epochs=2, verbose=0, callbacks=[ph.Evaluate(feed.on(data))])
    >>> len(history.history["val_y_roc_auc"])
    2
    """

    def __init__(
        self, data: Any, *, every: int = 1, prefix: str = "val_", batch_size: int | None = None
    ) -> None:
        require_size("Evaluate(every=)", every)
        if not isinstance(prefix, str):
            raise ContractError(Problem("Evaluate(prefix=)", "text", shown(prefix)))
        if batch_size is not None:
            require_size("Evaluate(batch_size=)", batch_size)
        super().__init__()
        self.data, self.every, self.prefix, self.batch_size = data, int(every), prefix, batch_size
        self.evaluation: Evaluation | None = None
        self._row_judges: RowJudges | None = None
        self._declaration: Declaration | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Check that the rows fit the model."""
        self.evaluation = None
        feed, self._declaration = labeled_feed(self.model, self.data, None, self.batch_size)
        self._row_judges = RowJudges(self.model, feed)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluate the model, and log its metrics."""
        assert self._row_judges is not None
        if self.evaluation is None or (epoch + 1) % self.every == 0:
            self.evaluation = evaluated(self._row_judges, Intervals(None, 1, 0), self._declaration)
        for head, metrics in self.evaluation.items():
            for name, metric in metrics.items():
                if "[" not in name and logs is not None:
                    logs.setdefault(f"{self.prefix}{head}_{name}", metric.value)
