"""The post-process: chrominance guided filter and patch synthesis under a soft mask."""

from painterly_engine.finishing.finish import finish

__all__ = ["finish"]
