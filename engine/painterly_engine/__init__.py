"""The engine: Deep Painterly Harmonization (Luan et al. 2018) in torch. Never imports GIMP."""

__version__ = "0.1.0"
