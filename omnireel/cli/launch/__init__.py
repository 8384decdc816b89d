"""Training elsewhere: a recipe as a TrainJob of the Kubeflow Trainer.

1. :mod:`manifest` writes the job: the very words of ``omnireel train``, and where it runs;
2. :mod:`cluster` is all that is asked of Kubernetes;
3. :mod:`follow` submits, shows state, progress and log until the end, and deletes on SIGTERM;
4. :mod:`verbs` are ``omnireel train jobs ...``, the reaper among them.
"""
