"""Seeing: from decoded frames to the world's facts, never through a model's latents.

Read in this order: ``reader`` (subjects, colours, place, mood), ``subject`` (what a subject is),
``flow`` and ``tracks`` (what moves), ``movement`` (how it moves), ``observe`` (all of it
together). The readers are fitted on exact renderings by ``python -m
omnireel.evaluate.perception.fit``; their error on ground truth is measured by
:mod:`omnireel.evaluate.truth_check`.
"""

from omnireel.evaluate.perception.eyes import Perception, load_perception
from omnireel.evaluate.perception.observe import Observation, Subject, observe

__all__ = ["Observation", "Perception", "Subject", "load_perception", "observe"]
