# covers: named context http
# opt: context:src=https://example.com/dir/file.txt?x=1
FROM scratch
COPY --from=src context /file.txt
