"""Runs a folder's recipe and turns its tree into a reproducible, checked zip."""
