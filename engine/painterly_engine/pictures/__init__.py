"""Pictures as files, pasted on one another, side by side."""
