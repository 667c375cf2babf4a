"""A third party built from its Debian source package, which bazel/setup has fetched."""

load("//bazel:cache.bzl", "CACHE_ENVIRON", "cache_folder", "require_fetched")

def _copy(ctx, child):
    result = ctx.execute(["cp", "-R", str(child), child.basename])
    if result.return_code != 0:
        fail("%s could not be copied: %s" % (child, result.stderr))

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
        if child.basename in ["BUILD", "BUILD.bazel", "WORKSPACE"]:
            continue
        if ctx.attr.patches:
            _copy(ctx, child)
        else:
            ctx.symlink(child, child.basename)
    ctx.symlink(ctx.attr.build_file, "BUILD")
    for patch in ctx.attr.patches:
        ctx.patch(patch, strip = 1)

debian_source = repository_rule(
    implementation = _debian_source_impl,
    doc = "Lays `build_file` over an unpacked Debian source package.",
    attrs = {
        "source_package": attr.string(mandatory = True),
        "subfolder": attr.string(doc = "the part of the source that is wanted"),
        "build_file": attr.label(mandatory = True),
        "patches": attr.label_list(doc = "applied to a copy, with -p1"),
    },
    environ = CACHE_ENVIRON,
    local = True,
)
