"""Training elsewhere: a recipe as a TrainJob of the Kubeflow Trainer.

1. :mod:`manifest` writes the job: the very words of ``omnireel train``, and where it runs;
2. :mod:`width` checks that the recipe can be trained so widely;
3. :mod:`cluster` is all that is asked of Kubernetes;
4. :mod:`follow` submits, shows state and log until the end, and deletes on SIGTERM;
5. :mod:`verbs` are ``omnireel train jobs ...``, the reaper among them.
"""
