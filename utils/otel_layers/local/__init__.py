"""The local Lambda: runs built zips with the real runtime clients as AWS does."""
