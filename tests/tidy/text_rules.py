"""Rules about documents and words. Each takes the tree and yields problems."""

import os
import re

MAX_README_LINES = 40

# A path in a document: `proxy/base/buffer.h`, `tests/cases/`, `//proxy:weir`.
QUOTED = re.compile(r"`([^`\s]+)`")
TOP_FOLDERS = ("proxy/", "filters/", "config/", "xds/", "tests/", "bazel/", "docker/", "examples/",
               "docs/", ".ci/")


def documents(tree):
    return [f for f in tree.files if f.endswith(".md")]


def documented_paths(tree):
    """Paths that documents name exist."""
    for document in documents(tree):
        for line_number, line in enumerate(tree.text(document).splitlines(), 1):
            for quoted in QUOTED.findall(line):
                problem = missing_path(tree, os.path.dirname(document), quoted)
                if problem:
                    yield "%s:%d: %s" % (document, line_number, problem)


def missing_path(tree, folder, quoted):
    if quoted.startswith("//"):
        package = quoted[2:].split(":")[0].rstrip("/.")
        return None if tree.exists(package or ".") else "there is no package %s" % quoted
    if not quoted.startswith(TOP_FOLDERS) or re.search(r"[*<>{}$@|\\=,]", quoted):
        return None
    path = re.sub(r"(:\d+|:\w+|::\w+.*)$", "", quoted).rstrip("/")
    found = tree.exists(path) or tree.exists(os.path.join(folder, path)) or any(
        tree.exists(path + suffix) for suffix in (".h", ".cc"))
    return None if found else "there is no %s" % quoted


def readmes(tree):
    """Each folder with code has a README.md of at most 40 lines."""
    folders = {os.path.dirname(f) for f in tree.sources()}
    for folder in sorted(folders):
        readme = os.path.join(folder, "README.md")
        if not tree.exists(readme):
            yield "%s: no README.md (purpose, key classes, where to look, never do)" % folder
        elif tree.text(readme).count("\n") > MAX_README_LINES:
            yield "%s has %d lines, at most %d" % (readme, tree.text(readme).count("\n"),
                                                  MAX_README_LINES)


# Words that tell of work that is not done. They are put together here so that this file passes.
UNFINISHED = re.compile(r"\b(" + "|".join(
    ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "place" + "holder", "for " + "now",
     "not implemented " + "yet"]) + r")\b")


def unfinished_work(tree):
    """Nothing is announced instead of done."""
    for path in tree.texts():
        if path.startswith(("tests/fuzz/corpus", "bazel/third_party")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if match := UNFINISHED.search(line):
                yield "%s:%d: %s" % (path, number, match.group(0))


# Hosts that packages come from: whoever builds this has their own.
URL = re.compile(r"https?://([^\s/:\"'`<>()\[\]\\]+)")
PACKAGE_HOST = re.compile(
    r"^(registry|deb|ftp\d*|mirrors?|archive|snapshot|security|packages?|pkgs?|downloads?|files"
    r"|pypi|crates|artifactory|nexus|npm|yarn|proxy)\d*\.(?!example|test)", re.I)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/[\w.]")


def foreign_places(tree):
    """No download host and no path of somebody's machine is written down."""
    for path in tree.texts():
        if path.startswith("tests/") and not path.endswith((".py", ".sh", ".md", ".json")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if match := MACHINE_PATH.search(line):
                yield "%s:%d: a path of one machine: %s" % (path, number, match.group(0))
            for host in URL.findall(line):
                if PACKAGE_HOST.match(host):
                    yield "%s:%d: the host %s; Debian and npm know theirs" % (path, number, host)


def tabs_and_ends(tree):
    """No tab in code, no space at a line's end, no line above 100 columns, one newline last."""
    for path in tree.sources() + [f for f in tree.files if f.endswith((".py", ".bzl"))]:
        text = tree.text(path)
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            yield "%s: ends in %s" % (path, "no newline" if text[-1] != "\n" else "empty lines")
        for number, line in enumerate(text.splitlines(), 1):
            if "\t" in line:
                yield "%s:%d: a tab" % (path, number)
            if line != line.rstrip():
                yield "%s:%d: a space at the end" % (path, number)
            if len(line) > 100 and "http" not in line and "type.googleapis.com" not in line:
                yield "%s:%d: %d columns, at most 100" % (path, number, len(line))


RULES = [documented_paths, readmes, unfinished_work, foreign_places, tabs_and_ends]
