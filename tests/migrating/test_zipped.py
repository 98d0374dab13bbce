"""Images and masks of two zipped flows become one feed."""

import numpy as np
import pytest

from polyhead.migrating.migrate import migrate

START = """
from keras.preprocessing.image import ImageDataGenerator

settings = dict(rotation_range=10, horizontal_flip=True, rescale=1 / 255)
"""
FLOWS = """
images = ImageDataGenerator(**settings).flow_from_directory(
    FOLDER, classes=["image"], class_mode=None, target_size=(8, 8), batch_size=2, seed=1
)
masks = ImageDataGenerator(**settings).flow_from_directory(
    FOLDER, classes=["label"], class_mode=None, target_size=(8, 8), color_mode="grayscale", batch_size=2, seed=1
)
"""
SAME = ("rows: 4 compared", "input `image`: the same", "head `mask`: the same")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes four images and masks, and migrates a script beside them."""
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in "abcd":
        for folder, mask in (("image", f"{name}.png"), ("label", f"{name}.png"), ("named", f"{name}_m.png")):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(
                0, 2 if folder != "image" else 256, (8, 8, 3)[: 3 if folder == "image" else 2]
            )
            pixels = pixels.astype(np.uint8) * (1 if folder == "image" else 255)
            image.fromarray(pixels).save(tmp_path / "data" / folder / mask)

    def run(text, **options):
        (tmp_path / "train.py").write_text((START + text).replace("FOLDER", '"data"'))
        return migrate(tmp_path / "train.py", **options)

    return run


@pytest.mark.parametrize(
    "use",
    [
        "model.fit(zip(images, masks))",
        "train = zip(images, masks)\nmodel.fit(train)",
        "def both():\n    while True:\n        x = next(images)\n        yield x, masks.next()\n\n\nmodel.fit(both())",
        "def both(a, b):\n    for x, y in zip(a, b):\n        yield x, y\n\n\nmodel.fit(both(images, masks))",
    ],
    ids=["zip", "named", "drawn", "generator"],
)
def test_two_flows_that_are_zipped(made, use):
    pair, *others = made(FLOWS + use)
    assert (pair.kind, pair.name) == ("flow_from_directory zipped with its masks", "images")
    assert 'data = ph.read_folder("data", images="image", masks="label")' in pair.code
    assert '"mask": ph.Mask(values=(0, 255)),' in pair.code
    assert "augment=[ph.Flip(), ph.Rotate(10)]," in pair.code
    assert pair.compared == SAME
    assert pair.mistakes == ()
    assert [one.code for one in others] == [""] * len(others)
    assert all("replaced by the feed of line 6" in str(one) for one in others)


def test_a_function_that_makes_and_zips_both(made):
    """The form of the usual recipe for a U-Net."""
    pairs = made("""
def generate(size, path, image_folder, mask_folder, how, shape=(8, 8), seed=1):
    image_generator = ImageDataGenerator(**how)
    mask_generator = ImageDataGenerator(**how)
    images = image_generator.flow_from_directory(
        path, classes=[image_folder], class_mode=None, target_size=shape, batch_size=size, seed=seed)
    masks = mask_generator.flow_from_directory(
        path, classes=[mask_folder], class_mode=None, target_size=shape, batch_size=size, seed=seed)
    for image, mask in zip(images, masks):
        yield image, (mask > 0.5).astype("float32")


