"""A third party built from its Debian source package, which bazel/setup has fetched."""

load("//bazel:cache.bzl", "CACHE_ENVIRON", "cache_folder", "require_fetched")

def _debian_source_impl(ctx):
    package = ctx.attr.source_package
    folder = require_fetched(
        ctx,
        cache_folder(ctx) + "/sources/" + package + "/current",
        "Debian's source package " + package,
    )
    if ctx.attr.subfolder:
        folder = folder.get_child(ctx.attr.subfolder)
    for child in folder.readdir():
        if child.basename not in ["BUILD", "BUILD.bazel", "WORKSPACE"]:
            ctx.symlink(child, child.basename)
    ctx.symlink(ctx.attr.build_file, "BUILD")

debian_source = repository_rule(
    implementation = _debian_source_impl,
    doc = "Lays `build_file` over an unpacked Debian source package.",
    attrs = {
        "source_package": attr.string(mandatory = True),
        "subfolder": attr.string(doc = "the part of the source that is wanted"),
        "build_file": attr.label(mandatory = True),
    },
    environ = CACHE_ENVIRON,
    local = True,
)
