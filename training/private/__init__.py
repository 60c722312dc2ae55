"""Learning from people whose data stay where they are, and what a model may say of them."""
