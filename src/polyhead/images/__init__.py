"""Image files as far as no image library is needed: what their headers say."""
