"""Prompts in free words, and how much of what they say results show.

The captions and careless words of the benchmark come from the world's own grammar. These 360 do
not: a large language model, which was told what the world can show and not the words that it is
told in, wrote them as it takes people of many kinds to write, and beside each its facts, as the
nearest that the world has. While the tables of everyday words were made, the "known" ones were read
and the "held_out" ones were not.
"""
