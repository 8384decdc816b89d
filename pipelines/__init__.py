"""Kubeflow workflows whose steps are verbs of the command line.

``components`` has one thin step for each verb, ``workflows`` joins them. Both know the command line
only: whatever a step does, a person can do by hand with the same words.
"""
