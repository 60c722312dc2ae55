"""Sound to numbers: pure functions of samples, the same for a folder of masters and for one that is uploaded."""
