"""The procedural world: scenes with exact ground truth, their pictures, words and tasks.

Read `scene` (what a scene is), `render` (scene to frames, the whole flow in its docstring), `truth`
(masks, depth, tracks, camera), then `sampler`, `captions` and `tasks`.
"""
