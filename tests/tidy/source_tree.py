"""The source tree as the rules see it: its files, and C++ text without comments and literals."""

import os
import pathlib
import re

SKIPPED_FOLDERS = {".git", "node_modules", "__pycache__", ".idea", ".vscode"}
CODE_SUFFIXES = (".h", ".cc", ".c")
TEXT_SUFFIXES = CODE_SUFFIXES + (".py", ".sh", ".bzl", ".md", ".yaml", ".yml", ".json", ".proto",
                                 ".case", ".txt", ".mjs", ".js", ".cjs", ".tpl", "")


class SourceTree:
    """All files below a root, by their path from it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = sorted(self._walk())
        self._text = {}
        self._code = {}

    def _walk(self):
        for folder, folders, names in os.walk(self.root):
            relative = pathlib.Path(folder).relative_to(self.root)
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS
                          and not (folder == str(self.root) and f.startswith("bazel-"))]
            for name in names:
                yield str(relative / name) if str(relative) != "." else name

    def text(self, path):
        """The file's text; bytes that are not UTF-8 come as replacement characters."""
        if path not in self._text:
            self._text[path] = (self.root / path).read_text(errors="replace")
        return self._text[path]

    def code(self, path):
        """The text with comments and the insides of literals blanked; lines stay where they are."""
        if path not in self._code:
            self._code[path] = blank_comments_and_literals(self.text(path))
        return self._code[path]

    def sources(self, *folders):
        """C++ files, all of them or those below one of the folders."""
        return [f for f in self.files if f.endswith(CODE_SUFFIXES)
                and (not folders or f.startswith(tuple(x + "/" for x in folders)))]

    def texts(self):
        return [f for f in self.files
                if pathlib.PurePath(f).suffix in TEXT_SUFFIXES and "/corpus/" not in f]

    def exists(self, path):
        return (self.root / path).exists()


LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/'                    # comments
    r'|R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                  # strings
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",  # characters, but not digit separators
    re.S)


def blank_comments_and_literals(text):
    def blank(match):
        inside = match.group(0)
        kept = re.sub(r"[^\n]", " ", inside)
        return '"' + kept[1:-1] + '"' if inside[0] in '"R' and len(kept) > 1 else kept
    # An include keeps its path.
    lines = text.split("\n")
    blanked = LITERAL.sub(blank, text).split("\n")
    return "\n".join(line if line.startswith("#include") else clean
                     for line, clean in zip(lines, blanked))


INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)


def own_includes(tree, path):
    """Files of the tree that `path` includes."""
    return [i for i in INCLUDE.findall(tree.text(path)) if tree.exists(i)]


CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^;(){}]*$|"
                       r"\b(class|struct)\b[^;{}]*:[^;{}]*$")


def functions(code):
    """Yields (first line, length in lines) of each function body at namespace or class scope.

    A brace at such a scope opens a function when the text since the last statement has a
    parameter list and no `=` initialiser in front of it.
    """
    stack = []
    statement = 0
    for at, char in enumerate(code):
        if char in ";" and all(kind == "container" for kind, _ in stack):
            statement = at + 1
        elif char == "{":
            head = code[statement:at]
            outside = all(kind == "container" for kind, _ in stack)
            if not outside:
                stack.append(("block", at))
            elif CONTAINER.search(head) and not re.search(r"\)\s*(const|noexcept|override)*\s*$",
                                                          head):
                stack.append(("container", at))
                statement = at + 1
            elif "(" in head:
                stack.append(("function", statement + len(head) - len(head.lstrip())))
            else:
                stack.append(("block", at))
        elif char == "}" and stack:
            kind, start = stack.pop()
            if kind == "function":
                first = code.count("\n", 0, start) + 1
                yield first, code.count("\n", start, at) + 1
            if all(kind == "container" for kind, _ in stack):
                statement = at + 1
