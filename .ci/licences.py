"""Licences, sources and versions of what is compiled in: `python3 .ci/licences.py [MANIFEST...]`, from the root.

Compares `cargo metadata` with deny.toml, as `cargo deny check bans licenses sources` does, which takes longer to build
than all else here: every crate has a licence that is allowed and is from a registry that is, none is wanted in any version;
crates in several versions are counted. A manifest of its own, such as that of `fuzz/`, has the versions of the workspace.
Advisories are not looked at: that takes `cargo deny` and its database. Prints what is wrong, and exits with 1 if there is
something.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tomllib

# As older manifests write "or".
SLASH = re.compile(r"\s*/\s*")
TOKEN = re.compile(r"\(|\)|[^\s()]+")
REGISTRIES = {
    "registry+https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
}


def is_allowed(expression, allowed):
    """Whether an SPDX expression holds with these licences; AND binds closer than OR, WITH closest."""
    tokens = TOKEN.findall(SLASH.sub(" OR ", expression))

    def either():
        found = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            found = both() or found
        return found

    def both():
        found = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            found = one() and found
        return found

    def one():
        token = tokens.pop(0)
        if token == "(":
            found = either()
            if tokens.pop(0) != ")":
                raise ValueError(expression)
            return found
        if token in (")", "AND", "OR", "WITH"):
            raise ValueError(expression)
        if tokens and tokens[0] == "WITH":
            token = f"{token} WITH {tokens[1]}"
            del tokens[:2]
        return token in allowed

    try:
        found = either()
    except IndexError:
        raise ValueError(expression) from None
    if tokens:
        raise ValueError(expression)
    return found


def graph(manifest, targets):
    """The packages that are compiled for these targets or used to build or test for them."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", manifest]
    command += [f"--filter-platform={target}" for target in targets]
    found = subprocess.run(command, stdout=subprocess.PIPE)
    if found.returncode != 0:
        folder = pathlib.Path(manifest).parent
        sys.exit(f"{folder}/Cargo.lock does not follow its manifests: see CONTRIBUTING.md")
    metadata = json.loads(found.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def wrong_licence(package, rules):
    """What is wrong with a package's licence; None if nothing is."""
    exceptions = {e["crate"]: e["allow"] for e in rules.get("exceptions", [])}
    allowed = set(rules["allow"]) | set(exceptions.get(package["name"], []))
    expression = package["license"]
    for clarified in rules.get("clarify", []):
        if clarified["crate"] == package["name"]:
            expression = clarified["expression"]
    if not expression:
        return "names no licence (deny.toml: licenses.clarify)"
    try:
        if is_allowed(expression, allowed):
            return None
    except ValueError:
        return f"has a licence that is no SPDX expression: {expression}"
    return f"has the licence {expression}, of which nothing is allowed"


def wildcards(package, rules):
    """Dependencies of this project in any version, but for its own crates where that is allowed."""
    paths = rules.get("allow-wildcard-paths", False)
    for dependency in package["dependencies"]:
        if dependency["req"] == "*" and not (paths and dependency.get("path")):
            yield f"takes any version of {dependency['name']}"


def other_versions(manifest):
    """Crates that a manifest's lock file has in a version that the workspace does not have."""
    ours = locked("Cargo.toml")
    for name, versions in locked(manifest).items():
        for version in sorted(versions - ours.get(name, versions)):
            yield f"{name} {version} is another version than the workspace's"


def locked(manifest):
    """The versions of each crate in a lock file."""
    lock = tomllib.loads((pathlib.Path(manifest).parent / "Cargo.lock").read_text(encoding="utf-8"))
    versions = collections.defaultdict(set)
    for package in lock["package"]:
        versions[package["name"]].add(package["version"])
    return versions


def check(manifest, rules):
    """What is wrong with the crates of a manifest, and how many crates there are, also of several versions."""
    packages = graph(manifest, rules["graph"]["targets"])
    wrong = list(other_versions(manifest))
    versions = collections.defaultdict(set)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        licence = wrong_licence(package, rules["licenses"])
        if licence:
            wrong.append(f"{name} {licence}")
        if package["source"] is None:
            wrong += [f"{name} {what}" for what in wildcards(package, rules["bans"])]
        elif package["source"] not in REGISTRIES:
            wrong.append(f"{name} is from {package['source']}")
        for ban in rules["bans"].get("deny", []):
            if ban.get("crate", ban.get("name")) == package["name"]:
                wrong.append(f"{name} is banned")
    several = sorted(name for name, found in versions.items() if len(found) > 1)
    if rules["bans"]["multiple-versions"] == "deny":
        wrong += [f"{name} is there in {len(versions[name])} versions" for name in several]
    return wrong, len(packages), several


def main():
    rules = tomllib.loads(pathlib.Path("deny.toml").read_text(encoding="utf-8"))
    failed = False
    for manifest in sys.argv[1:] or ["Cargo.toml"]:
        wrong, count, several = check(manifest, rules)
        failed = failed or bool(wrong)
        print(f"{manifest}: {count} crates, {len(wrong)} problems, {len(several)} in several versions")
        for line in wrong:
            print(f"  {line}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
