"""One feed-forward pass: the painting's feature statistics in the object, decoded; the first thing a preview shows."""
