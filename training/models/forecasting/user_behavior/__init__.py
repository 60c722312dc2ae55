"""``user_behavior_forecaster``: plays of a listener in the next week, and whether they have left.

``rows`` says who is asked when and what is known of them, ``model`` what is learned of it, ``problem`` what a search
asks about, ``run`` trains, measures, registers and speaks.
"""
