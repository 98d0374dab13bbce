"""What a user does first, with nothing but NumPy beside polyhead: from arrays to loaded predictions."""

import importlib
import pkgutil
import tempfile
from pathlib import Path

import keras
import numpy as np

import polyhead as ph

rng = np.random.default_rng(0)
facts = rng.normal(size=(96, 4)).astype("float32")
price = facts @ np.array([1.0, 2.0, 0.0, -1.0]) * 1000 + 9000
sold = np.where(np.arange(96) % 5 == 0, np.nan, facts[:, 0] > 0)
rows = {"facts": facts, "sold": sold, "price": price}

feed = ph.Feed(
    rows,
    inputs="facts",
    heads={"sold": ph.Binary(class_weight="balanced"), "price": ph.Regression(scale="standard")},
    batch_size=32,
    shuffle=True,
)
x = keras.Input((4,), name="facts")
hidden = keras.layers.Dense(8, activation="relu")(x)
model = ph.compile(keras.Model(x, ph.outputs(hidden, feed)), feed, optimizer="adam")
history = model.fit(feed, validation_data=feed.on(rows), epochs=1, verbose=0).history
assert all(np.isfinite(value).all() for value in history.values()), history
print(ph.evaluate(model, feed.on(rows), intervals=None))

with tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "m.keras")
    model.save(path)
    table = ph.predict(keras.saving.load_model(path), {"facts": facts[:10]})
    table.write_parquet(str(Path(folder) / "out.parquet"))
    assert len(ph.read_table(str(Path(folder) / "out.parquet"))) == 10
    ph.pack(feed, str(Path(folder) / "a.store"))
    feed.on(str(Path(folder) / "a.store")).preview(str(Path(folder) / "page.html"))
assert table.columns == ("id", "sold", "sold_probability", "price"), table.columns

names = [name for _, name, _ in pkgutil.walk_packages(ph.__path__, "polyhead.") if "_examples" not in name]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
for name in [*ph.__all__, "compile"]:
    getattr(ph, name)
print(f"polyhead {ph.__version__}, Keras {keras.__version__}: {len(names)} modules, {len(ph.__all__)} names")
