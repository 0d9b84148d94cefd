# covers: ONBUILD, ONBUILD in stage
FROM scratch AS base
ONBUILD COPY a /a
ONBUILD ENV X=1
ONBUILD WORKDIR /ob
FROM base AS mid
COPY b $X/
FROM mid
COPY c .
