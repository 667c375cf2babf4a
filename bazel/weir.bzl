"""The macros that every target of Weir is declared with.

They add the warnings that stop a build, C++20 and static linking, and link tests with GoogleTest.
Third-party headers arrive as system headers and do not warn.
"""

WEIR_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wimplicit-fallthrough",
    "-Wextra-semi",
    "-Wpointer-arith",
    "-Wvla",
    "-Wno-unused-parameter",
    # Configurations still use fields that Envoy's messages call deprecated.
    "-Wno-deprecated-declarations",
    # Designated initialisers leave out what keeps its default.
    "-Wno-missing-field-initializers",
    # g++ 12 reports these for std::string and std::optional code that is right.
    "-Wno-restrict",
    "-Wno-stringop-overflow",
    "-Wno-maybe-uninitialized",
]

def weir_library(name, copts = [], **kwargs):
    """A library of one room; visible to its own package unless `visibility` widens it."""
    native.cc_library(
        name = name,
        copts = WEIR_COPTS + copts,
        linkstatic = True,
        **kwargs
    )

def weir_binary(name, copts = [], **kwargs):
    """A program."""
    native.cc_binary(
        name = name,
        copts = WEIR_COPTS + copts,
        linkstatic = True,
        **kwargs
    )

def weir_test(name, deps = [], copts = [], size = "small", main = True, **kwargs):
    """A GoogleTest program, run by `bazel test`.

    Args:
      name: the target; by custom the source without `.cc`.
      deps: what is tested; GoogleTest and its main are added.
      copts: further compiler flags.
      size: Bazel's test size, which sets the time limit.
      main: False when the sources bring their own main().
      **kwargs: as for cc_test.
    """
    native.cc_test(
        name = name,
        copts = WEIR_COPTS + copts,
        linkstatic = True,
        size = size,
        deps = deps + ["@googletest"] + (["@googletest_main"] if main else []),
        **kwargs
    )

def weir_fuzz_test(name, srcs, deps = [], copts = [], **kwargs):
    """A fuzz target `<x>_fuzz`: sources with LLVMFuzzerTestOneInput, inputs in `corpus/<x>/`.

    An ordinary build links a main that runs every file of the corpus once, as a test. With
    `--config=fuzz` libFuzzer's main is linked; `make fuzz` builds and runs that.

    Args:
      name: the target, which must end in _fuzz.
      srcs: the sources.
      deps: what is fuzzed.
      copts: further compiler flags.
      **kwargs: as for cc_test.
    """
    if not name.endswith("_fuzz"):
        fail("weir_fuzz_test %s: the name must end in _fuzz" % name)
    corpus = "corpus/" + name[:-len("_fuzz")]
    files = native.glob([corpus + "/**"])
    if not files:
        fail("weir_fuzz_test %s: put at least one input into %s" % (name, corpus))
    native.cc_test(
        name = name,
        srcs = srcs,
        args = [native.package_name() + "/" + corpus],
        copts = WEIR_COPTS + copts,
        data = files,
        linkopts = select({
            "//bazel:fuzz": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        linkstatic = True,
        size = "small",
        tags = ["fuzz"],
        deps = deps + select({
            "//bazel:fuzz": [],
            "//conditions:default": ["//bazel:replay_corpus"],
        }),
        **kwargs
    )

def weir_proto_library(name, srcs, **kwargs):
    """Our own .proto files as one C++ library, found by name at run time.

    The package is the import root: in //config/proto, `weir/a/v1/a.proto` is imported, and its
    header included, by that path. The files may import each other, google/protobuf/*,
    validate/validate.proto and all of `@envoy_api//:protos`.

    Args:
      name: the target.
      srcs: .proto files below the package; files that import each other stand in one target.
      **kwargs: as for cc_library.
    """
    stems = [src[:-len(".proto")] for src in srcs]
    headers = ["gen/%s.pb.h" % stem for stem in stems]
    sources = ["gen/%s.pb.cc" % stem for stem in stems]
    root = native.package_name()
    native.genrule(
        name = name + "_generate",
        srcs = srcs + ["@envoy_api//:proto_files"],
        outs = headers + sources,
        cmd = "protoc --proto_path=%s --proto_path=external/envoy_api/supplements" % root +
              " --proto_path=external/envoy_api/npm --proto_path=/usr/include" +
              " --cpp_out=$(RULEDIR)/gen " +
              " ".join(["$(location %s)" % src for src in srcs]),
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-Os", "-g0", "-w"],
        includes = ["gen"],
        linkstatic = True,
        deps = ["@envoy_api//:protos"],
        alwayslink = True,
        **kwargs
    )
