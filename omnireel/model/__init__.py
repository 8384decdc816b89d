"""The single-device model: video autoencoder, text tokens, packed sequences, transformer.

Read in this order: ``vae`` (pixels to latents), ``sequence`` (a sample becomes one packed
sequence), ``attention`` (who may attend to whom), ``transformer`` (the Omni-Generator itself).
Nothing here knows about processes: parallelism slices the inputs and swaps the attention function.
"""
