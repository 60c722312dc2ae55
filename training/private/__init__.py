"""Learning without seeing: what is noisy, masked or encrypted before others read it; one mechanism a folder."""
