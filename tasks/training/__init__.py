"""The training: batches, the saved state, the progress, and the loop that joins them."""
