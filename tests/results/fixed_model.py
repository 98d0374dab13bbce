"""A model that says the same of each image, as one that was trained well would of one."""

import keras
import numpy as np


class Fixed(keras.Model):
    """Gives the same outputs for each row."""

    def __init__(self, outputs):
        super().__init__()
        self.fixed = {name: np.asarray(value, "float32") for name, value in outputs.items()}

    def call(self, image):
        rows = keras.ops.mean(image, axis=(1, 2, 3)) * 0
        return {
            name: keras.ops.reshape(rows, (-1, *[1] * value.ndim)) + keras.ops.convert_to_tensor(value)[None]
            for name, value in self.fixed.items()
        }
