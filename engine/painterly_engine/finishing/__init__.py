"""The post-process: chrominance guided filter and patch synthesis under a soft mask."""
