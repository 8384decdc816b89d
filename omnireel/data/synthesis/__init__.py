"""New samples from old ones, and from the world: edits, references, and inputs for a given target.

`derived` (what a derived sample is, and how it lies in a folder that `omnireel data curate` reads),
`segment` and `erase` (the classical experts), `reverse` (a natural target -> inputs that lead to
it), `forward` (an edited target), `rendered` (the world), `expert` (a model of yours, by its file).
"""
