"""What a component fails at, for its card: a sentence, a small picture, a table of words.

One module for each kind of component finds its worst cases; :func:`record_failures` puts them
beside the weights.
"""

from omnireel.evaluate.failures.report import FILE, Failures, failures_png, record_failures

__all__ = ["FILE", "Failures", "failures_png", "record_failures"]
