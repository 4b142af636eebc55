"""The second edition of the embedded model: 128 pixels, four artists, styles, counts, colours.

`python -m train_embedded_128` in the folder `examples` runs all stages; README.md says more.
"""
