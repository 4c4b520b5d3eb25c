"""The typed boundary to AWS, and the embedded AWS."""
