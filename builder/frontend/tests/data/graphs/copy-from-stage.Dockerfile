# covers: COPY --from stage, COPY --from index, FROM AS
FROM scratch AS One
COPY a b
FROM scratch AS two
COPY --from=one /b /c
COPY --from=0 /b /d
FROM two
COPY --from=two / /all
