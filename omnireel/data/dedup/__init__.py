"""Near-duplicates: what a clip looks like (`fingerprint`), who looks alike (`hamming`), and whether
they do so in the same order and rhythm (`alignment`).
"""
