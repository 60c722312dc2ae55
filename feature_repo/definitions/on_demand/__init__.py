"""On-demand features of music: one pure numpy function per module, with its declarations."""
