"""How many replicas, slots, bytes and device hours a rate of jobs needs.

:mod:`~omnireel.capacity.measurements` is read from a file that says its source,
:mod:`~omnireel.capacity.queueing` has the formulas, :mod:`~omnireel.capacity.plan` chooses with
them, and :mod:`~omnireel.capacity.simulation` plays the same services event by event.
"""
