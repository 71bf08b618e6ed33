"""The JSON that goes in and out: what a request may hold, and what an answer shows of the tables."""
