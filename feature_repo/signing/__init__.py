"""Signatures of model bundles, promotions and compiled manifests, by Ed25519 (RFC 8032).

public_keys.py (a key as a text), statement.py (what is signed, in a fixed form) → private_key.py (who signs), trust.py
(whose signatures count) → sign.py, verify.py (newest.py) → bundles.py, champions.py, manifests.py: what is signed.

Without pinned keys nothing is verified, and without a signing key nothing is signed. What is verified is verified
before anything else of it is parsed: of the signature its fixed form, of files the digests of their bytes.
"""
