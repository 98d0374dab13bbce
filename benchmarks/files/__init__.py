"""JPEG files with five labels a row, of which many are missing, from the files and from packed formats."""
