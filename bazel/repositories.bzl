"""Every third party of Weir, as Bazel repositories. bazel/README.md lists the labels."""

load("//bazel:debian_library.bzl", "debian_library")
load("//bazel:debian_source.bzl", "debian_source")
load("//bazel:envoy_api.bzl", "envoy_api")

def weir_repositories():
    """Declares the third parties; nothing is downloaded here, `make setup` has done that."""
    debian_library(
        name = "libevent",
        package = "libevent-dev",
        headers = ["event2", "event.h", "evutil.h"],
        archives = ["libevent_core.a"],
    )
    debian_library(
        name = "nghttp2",
        package = "libnghttp2-dev",
        headers = ["nghttp2"],
        archives = ["libnghttp2.a"],
        defines = ["NGHTTP2_STATICLIB"],
    )
    debian_library(
        name = "protobuf",
        package = "libprotobuf-dev",
        headers = ["google/protobuf"],
        archives = ["libprotobuf.a"],
        deps = ["@zlib"],
    )
    debian_library(
        name = "re2",
        package = "libre2-dev",
        headers = ["re2"],
        archives = ["libre2.a"],
    )
    debian_library(
        name = "c_ares",
        package = "libc-ares-dev",
        headers = ["ares.h", "ares_build.h", "ares_dns.h", "ares_rules.h", "ares_version.h"],
        archives = ["libcares.a"],
        defines = ["CARES_STATICLIB"],
    )
    debian_library(
        name = "zlib",
        package = "zlib1g-dev",
        headers = ["zlib.h", "zconf.h"],
        archives = ["libz.a"],
    )
    debian_library(
        name = "nlohmann_json",
        package = "nlohmann-json3-dev",
        headers = ["nlohmann"],
    )
    debian_library(
        name = "googletest",
        package = "libgtest-dev and libgmock-dev",
        headers = ["gtest", "gmock"],
        archives = ["libgmock.a", "libgtest.a"],
    )
    debian_library(
        name = "googletest_main",
        package = "libgtest-dev",
        archives = ["libgtest_main.a"],
        deps = ["@googletest"],
    )
    debian_source(
        name = "boringssl",
        source_package = "android-platform-external-boringssl",
        build_file = "//bazel:third_party/boringssl.BUILD",
    )
    debian_source(
        name = "prometheus_cpp",
        source_package = "prometheus-cpp",
        subfolder = "core",
        build_file = "//bazel:third_party/prometheus_cpp.BUILD",
    )
    debian_source(
        name = "yaml_cpp",
        source_package = "yaml-cpp",
        build_file = "//bazel:third_party/yaml_cpp.BUILD",
        patches = [
            "//bazel:third_party/yaml_cpp.patch",
            "//bazel:third_party/yaml_cpp_stream.patch",
        ],
    )
    envoy_api(name = "envoy_api")
