package(default_visibility = ["//visibility:public"])

# What protos of our own import; see weir_proto_library in //bazel:weir.bzl.
filegroup(
    name = "proto_files",
    srcs = {protos},
)

genrule(
    name = "generate",
    srcs = [":proto_files"],
    outs = {generated_headers} + {generated_sources},
    cmd = "protoc --proto_path=external/envoy_api/supplements" +
          " --proto_path=external/envoy_api/npm --proto_path=/usr/include" +
          " --cpp_out=$(RULEDIR)/gen $(SRCS)",
)

# The full names of the messages of Envoy's extensions, sorted, each as a C++ string literal and a
# comma: also of those that are not compiled.
genrule(
    name = "list_extensions",
    srcs = glob([
        "npm/envoy/extensions/**/*.proto",
        "supplements/envoy/extensions/**/*.proto",
    ]),
    outs = ["gen/envoy_extension_names.inc"],
    cmd = "awk '/^package / { sub(/;.*/, \"\", $$2); package = $$2 }" +
          " /^message / { sub(/[^A-Za-z0-9_].*/, \"\", $$2); print package \".\" $$2 }' $(SRCS)" +
          " | LC_ALL=C sort -u | sed 's/.*/\"&\",/' > $@",
)

cc_library(
    name = "extension_names",
    includes = ["gen"],
    textual_hdrs = ["gen/envoy_extension_names.inc"],
)

# Size over speed: what the generated code does is read a configuration, and its pages stay mapped
# afterwards. alwayslink keeps every type findable by name in DescriptorPool::generated_pool().
cc_library(
    name = "protos",
    srcs = {chunks},
    hdrs = {generated_headers},
    copts = [
        "-Os",
        "-g0",
        "-w",
        "-std=c++20",
        "-ffunction-sections",
        "-fdata-sections",
    ],
    includes = ["gen"],
    linkstatic = True,
    textual_hdrs = {generated_sources},
    deps = ["@protobuf"],
    alwayslink = True,
)
