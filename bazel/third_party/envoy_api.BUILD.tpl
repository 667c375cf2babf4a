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
