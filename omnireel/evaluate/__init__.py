"""Scores with known errors: exact oracles over the procedural world, comparison, intervals.

Read in this order: ``perception`` (what a clip shows), ``oracles`` (questions with exact answers,
and which capability is asked which), ``quick`` (the evaluation behind ``omnireel eval quick``),
``truth_check`` (the oracles' own error), ``gsb`` and ``bootstrap`` (comparison and intervals).
"""
