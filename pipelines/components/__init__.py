"""Steps: each runs one verb of the command line, in a container or on this machine.

The table of verbs is :mod:`pipelines.components.verbs`; :mod:`pipelines.components.step` makes a
Kubeflow component of one.
"""
