"""Bills of materials: which packages, in which versions, of which licences, something is made of or was made with.

packages.py (what is installed, what a lock names) → document.py (CycloneDX 1.6, ECMA-424).
"""

FILE = "bom.json"
"""File of a bundle, and of an image, with its bill of materials."""
