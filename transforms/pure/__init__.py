"""Pure functions of arrays and texts, without data frames, files or a clock.

The batch run, training and serving call the same functions. This is the only room of ``transforms`` that a serving
process imports.
"""
