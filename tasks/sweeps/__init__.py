"""What a sweep proposes, and what it leaves: a table and a picture."""
