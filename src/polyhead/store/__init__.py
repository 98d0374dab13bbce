"""Stores: folders of Arrow files, with their format, reader and writer."""
