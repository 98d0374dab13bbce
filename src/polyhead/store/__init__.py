"""The store: a folder of Arrow files, its format, its reader and its writer."""
