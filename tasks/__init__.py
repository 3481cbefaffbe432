"""The eight steps, a file for each; the folders are what they share."""
