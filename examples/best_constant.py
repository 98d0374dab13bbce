"""The loss of the best constant prediction: a baseline that each head has to beat."""

import numpy as np

import polyhead as ph


def losses_of_the_best_constant(feed):
    """For each head of a feed: the mean loss of the best constant over its labels, by the loss of that head."""
    batches = [(y, w) for _, y, w in feed.on(feed.source)]
    losses = {}
    for name, head in feed.heads.items():
        y, w = (np.concatenate([batch[k][name] for batch in batches]) for k in (0, 1))
        if isinstance(head, ph.Categorical):
            share = np.bincount(y[w.ravel() > 0]) / (w > 0).sum()
            losses[name] = -(share[share > 0] * np.log(share[share > 0])).sum()
            continue
        w = np.broadcast_to(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)), y.shape)
        if isinstance(head, ph.Boxes):  # Huber's loss
            size = np.abs(y - np.median(y[w[..., 0] > 0], axis=0))[w > 0]
            losses[name] = np.where(size < 1, size**2 / 2, size - 0.5).mean()
        else:
            share = (y * w).sum(0) / np.maximum(w.sum(0), 1)
            each = np.where(y == 1, np.log(share + 1e-7), np.log(1 - share + 1e-7))
            losses[name] = -np.average(each, weights=w)
    return losses
