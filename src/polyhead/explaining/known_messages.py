"""The error messages of Keras that occur with several outputs: one entry for each, as data.

An entry has the words that identify its message, the mistakes in data (codes of `examine`) that cause it, and the code
to write instead. In code, ``$y`` stands for the labels in the structure of the model's outputs, ``$weights`` for
weights, ``$first`` for the wrong output, or the first one, ``$kind`` for its head, and ``$class_weight`` for the
argument of ``fit``. ``$give`` and ``$give_weighted`` pass labels and weights by ``fit`` or ``yield``, as the call did.
``$x`` stands for the inputs in the structure of the model, and ``$input`` for the wrong one.
"""

from __future__ import annotations

from polyhead.explaining.message_match import KnownMessage


def _code_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STRINGS = (
    r"could not convert string|Invalid dtype: (str|object)|of type 'str'|Unsupported object type"
    r"|not a valid JAX array type"
)
_NUMBERS = r"'(float|int)' object has no attribute 'shape'"
_STRUCTURES = r"different structures?|structures did not match|same structure"

KNOWN = (
    KnownMessage(
        "cardinality",
        "Data cardinality is ambiguous: make sure all arrays contain the same number of samples",
        "The inputs, labels and weights have different numbers of rows.",
        keras="""\
print([len(array) for array in (x, $y_flat)])   # which array lost rows?
known = frame.notna().all(axis=1)               # drop a row from all arrays at once, or from none
x, $y_flat = (array[known] for array in (x, $y_flat))""",
        polyhead="""\
feed = ph.Feed({"x": x, "$first": $first, ...}, inputs="x", heads={"$first": ph.$kind(), ...})
# names the column whose length differs; a row without a label keeps its place: None or NaN""",
        pattern=r"Data cardinality is ambiguous|same number of samples",
        codes=_code_set("row-count"),
    ),
    KnownMessage(
        "class-weight",
        "class_weight is not supported for multiple outputs: a class weight for each output",
        "Keras takes class_weight for models with one output only.",
        keras="""\
${first}_weight = np.vectorize($class_weight.get)($first.ravel())   # one weight for each row, by its class
$give_weighted   # an array of ones for every other output""",
        polyhead="""\
heads={"$first": ph.$kind(class_weight=$class_weight), ...}   # or class_weight="balanced\"""",
        pattern=r"class_weight\W*(is )?(only|not) supported|`class_weight` must contain"
        r"|class_weight` and `sample_weight|sample_weight` and `class_weight",
        perhaps=r"0-dimensional|length-1|only integer|scalar|structure|KeyError|convert",
        argument="class_weight",
        lists_outputs=True,
    ),
    KnownMessage(
        "sample-weight",
        "sample_weight for multiple outputs: provide one array per output in y, as a dict or list",
        "The weights need the same structure as the labels: one array for each output, none left out.",
        keras="$give_weighted   # ones where all rows count",
        polyhead='heads={"$first": ph.$kind(sample_weight="${first}_weight"), ...}   # a column of the data',
        pattern=r"one `sample_weight` array per output|single `sample_weight` array",
        perhaps=rf"{_STRUCTURES}|KeyError|IndexError|tuple index|list index|at least rank 1|{_NUMBERS}",
        codes=_code_set("weights-structure weights-shape"),
        argument="sample_weight",
        lists_outputs=True,
    ),
    KnownMessage(
        "lists",
        "The arrays must be at least rank 1, Expected an instance of list: labels as lists of numbers",
        "An input or the labels of an output are lists of numbers. Keras treats each number as a separate array.",
        keras="""\
$first = np.asarray($first, "float32")   # class ids: "int32"
$give""",
        keras_input='$input = np.asarray($input, "float32")   # ids: "int32"',
        polyhead='feed = ph.Feed({"x": x, "$first": $first, ...}, ...)   # takes lists, as does ph.from_generator',
        pattern=(
            rf"{_NUMBERS}|arrays must be at least rank 1"
            r"|Expected an instance of (list|tuple), got (\w*Tracer|<?(tf\.)?tensor)"
            r"|expected <class '(list|tuple)'>, but got <class 'torch.Tensor|y_true: .*(\['\*'(, '\*'){7}|\[\['\*')"
            r"|Unrecognized data type: x=\["
        ),
        perhaps=rf"{_STRINGS}|{_STRUCTURES}",
        codes=_code_set("list-of-numbers"),
    ),
    KnownMessage(
        "text",
        "could not convert string to float, Invalid dtype: object, Failed to convert a NumPy array to a Tensor",
        "An input or the labels of an output contain text or Python objects; Keras accepts only numbers.",
        keras="""\
names, ids = np.unique($first, return_inverse=True)   # words to class ids
$first = ids.astype("int32")                          # objects that hold numbers: .astype("float32")""",
        keras_input="$input = np.unique($input, return_inverse=True)[1]   # words to ids, for keras.layers.Embedding",
        polyhead='heads={"$first": ph.Categorical(), ...}   # learns the classes from the words, and keeps them',
        pattern=rf"{_STRINGS}|Failed to convert a NumPy array|Cannot convert numpy object|NumPy type object",
        perhaps=r"Unrecognized data type",
        codes=_code_set("not-an-array"),
    ),
    KnownMessage(
        "no-labels",
        "Missing labels, NaN targets, partial labels",
        "The labels of an output are None, or have None among them. Keras accepts only numbers.",
        keras="""\
known = pd.notna($first)   # without a label: 0, and a weight of 0
$first = np.where(known, $first, 0).astype("float32")
${first}_weight = known.ravel().astype("float32")
$give_weighted""",
        polyhead='heads={"$first": ph.$kind(), ...}   # None means: no label',
        pattern=r"None values not supported|None is not a valid value",
        perhaps=rf"{_STRINGS}|Failed to convert a NumPy array|NumPy type object|{_STRUCTURES}|NoneType",
        codes=_code_set("no-labels"),
    ),
    KnownMessage(
        "output-names",
        "The keys of y don't match the names of the outputs",
        "The keys of the labels aren't the names of the model's outputs.",
        keras="$give   # print(model.output_names) lists the names",
        polyhead="""\
feed = ph.Feed(data, inputs="x", heads={"$first": ph.$kind(), ...})
feed.check(model)   # every head without an output and every output without a head, before training""",
        perhaps=rf"{_STRINGS}|{_STRUCTURES}|The path: |KeyError|can't be found",
        codes=_code_set("target-keys"),
        lists_outputs=True,
    ),
    KnownMessage(
        "list-batches",
        "Generator, Sequence or PyDataset for multiple outputs: list, tuple or dict? output_signature must contain",
        "A batch has to be a tuple: x, y, and perhaps weights. TensorFlow refuses lists, which JAX and PyTorch take.",
        keras="$give",
        polyhead="data = ph.from_generator(generator, length=rows, names=...)   # then ph.Feed(data, ...)",
        pattern=r"`output_signature` must contain|generator must (return|yield) a tuple|expected to be in format",
        codes=_code_set("list-targets list-structure not-a-tuple"),
        lists_outputs=True,
    ),
    KnownMessage(
        "label-count",
        "y_true and y_pred have different structures",
        "The number of label arrays isn't the number of the model's outputs, or they are nested in another way.",
        keras="$give   # one array for each output",
        polyhead='feed = ph.Feed(data, inputs="x", heads={"$first": ph.$kind(), ...})   # in any order',
        pattern=rf"y_true\W+and\W+y_pred.*{_STRUCTURES}|Expected to see \d+ array",
        perhaps=rf"The path: |can't be found|{_STRINGS}|{_STRUCTURES}|expected <class|Expected an instance"
        r"|'str' object has no attribute 'shape'",
        codes=_code_set("target-count stacked-targets no-targets structure"),
        lists_outputs=True,
    ),
    KnownMessage(
        "rank",
        "Arguments target and output must have the same rank: (None,) and (None, 1)",
        "The labels lack the last axis of their output, here or in an earlier fit: they are one number a row.",
        keras="$first = $first.reshape(-1, 1)   # (N,) to (N, 1); the layer's units must be 1 as well",
        polyhead='heads={"$first": ph.$kind(), ...}   # labels always get the shape of their output',
        pattern=r"must have the same rank|target\.shape=(torch\.Size\()?[(\[]\d+,?[)\]]|expected min_ndim|unknown rank",
        codes=_code_set("broadcast"),
    ),
    KnownMessage(
        "shape",
        "Incompatible shapes: target and output must have the same shape, Dimensions must be equal, class ids or "
        "one-hot",
        "The labels of an output have another shape than the output, or need another loss or metric.",
        keras="""\
# class ids (N,): loss="sparse_categorical_crossentropy"; one-hot (N, classes): loss="categorical_crossentropy"
# numbers (N, k): Dense(k); the metrics F1Score, AUC, Precision, Recall: one-hot labels, not ids""",
        polyhead="model = keras.Model(x, ph.outputs(features, feed.heads))   # layers of the right shape and loss",
        pattern=(
            r"must have the same shape|incompatible shapes|Dimensions must be equal|must match the size of tensor"
            r"|must have rank|are incompatible|Shapes? mismatch|expects 2D inputs|segment_ids"
        ),
        codes=_code_set("target-shape broadcast one-hot-for-sparse ids-for-one-hot not-one-class"),
        lists_outputs=True,
    ),
    KnownMessage(
        "class-ids",
        "Target is out of bounds, Received a label value outside the valid range",
        "A class id is below 0, or not below the number of units of its layer.",
        keras="assert $first.min() >= 0 and $first.max() < units   # ids count from 0",
        polyhead='heads={"$first": ph.Categorical(missing=-1), ...}   # -1 means: no label',
        pattern=r"is out of bounds(?! for axis 0)|outside the valid range|SparseSoftmaxCrossEntropy|device-side assert"
        r"|Class values must be|all elements of target should be",
        codes=_code_set("id-out-of-range label-range mask-255"),
    ),
    KnownMessage(
        "same-name",
        "The name is used 2 times in the model: an input and an output of one name",
        "An input and an output, or two layers, have one name.",
        keras='output = keras.layers.Dense(1, name="${first}_out")(h)   # each layer has a name of its own',
        polyhead='heads={"${first}_out": ph.$kind(column="$first"), ...}   # the head has another name than its column',
        pattern=r"is used \d+ times in the model|operation names should be unique",
    ),
    KnownMessage(
        "not-compiled",
        "You must call compile() before using the model",
        "fit and evaluate need a loss; a model loaded with compile=False, or compiled without loss=, has none.",
        keras='model.compile("adam", loss=$losses)',
        polyhead='ph.compile(model, feed, optimizer="adam")   # a loss and metrics for each head',
        pattern=r"must call `?compile\(\)`? before|object has no attribute 'optimizer'|No loss to compute",
    ),
    KnownMessage(
        "unfrozen",
        "Fine-tuning: freeze and unfreeze layers, compile again",
        "The optimizer knows only the weights that were trainable when the model was compiled.",
        keras="model.compile(keras.optimizers.Adam(1e-5), loss=$losses)   # again, after trainable = True",
        polyhead="ph.compile(model, feed, optimizer=keras.optimizers.Adam(1e-5))   # again, after trainable = True",
        pattern=r"Unknown variable: |variables list that the optimizer was built with",
    ),
    KnownMessage(
        "ran-out",
        "Your input ran out of data",
        "The generator ended before steps_per_epoch * epochs batches. Later epochs train on few batches or none.",
        keras="""\
def generator():
    while True:   # starts again for the next epoch
        for start in range(0, len(x), 32):
            rows = slice(start, start + 32)
            yield x[rows], $y_rows
model.fit(generator(), steps_per_epoch=-(-len(x) // 32), epochs=10)""",
        polyhead='feed = ph.Feed(data, inputs="x", heads=...)   # has a length, and starts again by itself',
        pattern=r"input ran out of data|must yield at least one batch|empty generator|generator raised StopIteration",
        codes=_code_set("exhausted empty"),
    ),
    KnownMessage(
        "nan",
        "loss: nan",
        "The loss is NaN: an input or a label is NaN or infinite, or the step was too large.",
        keras="""\
known = ~np.isnan($first)
$first = np.where(known, $first, 0)   # a number and a weight of 0: NaN times 0 is NaN
${first}_weight = known.ravel().astype("float32")
$give_weighted""",
        keras_input="$input = np.nan_to_num($input)   # or without these rows, in the labels as well",
        polyhead='heads={"$first": ph.$kind(), ...}   # NaN means: no label; inputs are checked, the row is named',
        pattern=r"loss[\w ':=]*\bnan\b|Invalid loss, terminating|contains? nan|not finite"
        r"|all elements of input should be between 0 and 1",  # PyTorch's binary cross entropy
        codes=_code_set("nan infinity mask-255"),
    ),
    KnownMessage(
        "logits",
        "from_logits=True, but the output is a sigmoid or softmax",
        "The loss treats the output as logits, but its layer makes probabilities (or the reverse).",
        keras="""\
keras.layers.Dense(1, activation="sigmoid"), loss=keras.losses.BinaryCrossentropy()
keras.layers.Dense(1), loss=keras.losses.BinaryCrossentropy(from_logits=True)   # one or the other""",
        polyhead='ph.compile(model, feed, optimizer="adam")   # finds out from the layer which of the two it is',
        pattern=r"does not represent logits|from_logits|logits (vs|or|and) prob",
        codes=_code_set("logits one-unit-softmax activation"),
    ),
    KnownMessage(
        "load",
        "Could not locate function or class, register_keras_serializable: a custom loss is not found on load",
        "The saved model uses a function or class of yours that Keras can't find while loading.",
        keras="""\
@keras.saving.register_keras_serializable()   # above the loss, in a module that is imported before loading
def my_loss(y_true, y_pred): ...
keras.saving.load_model("model.keras", custom_objects={"my_loss": my_loss})   # or for once
keras.saving.load_model("model.keras", compile=False)   # or without losses, to predict alone""",
        polyhead="import polyhead   # registers the losses and metrics that ph.compile sets; then load_model(...)",
        pattern=r"Could not locate (class|function)|Unknown (layer|loss|metric)|is not a KerasSaveable"
        r"|deserialization of a `Lambda`",
    ),
    KnownMessage(
        "names-in-compile",
        "Names of losses and metrics: Invalid metrics, in loss dict, The path can't be found",
        "Losses, metrics or weights of compile lack the names or the number of the outputs, or Keras lacks them.",
        keras='model.compile("adam", loss=$losses, metrics=$metrics)',
        polyhead="""\
heads={"$first": ph.$kind(metrics=["accuracy"]), ...}
ph.compile(model, feed, optimizer="adam")""",
        pattern=(
            r"Invalid `(weighted_)?metrics`|in loss dict|in the `loss` argument|Could not interpret (metric|loss)"
            r"|`loss_weights` must match|argument `(weighted_)?metrics`|`(weighted_)?metrics` argument"
        ),
        perhaps=r"KeyError|has no len|Invalid dtype: object|entry not a 2- or 3- tuple|any non-tensor type",
        codes=_code_set("loss-keys loss-weights"),
        lists_outputs=True,
        compiled=True,
    ),
    KnownMessage(
        "untrained",
        "Names of losses and metrics: Invalid metrics, in loss dict, The path can't be found",
        "An output has no loss, so its layers are not trained: loss= is a list too short, or a dict without it.",
        keras='model.compile("adam", loss=$losses)',
        polyhead='ph.compile(model, feed, optimizer="adam")   # a loss for each head',
        pattern=r"Gradients do not exist for variables",
        lists_outputs=True,
    ),
    KnownMessage(
        "monitor",
        "EarlyStopping, ModelCheckpoint or ReduceLROnPlateau on one of several outputs",
        "The monitored metric isn't in the logs, or Keras can't tell whether it should rise or fall. Metrics are named "
        "val_, output, metric; those with val_ need validation_data.",
        keras='keras.callbacks.EarlyStopping("val_${first}_loss", mode="min", patience=3)',
        polyhead='keras.callbacks.EarlyStopping("val_${first}_loss", mode="min", patience=3)   # the same',
        pattern=r"isn't able to automatically determine whether that metric"
        r"|conditioned on metric .* not available|Can save best model only with",
        lists_outputs=True,
    ),
    KnownMessage(
        "validation-split",
        "validation_split with a generator: train test split, stratified split",
        "Keras splits only arrays, and uses the last rows without shuffling.",
        keras="""\
rows = np.random.default_rng(0).permutation(len(x))
train, val = rows[len(x) // 5 :], rows[: len(x) // 5]
model.fit(generator(train), validation_data=generator(val))""",
        polyhead="""\
train, val = ph.read_table(data).split((0.8, 0.2), seed=0)
feed = ph.Feed(train, ...)
model.fit(feed, validation_data=feed.on(val))""",
        pattern=r"`?validation_split`? is only supported",
    ),
    KnownMessage(
        "image-data-generator",
        "flow_from_dataframe with several outputs: class_mode multi_output, cannot import name ImageDataGenerator",
        "ImageDataGenerator is gone from Keras 3. Its multi_output gives a list, and leaves words as they are.",
        keras="""\
names, ids = np.unique(frame["kind"], return_inverse=True)   # words to ids before
flow = ImageDataGenerator().flow_from_dataframe(..., class_mode="multi_output")
def batches():
    while True:
        for i in range(len(flow)):
            x, y = flow[i]
            yield x, tuple(y)   # a list is refused on TensorFlow""",
        polyhead="""\
feed = ph.Feed(frame, inputs={"file": ph.Image(64, 64)}, heads={"kind": ph.Categorical(), "age": ph.Regression()})
# polyhead migrate train.py writes it""",
        pattern=r"ImageDataGenerator|keras\.preprocessing\.image|Invalid class_mode|class_mode=|multi_output",
        perhaps=rf"{_STRINGS}|output_signature|{_STRUCTURES}",
        owner="DataFrameIterator",
    ),
    KnownMessage(
        "feed-itself",
        "Give fit the feed itself, not feed.batches() or a source",
        "fit takes a feed. A source has rows, but no inputs and heads; feed.batches() is for your own loops.",
        keras="model.fit(feed)",
        polyhead="model.fit(feed, validation_data=feed.on(rows))   # rows: a source, a frame, a dict of columns",
        pattern=r"Unrecognized data type: x=\w+\([\d,]+ rows?: |Received: Batch\(inputs=",
        owner="generator",
    ),
    KnownMessage(
        "function-itself",
        "Unrecognized data type: zip, map and lists in fit",
        "fit was given a generator function. It takes the generator that a call of the function returns.",
        keras="model.fit(batches(), steps_per_epoch=...)   # with parentheses",
        polyhead="data = ph.from_generator(batches, length=rows, names=...)   # without; then ph.Feed(data, ...)",
        pattern=r"Unrecognized data type: x=<(function|bound method)",
        owner="function",
    ),
    KnownMessage(
        "data-type",
        "Unrecognized data type: zip, map and lists in fit",
        "fit accepts arrays, generators, PyDataset, and datasets of tf.data, torch or grain; no zip, map or lists.",
        keras="""\
def batches():
    for x, y in zip(images, labels):   # a generator function in place of zip(...)
        yield x, y""",
        polyhead='feed = ph.Feed({"x": x, "$first": $first, ...}, inputs="x", heads=...)   # lists are fine',
        pattern=r"Unrecognized data type",
        codes=_code_set("not-for-keras single-rows"),
    ),
    KnownMessage(
        "labels-beside",
        "`y` should not be passed: arguments beside a generator",
        "A generator or dataset itself provides labels, weights and the batch size.",
        keras="yield x, $y, $weights   # and fit(generator()) alone",
        polyhead="model.fit(feed)   # batch_size, labels and weights belong to the feed",
        pattern=r"`(y|sample_weights?|batch_size)` should not be passed|`batch_size` argument is not",
    ),
    KnownMessage(
        "keras-2",
        "unexpected keyword argument 'workers', no attribute 'fit_generator'",
        "Keras 3 has no fit_generator, and fit takes no workers: they are arguments of a PyDataset.",
        keras="""\
class Rows(keras.utils.PyDataset): ...   # its __init__ calls super().__init__(**kwargs)
model.fit(Rows(workers=2, use_multiprocessing=False, max_queue_size=10))   # a generator: fit(generator()) alone""",
        polyhead="feed = ph.Feed(data, ..., workers=2)   # threads; then model.fit(feed)",
        pattern=r"(keyword argument|not recognized: \{)\W*(workers|use_multiprocessing|max_queue_size)"
        r"|no attribute '\w+_generator'",
    ),
    KnownMessage(
        "executing",
        "generator already executing",
        "Several workers read one generator at the same time.",
        keras="class Rows(keras.utils.PyDataset): ...   # workers read batches by number: __getitem__(self, i)",
        polyhead="data = ph.from_generator(function, length=rows)   # the function; one thread at a time runs it",
        pattern=r"generator already executing",
        codes=_code_set("thread-unsafe"),
    ),
    KnownMessage(
        "inputs",
        "Missing data for input, Input 0 is incompatible with the layer",
        "The inputs don't have the names, the number or the shapes of the model's inputs.",
        keras="model.fit($x, $y)   # print(model.input_names) lists the names",
        polyhead='inputs={"image": ph.Image(64, 64), "meta": ph.Array()}   # by name, in any order',
        pattern=r"Missing data for input|expects \d+ (named )?input|is incompatible with the layer"
        r"|structure of `inputs` doesn't match",
        perhaps=r"is not connected to `inputs`|Exception encountered when calling",
        argument="x",
        codes=_code_set("input-keys input-count input-shape"),
    ),
)
