"""How the contract's engines are reached: Feast plugins, loaded by dotted path from ``feature_store.yaml``, and the
Feast-free parts that a serving process shares with them.
"""
