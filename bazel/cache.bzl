"""Where `make setup` leaves what it fetched, as seen by repository rules."""

# Repository rules that call cache_folder() pass this as their `environ`.
CACHE_ENVIRON = ["HOME", "WEIR_CACHE"]

def cache_folder(ctx):
    """Returns the cache folder: $WEIR_CACHE, or ~/.cache/weir when that is not set."""
    environ = ctx.os.environ
    if environ.get("WEIR_CACHE"):
        return environ["WEIR_CACHE"]
    if not environ.get("HOME"):
        fail("HOME is not set, so the folder with the fetched sources cannot be found: " +
             "set HOME or WEIR_CACHE.")
    return environ["HOME"] + "/.cache/weir"

def require_fetched(ctx, path, what):
    """Fails with the remedy unless `path` exists; returns it as a path object otherwise."""
    found = ctx.path(path)
    if not found.exists:
        fail("%s is not in %s: run `make setup`, which fetches it." % (what, path))
    return found
