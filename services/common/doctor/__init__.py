"""Looks at a cluster before an installation, and says in one sentence each what is not there.

Read in this order: ``references.py`` (what rendered objects name without bringing it),
``cluster.py`` (asks the cluster through kubectl), ``questions.py`` (joins the two), ``cli.py``.
"""
