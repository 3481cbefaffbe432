"""The eight steps, and a room for each thing that they share. Not empty: DVC warns of that."""
