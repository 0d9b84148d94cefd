# covers: named context git
# opt: context:src=https://example.com/o/r.git#v1:sub
# opt: context:src2=git://example.com/q
FROM scratch
COPY --from=src /a /b
RUN --mount=from=src2,target=/x true
