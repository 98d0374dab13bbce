"""Writes stores: the rows of a source or a feed, in a folder of Arrow files."""

from polyhead.packing.pack import pack
from polyhead.packing.verify import verify

__all__ = ["pack", "verify"]
