"""The engine: Deep Painterly Harmonization (Luan et al. 2018) in torch. Never imports GIMP."""

import os

from painterly_engine.api import harmonize, stylize

__all__ = ["harmonize", "stylize"]
__version__ = "0.1.0"

# OpenMP's threads spin while they wait for each other; on a machine that does anything else at the same time this was
# seen to make a job nine times slower. Must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
