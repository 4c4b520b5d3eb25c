"""How many arguments a handler takes, as far as that can be told without `inspect`; needed up to Python 3.10."""


def takes(user, given):
    """Whether calling `user` with `given` positional arguments gets as far as the user's code."""
    kind = type(user).__name__
    if kind == "partial":
        return takes(user.func, given + len(user.args))
    if kind == "method":
        return takes(user.__func__, given + 1)
    if kind == "builtin_function_or_method":
        return False
    if isinstance(user, type):
        user, given = user.__init__, given + 1
    elif kind != "function":
        user, given = type(user).__call__, given + 1
    if type(user).__name__ != "function":
        return True  # not known
    code = user.__code__
    required = code.co_argcount - len(user.__defaults__ or ())
    enough = code.co_argcount >= given or code.co_flags & 0x04  # it takes *args
    return bool(required <= given and enough and code.co_kwonlyargcount <= len(user.__kwdefaults__ or ()))