train = generate(2, FOLDER, "image", "label", settings)
val = generate(4, FOLDER, "image", "named", how=settings, seed=2)
model.fit(train, validation_data=val)
""")
    first, second = [one for one in pairs if one.code]
    assert 'masks="label"' in first.code
    assert "batch_size=2," in first.code
    assert "ph.Image(8, 8)" in first.code
    assert 'masks="named/{stem}_m"' in second.code
    assert first.compared == second.compared == SAME  # three equal channels are one
    assert all(one.by.startswith("line ") for one in pairs if not one.code)


def test_mistakes_of_the_pair_are_told(made, tmp_path):
    (tmp_path / "data" / "label" / "b.png").unlink()
    text = FLOWS.replace("batch_size=2, seed=1\n)", "batch_size=2, seed=2\n)", 1).replace(
        "masks = ImageDataGenerator(**settings)", "masks = ImageDataGenerator(rescale=1 / 255)"
    )
    pair = made(text + "model.fit(zip(images, masks))")[0]
    assert pair.mistakes == (
        "4 images and 3 masks: from the first missing file on, images had the masks of others",
        "the two generators have different arguments: images and masks are augmented apart",
        "the flows have the seeds 2 and 1: images and masks are drawn apart",
    )


def test_arrays_and_frames(made):
    pair = made("""
import numpy as np

x, y = np.random.default_rng(0).random((4, 8, 8, 3)), (np.arange(256) % 3).reshape(4, 8, 8, 1)
images, masks = ImageDataGenerator(), ImageDataGenerator()
model.fit(zip(images.flow(x, batch_size=2, seed=1), masks.flow(y, batch_size=2, seed=1)))
""")[0]
    assert 'data = {"image": x, "mask": y}' in pair.code
    assert '"mask": ph.Mask(3),  # or the names of the classes' in pair.code
    assert pair.compared == (*SAME[:2], "head `mask`: the same; the shape (8, 8, 1) became (8, 8)")
    pytest.importorskip("pandas")
    pair = made("""
import pandas as pd

frame = pd.DataFrame({"image": [f"{name}.png" for name in "abcd"], "mask": [f"{name}_m.png" for name in "abcd"]})
how = ImageDataGenerator(rescale=1 / 255)
images = how.flow_from_dataframe(frame, "data/image", "image", class_mode=None, target_size=(8, 8), seed=1)
masks = how.flow_from_dataframe(
    frame, "data/named", "mask", class_mode=None, target_size=(8, 8), color_mode="grayscale", seed=1
)
model.fit(zip(images, masks))
""")[0]
    assert '"mask": [os.path.join(\'data/named\', name) for name in frame["mask"]]' in pair.code
    assert pair.compared == SAME


def test_seeds_in_variables_and_flows_that_draw_nothing_are_right(made):
    for changes in (
        {"seed=1": "seed=SEED"},
        {", seed=1": ", shuffle=False", "(**settings)": "(rescale=1 / 255)"},
    ):
        text = FLOWS
        for old, new in changes.items():
            text = text.replace(old, new)
        assert made(f'SEED = int("1")\n{text}model.fit(zip(images, masks))')[0].mistakes == ()


def test_folders_that_are_not_literals(made, tmp_path):
    text = FLOWS.replace("FOLDER", "os.path.join(home, 'data')")
    first = f"import os\nhome = os.environ.get('POLYHEAD_NOWHERE', '.')\n{text}model.fit(zip(images, masks))"
    pair = made(first, execute=False)[0]
    assert (
        'data = {"image": sorted(glob.glob(os.path.join(os.path.join(home, \'data\'), "image", "**", "*.*"), '
        "recursive=True))"
    ) in pair.code
    assert made(first)[0].compared == SAME
    one, other = FLOWS.split("masks =")
    mixed = (
        f"{one}masks ={other.replace('FOLDER', repr(str(tmp_path / 'data')))}model.fit(zip(images, masks))"
    )
    assert made(mixed)[0].compared == SAME


def test_labeled_flows_and_what_is_only_read(made):
    labeled = FLOWS.replace("class_mode=None", 'class_mode="binary"') + "model.fit(zip(images, masks))"
    assert [one.kind for one in made(labeled, execute=False)] == ["flow_from_directory"] * 2
    pair = made(FLOWS + "model.fit(zip(images, masks))", execute=False)[0]
    assert 'data = ph.read_folder("data", images="image", masks="label")' in pair.code
    assert "ph.Mask(),  # values=(0, 255) if they are black and white" in pair.code
