"""What a recipe needs before it runs: memory, operations, time, and how to spread it.

1. ``flops`` and ``memory``: counted from shapes, tested against what torch counts and keeps.
2. ``workload``: what a recipe's step consists of, built on the meta device.
3. ``recompute``: which halves of blocks to compute again, by bytes saved per operation.
4. ``hardware``: what devices can do; ``plan``: predictions for every layout on N of them.
"""
