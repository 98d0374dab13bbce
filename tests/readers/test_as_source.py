"""Images that are given by themselves, without a table."""

from base64 import b64encode

import pytest

from polyhead.errors import DataError
from polyhead.images.encoded import read_encoded
from polyhead.readers.as_source import loose_images


@pytest.mark.parametrize("start", ["", "data:image/jpeg;base64,"])
def test_an_image_in_base64_is_told_how_to_decode_it(start):
    """As a request to a web service has it: longer than any name of a file may be."""
    text = start + b64encode(b"\xff\xd8\xff\xe0" + bytes(9000)).decode()
    (image,) = loose_images(text)
    with pytest.raises(DataError, match=r"base64\.b64decode\(text"):
        read_encoded(image, "")
