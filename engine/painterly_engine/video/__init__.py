"""A video painted frame by frame, so that the paint moves with what it is on."""
