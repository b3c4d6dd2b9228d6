"""An object cut out of a photograph: found by one of several methods, its edge refined and its colours cleaned."""
