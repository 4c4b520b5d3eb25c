"""The Python layer's own code; `bootstrap` is what the runtime client imports as the handler's module."""
