"""Names of the Keras activations and losses that suit each form of labels."""

SIGMOID = ("sigmoid", "hard_sigmoid")
SOFTMAX = ("softmax",)

BINARY_LOSSES = (
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "dice",
    "generalized_dice",
    "hinge",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "squared_hinge",
    "tversky",
)
SPARSE_LOSSES = ("sparse_categorical_crossentropy",)
ONE_HOT_LOSSES = (
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "kl_divergence",
    "mean_squared_error",
)
OVERLAP_LOSSES = ("dice", "tversky")
