# covers: LABEL, LABEL legacy
FROM scratch
LABEL a=1 "b c"="d e" f=$HOME
LABEL old style label
COPY a b
