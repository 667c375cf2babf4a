"""Envoy's .proto files, from npm's @grpc/grpc-js-xds and bazel/protos, as one C++ library."""

load("//bazel:cache.bzl", "CACHE_ENVIRON", "cache_folder", "require_fetched")
load("//bazel/protos:roots.bzl", "ENVOY_PROTO_ROOTS")

# Where each import root comes from below the npm package.
_NPM_ROOTS = {
    "envoy": "deps/envoy-api/envoy",
    "xds": "deps/xds/xds",
    "udpa": "deps/xds/udpa",
    "google": "deps/googleapis/google",
}

# Import roots inside the repository, in search order: a supplement stands in for an older file.
_IMPORT_ROOTS = ["supplements", "npm"]

# The packaged validate.proto is older than the rules that Envoy's files use: each message of
# rules gets the field `ignore_empty` under the number that protoc-gen-validate gives it.
_IGNORE_EMPTY_NUMBERS = {
    "FloatRules": 8,
    "DoubleRules": 8,
    "Int32Rules": 8,
    "Int64Rules": 8,
    "UInt32Rules": 8,
    "UInt64Rules": 8,
    "SInt32Rules": 8,
    "SInt64Rules": 8,
    "Fixed32Rules": 8,
    "Fixed64Rules": 8,
    "SFixed32Rules": 8,
    "SFixed64Rules": 8,
    "StringRules": 26,
    "BytesRules": 14,
    "RepeatedRules": 5,
    "MapRules": 6,
}

# The messages compile in a few translation units: a file alone spends most of its time on the
# headers it includes, so many in one cost less than half.
_FILES_PER_CHUNK = 10

# More imports than any file tree needs; bounds the search, which Starlark wants bounded.
_MAX_PROTOS = 1000

def _patched_validate(text):
    for message, number in _IGNORE_EMPTY_NUMBERS.items():
        head = "\nmessage %s {" % message
        if text.count(head) != 1:
            fail(("validate.proto has no message %s to add ignore_empty to: the npm package has " +
                  "changed; see bazel/envoy_api.bzl.") % message)
        text = text.replace(head, head + " optional bool ignore_empty = %d;" % number)
    return text

def _imports(text):
    found = []
    for line in text.split("\n"):
        if line.startswith("import "):
            found.append(line.split("\"")[1])
    return found

def _locate(ctx, proto):
    for root in _IMPORT_ROOTS:
        candidate = ctx.path(root + "/" + proto)
        if candidate.exists:
            return candidate
    return fail(("%s is in no import root: correct bazel/protos/roots.bzl, or write it below " +
                 "bazel/protos/supplements.") % proto)

def _closure(ctx, roots):
    """Returns every proto that `roots` need, without protobuf's own, imports first."""
    seen = {}
    pending = list(roots)
    for _ in range(_MAX_PROTOS):
        if not pending:
            return sorted(seen)
        proto = pending.pop()
        if proto in seen or proto.startswith("google/protobuf/"):
            continue
        seen[proto] = True
        pending.extend(_imports(ctx.read(_locate(ctx, proto))))
    return fail("more than %d .proto files are imported" % _MAX_PROTOS)

def _chunk_text(stems):
    """A translation unit of several generated files, whose file-level names are kept apart."""
    lines = ["#include \"%s.pb.h\"" % stem for stem in stems]
    for index, stem in enumerate(stems):
        lines += [
            "#define schemas schemas_%d" % index,
            "#define file_default_instances file_default_instances_%d" % index,
            "#include \"%s.pb.cc\"" % stem,
            "#undef schemas",
            "#undef file_default_instances",
        ]
    return "\n".join(lines) + "\n"

def _write_chunks(ctx, stems):
    chunks = []
    for start in range(0, len(stems), _FILES_PER_CHUNK):
        name = "chunks/chunk_%d.cc" % (start // _FILES_PER_CHUNK)
        ctx.file(name, _chunk_text(stems[start:start + _FILES_PER_CHUNK]))
        chunks.append(name)
    return chunks

def _link_sources(ctx):
    package = cache_folder(ctx) + "/npm/protos/node_modules/@grpc/grpc-js-xds"
    require_fetched(ctx, package, "npm's @grpc/grpc-js-xds")
    for root, place in _NPM_ROOTS.items():
        ctx.symlink(package + "/" + place, "npm/" + root)
    validate = ctx.read(package + "/deps/protoc-gen-validate/validate/validate.proto")
    ctx.file("npm/validate/validate.proto", _patched_validate(validate))
    ctx.symlink(ctx.path(ctx.attr.supplements).dirname, "supplements")

def _envoy_api_impl(ctx):
    _link_sources(ctx)
    protos = _closure(ctx, ENVOY_PROTO_ROOTS)
    stems = [proto[:-len(".proto")] for proto in protos]
    sources = [
        ("supplements/" if ctx.path("supplements/" + proto).exists else "npm/") + proto
        for proto in protos
    ]
    ctx.template("BUILD", ctx.attr.build_template, {
        "{chunks}": repr(_write_chunks(ctx, stems)),
        "{generated_headers}": repr(["gen/%s.pb.h" % stem for stem in stems]),
        "{generated_sources}": repr(["gen/%s.pb.cc" % stem for stem in stems]),
        "{protos}": repr(sources),
    })

envoy_api = repository_rule(
    implementation = _envoy_api_impl,
    doc = "Makes `@envoy_api//:protos`, a library of every message that bazel/protos names.",
    attrs = {
        "build_template": attr.label(default = "//bazel:third_party/envoy_api.BUILD.tpl"),
        "supplements": attr.label(default = "//bazel/protos:supplements/README.md"),
    },
    environ = CACHE_ENVIRON,
    local = True,
)
