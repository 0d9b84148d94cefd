# syntax=docker/dockerfile:1
# check=skip=all
# covers: directive syntax, directive check
# opt: cmdline=docker/dockerfile:1
FROM scratch
COPY a b
