"""Rules about C++ code. Each takes the tree and yields problems, one sentence with its place."""

import os
import pathlib
import re
import subprocess
import tempfile

from source_tree import functions, own_includes

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

# Rooms from the ground up; a file may include its own room and those that its room lists.
GROUND = ["proxy/base"]
CONFIG = GROUND + ["config"]
MIDDLE = ["proxy/net", "proxy/http", "proxy/upstream", "proxy/stats"]
ROOMS = [
    ("proxy/base/", GROUND),
    ("config/", CONFIG),
    ("xds/", CONFIG + ["xds"]),
    ("proxy/net/", CONFIG + MIDDLE),
    ("proxy/http/", CONFIG + MIDDLE),
    ("proxy/tls/", CONFIG + ["proxy/net", "proxy/http", "proxy/stats", "proxy/tls"]),
    ("proxy/upstream/", CONFIG + MIDDLE + ["proxy/tls"]),
    ("proxy/stats/", CONFIG + MIDDLE),
    ("proxy/admin/", CONFIG + MIDDLE + ["proxy/tls", "proxy/admin"]),
    ("filters/", CONFIG + MIDDLE + ["filters"]),
    ("proxy/", CONFIG + MIDDLE + ["proxy/tls", "proxy/admin", "filters", "xds", "proxy"]),
    ("tests/", None),
    ("bazel/", None),
]


def is_test(path):
    return path.startswith("tests/") or path.endswith("_test.cc") or "/testing/" in path


def room_of(path):
    return next(((prefix, below) for prefix, below in ROOMS if path.startswith(prefix)), None)


def layers(tree):
    """Includes follow the arrows of ARCHITECTURE.md."""
    for path in tree.sources():
        room = room_of(path)
        if room is None:
            yield "%s: stands in no room; add it to ROOMS in tests/tidy/code_rules.py" % path
            continue
        if room[1] is None or is_test(path):
            continue
        for included in own_includes(tree, path):
            folder = os.path.dirname(included)
            if not any(folder == r or folder.startswith(r + "/") for r in room[1]):
                yield "%s includes %s, which stands above it" % (path, included)


def cycle_in(graph):
    """One cycle of a graph {node: [nodes]} as a list, or None."""
    state = {}
    for start in sorted(graph):
        stack = [(start, iter(graph[start]))] if state.get(start) is None else []
        state.setdefault(start, "open")
        while stack:
            node, successors = stack[-1]
            following = next(successors, None)
            if following is None:
                state[node] = "done"
                stack.pop()
            elif state.get(following) == "open":
                path = [n for n, _ in stack]
                return path[path.index(following):] + [following]
            elif following not in state:
                state[following] = "open"
                stack.append((following, iter(graph.get(following, ()))))
    return None


def include_cycles(tree):
    """No file includes itself through others, and no folder either."""
    files = {p: own_includes(tree, p) for p in tree.sources()}
    folders = {}
    for path, included in files.items():
        if not is_test(path):
            here = os.path.dirname(path)
            edges = {os.path.dirname(i) for i in included} - {here}
            folders.setdefault(here, set()).update(edges)
    for kind, graph in ("files", files), ("folders", {k: sorted(v) for k, v in folders.items()}):
        if cycle := cycle_in(graph):
            yield "%s that include each other: %s" % (kind, " -> ".join(cycle))


def file_lengths(tree):
    """No file of code is longer than 600 lines."""
    for path in tree.files:
        if path.endswith((".h", ".cc", ".c", ".py", ".sh", ".bzl")):
            lines = tree.text(path).count("\n")
            if lines > MAX_FILE_LINES:
                yield "%s has %d lines, at most %d; split it by topic" % (path, lines,
                                                                         MAX_FILE_LINES)


def function_lengths(tree):
    """No function is longer than 70 lines."""
    for path in tree.sources():
        for line, length in functions(tree.code(path)):
            if length > MAX_FUNCTION_LINES:
                yield "%s:%d: a function of %d lines, at most %d" % (path, line, length,
                                                                    MAX_FUNCTION_LINES)


