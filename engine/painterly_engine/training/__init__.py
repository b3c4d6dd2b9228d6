"""How the built-in networks were made: pictures to learn from, distillation, decoders, the stylization model."""
