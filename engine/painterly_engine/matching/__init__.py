"""Nearest-neighbour fields between feature maps, their refinement, and the ring mask."""

from painterly_engine.matching.coarse import match_at_any_size
from painterly_engine.matching.cosine import match_patches
from painterly_engine.matching.reference import match_reference
from painterly_engine.matching.refine import refine_field
from painterly_engine.matching.ring import ring_mask

__all__ = ["match_at_any_size", "match_patches", "match_reference", "refine_field", "ring_mask"]
