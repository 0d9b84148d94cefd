# covers: named context local
# opt: context:src=local:extra
FROM scratch AS base
COPY --from=src a b/c /d/
FROM base
RUN --mount=from=src,source=x,target=/x true
