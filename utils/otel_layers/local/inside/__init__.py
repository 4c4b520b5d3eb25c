"""What runs inside the sandbox: its first process (__main__, mounts, system) and the runtime's bootstrap. Standard library only."""