def names(tree):
    """No class is called ...Impl or ...Factory, and headers have #pragma once."""
    pattern = re.compile(r"\b(?:class|struct)\s+(\w*(?:Impl|Factory))\b")
    for path in tree.sources():
        for match in pattern.finditer(tree.code(path)):
            line = tree.code(path).count("\n", 0, match.start()) + 1
            yield "%s:%d: %s: say what it is, not how it is made" % (path, line, match.group(1))
        if path.endswith(".h") and "#pragma once" not in tree.text(path):
            yield "%s: no #pragma once" % path
        stem = pathlib.PurePath(path).stem
        if stem != stem.lower():
            yield "%s: file names are in snake_case" % path


def banned_calls(tree):
    """Calls of banned.txt, which gives the reasons."""
    rules = []
    for line in tree.text("tests/tidy/banned.txt").splitlines():
        if line and not line.startswith("#"):
            where, pattern, reason = (part.strip() for part in line.split(" | "))
            rules.append((where, re.compile(pattern), reason))
    for path in tree.sources():
        for where, pattern, reason in rules:
            if (where == "production" and is_test(path)) or (
                    where not in ("production", "everywhere")
                    and (is_test(path) or not path.startswith(tuple(where.split())))):
                continue
            for match in pattern.finditer(tree.code(path)):
                line = tree.code(path).count("\n", 0, match.start()) + 1
                yield "%s:%d: %s: %s" % (path, line, match.group(0).strip(), reason)


def registry_only(tree):
    """Filters are listed in filters/registry.cc and register themselves nowhere."""
    pattern = re.compile(r"__attribute__\s*\(\(\s*constructor|\bREGISTER_\w+\s*\(|"
                         r"^static\s+(?:const\s+)?(?:bool|int)\s+\w*[Rr]egister\w*\s*=", re.M)
    for path in tree.sources("proxy", "filters", "config", "xds"):
        for match in pattern.finditer(tree.code(path)):
            yield "%s: registers itself (%s); list it in filters/registry.cc" % (
                path, match.group(0).strip())
    if not tree.exists("filters/registry.cc"):
        yield "filters/registry.cc does not exist"
        return
    listed = tree.text("filters/registry.cc")
    for path in tree.sources("filters"):
        folder = os.path.dirname(path)
        if path.endswith("_filter.h") and '"%s/' % folder not in listed:
            yield "%s: filters/registry.cc does not know the folder %s" % (path, folder)


def self_contained_headers(tree):
    """Each header comes first in some source, which proves it; the others are compiled alone."""
    first = set()
    for path in tree.sources():
        if path.endswith(".cc"):
            match = re.search(r'^#include\s+[<"]([^">]+)[">]', tree.text(path), re.M)
            if match:
                first.add(match.group(1))
    alone = [h for h in tree.sources() if h.endswith(".h") and h not in first]
    plain = [h for h in alone if not needs_generated(tree, h, set())]
    for header in sorted(set(alone) - set(plain)):
        yield "%s needs generated headers: include it first in its .cc, to prove it stands" % header
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for header in plain:
            source = pathlib.Path(folder) / (header.replace("/", "_") + ".cc")
            source.write_text('#include "%s"\n' % header)
            jobs.append((header, source))
        for header, source in jobs:
            run = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-I", str(tree.root),
                                  str(source)], capture_output=True, text=True)
            if run.returncode:
                yield "%s does not compile alone:\n%s" % (header, run.stderr[:1500])


def needs_generated(tree, path, seen):
    seen.add(path)
    if ".pb.h" in tree.text(path) or re.search(r"#include <(prometheus|openssl)/", tree.text(path)):
        return True
    return any(i not in seen and needs_generated(tree, i, seen) for i in own_includes(tree, path))


RULES = [layers, include_cycles, file_lengths, function_lengths, names, banned_calls,
         registry_only, self_contained_headers]
