"""What the engine and its clients say to each other. Imports neither torch, numpy nor GIMP."""
