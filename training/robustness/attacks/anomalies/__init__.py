"""Attacks on detectors: what somebody does who wants to stay unseen.

*Detections* are rows of attacks as feature → value; *streams* are arrays (2, t) of a metric as it would be without an
attack, and what the attack adds to it. Both measure the share of attacks that are caught.
"""
