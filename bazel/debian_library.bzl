"""A static library and its headers out of an installed Debian -dev package."""

def _find(ctx, relative, folders):
    for folder in folders:
        candidate = ctx.path(folder + "/" + relative)
        if candidate.exists:
            return candidate
    return fail("%s is missing (looked in %s). It comes from Debian's %s: run `make setup`." % (
        relative,
        ", ".join(folders),
        ctx.attr.package,
    ))

def _multiarch_triple(ctx):
    result = ctx.execute(["gcc", "-print-multiarch"])
    if result.return_code != 0:
        fail("gcc is missing: run `make setup`.")
    return result.stdout.strip()

def _debian_library_impl(ctx):
    triple = _multiarch_triple(ctx)
    for header in ctx.attr.headers:
        found = _find(ctx, header, ["/usr/include", "/usr/include/" + triple])
        ctx.symlink(found, "include/" + header)
    for archive in ctx.attr.archives:
        found = _find(ctx, archive, ["/usr/lib/" + triple, "/usr/lib"])
        ctx.symlink(found, "lib/" + archive)
    ctx.file("BUILD", """\
# `srcs` holds archives and no source: the library is linked as it is, in this order.
cc_library(
    name = "{name}",
    srcs = {archives},
    hdrs = glob(["include/**"]),
    defines = {defines},
    includes = {includes},
    linkstatic = True,
    visibility = ["//visibility:public"],
    deps = {deps},
)
""".format(
        name = ctx.name,
        archives = ["lib/" + archive for archive in ctx.attr.archives],
        defines = ctx.attr.defines,
        includes = ["include"] if ctx.attr.headers else [],
        deps = ctx.attr.deps,
    ))

debian_library = repository_rule(
    implementation = _debian_library_impl,
    doc = "Makes `@name//:name` out of the headers and archives of an installed Debian package.",
    attrs = {
        "package": attr.string(mandatory = True, doc = "Debian package, named in errors"),
        "headers": attr.string_list(doc = "files or folders below /usr/include"),
        "archives": attr.string_list(doc = "static archives, in link order"),
        "defines": attr.string_list(),
        "deps": attr.string_list(),
    },
    local = True,
)
