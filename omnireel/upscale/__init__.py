"""Super-resolution: the same transformer with windowed attention on a finer latent grid."""
