"""Against the theft of models by asking: budgets of distinct questions, alarms about systematic askers, canaries.

``counts`` counts in Redis, exactly once for all processes; ``successors`` and ``row_marks`` say what is conspicuous
about single questions; ``ordinary`` compares what an owner of keys asked with what ordinary owners ask; ``guard`` puts
them together for the routes; ``answer_form`` is how predictions leave the server; ``canaries`` are keys of nobody.
"""
