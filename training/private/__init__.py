"""Learning without seeing: models of people's data that no one party holds, sees or can read out of the model.

One mechanism a folder, each with its threat model: what it protects, against whom, and what it does not.
"""
