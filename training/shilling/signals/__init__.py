"""What is unusual about the profile of a listener, one signal a file.

A signal is a function of the (listeners, tracks) matrix of who played what, or of the plays, that returns one number a
listener. None of them knows names, or the order of listeners.
"""
