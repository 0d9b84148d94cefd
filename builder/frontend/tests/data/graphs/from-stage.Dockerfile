# covers: FROM stage, FROM variable stage
ARG OS=linux
FROM scratch AS base-linux
COPY a /l
FROM scratch AS base-windows
COPY a /w
FROM base-${OS} AS mid
COPY b /m
FROM mid
COPY c /n
