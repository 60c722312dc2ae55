"""What can be attacked, one model, type of models or analysis a file."""
