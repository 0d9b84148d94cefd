# covers: ONBUILD mount from
FROM localhost:5000/base:1 AS tools
COPY t /t
FROM localhost:5000/base:1 AS base
ONBUILD RUN --mount=from=tools,target=/t make
ONBUILD COPY --from=tools /t /t2
FROM base
RUN x
