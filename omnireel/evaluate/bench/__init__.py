"""OmniBench: fixed cases over all capabilities, four families of metrics, one score for each row.

Read in this order: ``suite`` (the cases), ``tags`` (what they are crossed with), ``families``
(which oracle counts where), ``case_run`` (one case: generate, judge, write), ``run`` (all of them,
in processes, again and again until done), ``rows`` (scores with floor, ceiling and interval).
"""
