#!/usr/bin/env python3
"""Checks the source tree: layers, cycles, lengths, banned calls, headers, names, documents.

usage: tests/tidy/tidy_test.py [RULE...]

Run by Bazel it looks at the tree that it was linked from, and reports each rule as one case.
"""

import inspect
import os
import pathlib
import sys
from xml.sax.saxutils import quoteattr

sys.dont_write_bytecode = True
HERE = pathlib.Path(os.path.realpath(__file__)).parent
sys.path.insert(0, str(HERE))

import code_rules  # noqa: E402
import text_rules  # noqa: E402
from source_tree import SourceTree, functions  # noqa: E402

LONG_FILE_LINES = 400


def check_the_checker():
    """The function finder itself: what it must and must not count."""
    code = ("namespace a {\nint f(int x) {\n  if (x) {\n  }\n  return 1;\n}\n"
            "class B {\n  void g() {\n  }\n};\n}\n")
    if list(functions(code)) != [(2, 5), (8, 2)]:
        yield "functions() finds %s" % list(functions(code))


def long_files(tree):
    """Files that are allowed but worth a look."""
    return ["%s (%d)" % (f, tree.text(f).count("\n")) for f in tree.sources()
            if tree.text(f).count("\n") > LONG_FILE_LINES]


def write_report(results):
    """The result as Bazel's test.xml, a case for each rule."""
    path = os.environ.get("XML_OUTPUT_FILE")
    if not path:
        return
    failed = sum(1 for problems in results.values() if problems)
    with open(path, "w") as out:
        out.write('<?xml version="1.0"?>\n<testsuites><testsuite name="tidy" tests="%d" '
                  'failures="%d">\n' % (len(results), failed))
        for name, problems in results.items():
            out.write('<testcase name=%s classname="tidy">' % quoteattr(name))
            if problems:
                out.write("<failure message=%s/>" % quoteattr("\n".join(problems[:20])))
            out.write("</testcase>\n")
        out.write("</testsuite></testsuites>\n")


def main():
    tree = SourceTree(HERE.parent.parent)
    rules = {rule.__name__: rule for rule in code_rules.RULES + text_rules.RULES}
    wanted = sys.argv[1:] or list(rules)
    if unknown := set(wanted) - set(rules):
        sys.exit("no such rule: %s; there are %s" % (", ".join(unknown), ", ".join(rules)))
    results = {"the checker": list(check_the_checker())}
    for name in wanted:
        results[name] = sorted(set(rules[name](tree)))
    for name, problems in results.items():
        title = inspect.getdoc(rules[name]) if name in rules else ""
        print("%-24s %s" % (name, "ok" if not problems else "%d problems. %s" % (len(problems),
                                                                               title)))
        for problem in problems:
            print("  " + problem)
    for path in long_files(tree):
        print("long: " + path)
    write_report(results)
    return 1 if any(results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
