# In FROM itself a stage is named in lower case.
# covers: stage names in any case
FROM scratch AS Build
COPY a /a
FROM build as other
COPY --from=bUILD /a /b
RUN --mount=from=Build,target=/x ["y"]
FROM other
COPY --from=0 /a /c
