"""Training: losses, optimisers and schedules, the loop and its state."""
