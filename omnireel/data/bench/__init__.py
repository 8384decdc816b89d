"""How well the checks of tiers 1 and 2 tell good clips from bad ones, against known truth.

1. Good clips: the procedural world, and a camera over dead leaves (`filming`, `footage`).
2. What can be wrong, done to them, and what only looks wrong (`cases`, `corrupt`, `coding`).
3. The engine's own reader decodes the file, and the checks measure it (`run`).
4. Thresholds are chosen on one half of the sources and judged on the other (`judging`, `report`).
"""
