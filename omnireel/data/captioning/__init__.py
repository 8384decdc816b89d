"""Captions at four levels, by a model or from a scene graph: written, checked, and resumable."""
