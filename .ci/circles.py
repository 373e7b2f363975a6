"""Circles of imports between the source files of a crate: `python3 .ci/circles.py`, from the root.

A name that a file re-exports counts as an import of the file that defines it; tests in a file
(`#[cfg(test)] mod tests`) do not count. Prints each circle, and exits with 1 if there is one.
"""

import pathlib
import re
import sys

VISIBLE = r"pub(?:\([^)]*\))?\s+"


def expand(tree):
    """The paths of a `use` tree, without its braces."""
    tree = tree.strip()
    found = re.match(r"^([^{]*)\{(.*)\}$", tree, re.S)
    if not found:
        return [re.sub(r"\s+as\s+\w+|\s", "", tree)]
    prefix, body = found.groups()
    parts, depth, start = [], 0, 0
    for at, character in enumerate(body + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(body[start:at])
            start = at + 1
    return [prefix.strip() + path for part in parts if part.strip() for path in expand(part)]


def modules(source):
    """The text of each file below `source`, by module path, without comments and tests."""
    found = {}
    for file in source.rglob("*.rs"):
        path = file.relative_to(source).with_suffix("").parts
        if path[-1] in ("mod", "lib", "main"):
            path = path[:-1]
        text = re.sub(r"//[^\n]*", "", file.read_text())
        # Who may see a name is no import.
        text = re.sub(r"pub\(in [^)]*\)", "pub", text)
        found[path] = text.split("#[cfg(test)]\nmod tests")[0]
    return found


def imports(source):
    """The modules that each module imports from."""
    texts = modules(source)
    exported = {}
    for module, text in texts.items():
        for tree in re.findall(VISIBLE + r"use\s+([^;]+);", text):
            for path in expand(tree):
                exported[module, path.split("::")[-1]] = path.split("::")

    def resolve(module, path, depth=0):
        path = list(path)
        if path[0] == "crate":
            at, path = (), path[1:]
        elif path[0] == "super":
            at = module
            while path and path[0] == "super":
                at, path = at[:-1], path[1:]
        elif path[0] == "self":
            at, path = module, path[1:]
        elif module + (path[0],) in texts:
            at = module
        else:
            return None
        while path and at + (path[0],) in texts:
            at, path = at + (path[0],), path[1:]
        if path and depth < 8 and (at, path[0]) in exported:
            return resolve(at, exported[at, path[0]], depth + 1) or at
        return at

    graph = {}
    for module, text in texts.items():
        # A re-export is no import of what it passes on.
        text = re.sub(VISIBLE + r"use\s+[^;]+;", "", text)
        paths = [path for tree in re.findall(r"\buse\s+([^;]+);", text) for path in expand(tree)]
        text = re.sub(r"\buse\s+[^;]+;", "", text)
        paths += re.findall(r"\b(?:crate|super)(?:::\w+)+", text)
        for child in texts:
            is_child = child and child[:-1] == module
            if is_child and re.search(rf"\b{child[-1]}::\w", text):
                paths.append(child[-1])
        targets = {resolve(module, path.split("::")) for path in paths}
        graph[module] = targets - {None, module}
    return graph


def circles(graph):
    """Groups of modules that reach each other."""

    def reached(start):
        seen, left = set(), [start]
        while left:
            for target in graph[left.pop()]:
                if target not in seen:
                    seen.add(target)
                    left.append(target)
        return seen

    reach = {module: reached(module) for module in graph}
    groups = {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in graph
        if module in reach[module]
    }
    return [sorted("::".join(module) or "the root" for module in group) for group in groups]


def main():
    found = 0
    for source in sorted(pathlib.Path().glob("*/*/src")):
        for group in circles(imports(source)):
            print(f"{source}: a circle of {', '.join(group)}")
            found += 1
    print(f"{found} circles of files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
