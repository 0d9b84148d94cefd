#!/usr/bin/env something
# syntax=docker/dockerfile:1
# covers: directive behind shebang
# opt: cmdline=docker/dockerfile:1
FROM scratch
COPY a /
