"""What the result says of how it was measured."""

from __future__ import annotations

from benchmarks.vision.workload import COLOR, CROP, DEGREES, FLIP, ZOOM


def explained(name: str, rows: int) -> str:
    """What holds for one workload of so many rows."""
    color = ", ".join(f"{what} ±{most:g}" for what, most in COLOR.items())
    more = {"flip": FLIP, "degrees": DEGREES, "zoom": ZOOM, "crop": CROP, "color": color}
    return EXPLAINED[name].format(rows=rows, **more).strip()


def intro(runs: int, seconds: float) -> str:
    """What holds for all workloads."""
    return f"""\
Every arm has a process of its own and they take turns, in another order each time: {runs} runs of {seconds:g} s, or
of one epoch where that takes longer. Every arm shuffles over the full range. The consumer reads the length of each
batch and nothing else. Before that each arm delivers a smaller workload, and a hash over whole rows with their labels
must be the same for all; one that differs or fails is listed below its table with the reason.

- *Ratio*: the median over runs of this arm's speed to that of the plain generator in the same turn; likewise of CPU,
  of all processes of an arm, below 1 where less is used, which is steadier on a machine that does other work too.
- *First epoch*, in which polyhead also checks every value, and *first batch*, with what it takes to set the arm up,
  are given apart.
- *Best peer*: the one with the greatest median; polyhead against it is the median over turns too.
- *Peak PSS*: the most memory of all processes of an arm in one more run, looked at every 20 ms; what processes share
  is divided among them.
- OMP and BLAS have one thread; arms with workers have two.
- A plot shows medians; the thin line goes from the slowest run to the fastest."""


EXPLAINED = {
    "kinds": """
Each kind by itself, from arrays, memory maps and a store, against a generator that yields the same arrays as somebody
would write it in NumPy: permute, index, cast, look up, weigh. A feed with `workers="auto"`, the generator and a bare
copy of finished batches take turns in one process, whole epochs each; the first epochs are left out. Ratios are
medians over turns of the generator's time, and CPU time of all threads, to the feed's. Before that each batch of an
epoch is held against the generator's, byte by byte; the checksum is that of both. The bare copy is no way of feeding,
but the limit of all that copy.
""",
    "table": """
{rows:,} rows of 10 float32 in memory with a binary and a regression head. `HF Datasets` holds an Arrow table in
memory. `bare copy` is no way of feeding: it has finished rows, made beforehand, and copies each batch once, in row
order, which is the limit of all that copy.
""",
    "images": """
{rows:,} pictures of 64 × 64 × 3 bytes in memory, scaled to float32, with two masks of bytes, cast to float32 (B, 64,
64, 1). `keras arrays` cannot scale, so it gets arrays of float32 that are made beforehand and take four times the
memory; its speed does not contain the scaling that all others do.
""",
    "files": """
{rows:,} JPEGs of 640 × 480 with a class, a box, a mask (a PNG of class ids) and a number; 30 % of each are missing,
each in rows of its own. Decoded at half the size, resized to 224 × 224, nothing augmented. Out come float32 images in
0–1, the labels with 0 where they are missing, and for each head a weight of 0 or 1. Hashed are labels, weights and
row numbers; boxes lie on a grid on which they are whole pixels after resizing. Decoders and filters differ, so pixels
may be off by 3 of 255 levels on average from the reference, decoded whole and resized by area, and masks overlap with
theirs by 0.9 at least. Arms in Python decode by simplejpeg with `fastdct` and `fastupsample`, which polyhead leaves
off; TensorFlow has `INTEGER_FAST` and no `fancy_upscaling`. `bare decoding` is no way of feeding, but the limit of all
that decode by these libraries: it reads, decodes and resizes rows in two threads and puts nothing together.

Warm: the system holds the files in memory. Cold: before each run of one epoch the arm is set up anew and the system
is asked to drop these files alone from its memory (`posix_fadvise`, which needs no special rights); that it did is
looked up (`mincore`). A disk below may have memory of its own.
""",
    "packed": """
The same {rows:,} rows from each library's own format: once with the bytes of the JPEG and PNG files, decoded as
above; once with images and masks resized beforehand, uint8, as somebody would who trains for many epochs. Nothing is
compressed beyond that. The plain generator reads the files, or indexes a memory-mapped array of pixels. The bytes on
disk and the time to write them are given. In the proof of resized pixels polyhead's differ from the reference because
it decoded and resized them by itself; the others were given the reference. Cold is as above; files that a process has
mapped cannot be dropped, so every arm is set up anew before. The short mode
leaves out what is cold, and the bytes of the files.

HF Datasets has binary columns here, as its own arrays of three dimensions are read many times more slowly (see
`images`). mosaicml-streaming asks for an older NumPy and for torchvision, which PyPI has for CUDA alone; it is
installed without them, and `streaming.base`, where its format is, is loaded without the package around it.
""",
    "augmented": """
The {rows:,} rows of resized pixels from each library's own format, as written for `packed`, each augmented as it is
read: mirrored with a chance of {flip}, turned by up to ±{degrees:g}°, scaled by up to ±{zoom:.0%}, cut to {crop:.0%} of
each side and resized to 224 × 224 again, and colored ({color}). Masks and boxes move along, bilinear for images, the
nearest pixel for masks. polyhead does it by `augment=`; TensorFlow by a projective transform of a batch; the arms in
Python by albumentations row by row, geometry by one `Affine` after the mirror, without a mask where there is none. A
box of which less than a tenth is inside the image has weight 0, in all arms by the area of the upright box around its
corners.

Chance differs between libraries. So before anything is measured each arm delivers the smaller workload twice: once
without augmentation, with the proof of `packed`; and once with it. Then each row comes once and in the form of the
others; images are in 0–1 and far from the reference; masks hold class ids; boxes lie in the image and have a
size; what is missing has weight 0 and is zeros. Classes, numbers, row numbers and their weights, and those of masks,
do not hang on chance, and their hash must be the same for all. *Boxes, still there* is the share of those that are
labeled. That image, mask and box move together is tested on images with a bright rectangle
(`tests/benchmarks/test_files_augmented.py`).
""",
    "fit": """
`fit` on the workload `images`, {rows:,} rows, with a small network of two heads, epoch by epoch. *One constant batch*
is the same batch again and again, from a generator: the limit of all that Keras takes from generators. On TensorFlow
that way alone costs more than polyhead's does, so `python -m benchmarks.into_step` compares with a batch
that lies on the device. *Waiting* is the share of an arm's epoch that goes beyond an epoch of one constant batch: the
step waits for data, or is slower because data is made beside it. On two cores those cannot be told apart.
""",
}
