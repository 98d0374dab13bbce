"""Stores: folders of Arrow files, their format, reader and writer."""
