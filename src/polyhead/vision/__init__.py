"""Images: decoding them, and augmenting a sample as one: images, masks, boxes and keypoints."""
