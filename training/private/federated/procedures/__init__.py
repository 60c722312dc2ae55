"""What a run does, one procedure a file: the program of the coordinator beside the answers of the silos."""
