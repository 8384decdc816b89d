"""The arena: several systems on the same prompts, pair by pair, judged blind.

Read in this order: ``trials`` (which pairs, on which side, with which checks), ``votes`` (who said
what, and who is to be trusted), ``statistics`` (strengths, agreement, what could be seen at all),
``report`` (all of it together).
"""
