"""Image files: reading headers, decoding and encoding pixels, and coordinates in images."""
