"""Decides whether a known message of Keras explains an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KnownMessage:
    """One message, in its forms on all backends and versions.

    Attributes:
        heading: the heading of its answer on the page of questions.
        pattern: the words that identify it for certain.
        perhaps: words that other mistakes share; it is this message if the data or the arguments agree.
        codes: the mistakes in data that cause it.
        argument: an argument of the call that causes it.
        owner: the class of the data that causes it.
        keras: the code to write in plain Keras.
        keras_input: this code if an input is wrong, if it differs.
        polyhead: the code to write with polyhead.
        lists_outputs: whether the names of the model's outputs help.
        compiled: whether the mistake is in the arguments of ``compile``.
    """

    name: str
    heading: str
    what: str
    keras: str
    polyhead: str
    keras_input: str = ""
    pattern: str = ""
    perhaps: str = ""
    codes: frozenset[str] = frozenset()
    argument: str = ""
    owner: str = ""
    lists_outputs: bool = False
    compiled: bool = False

    def rank(
        self, text: str, arguments: Mapping[str, Any], codes: set[str], owner: str
    ) -> tuple[bool, bool, bool] | None:
        """Return how well it explains a message: by the class of the data, the mistakes in it, and its words.

        Returns:
            None if it does not explain the message.
        """
        certain = bool(self.pattern) and re.search(self.pattern, text, re.IGNORECASE) is not None
        by_owner, by_codes = bool(self.owner) and owner == self.owner, bool(self.codes & codes)
        reasons = by_owner or by_codes or (bool(self.argument) and self.argument in arguments)
        possible = reasons and bool(self.perhaps) and re.search(self.perhaps, text, re.IGNORECASE) is not None
        return (by_owner, by_codes, certain) if certain or possible else None
