"""Omnireel: train, align, distil, evaluate and serve one unified video model."""

__version__ = "0.1.0"
