# covers: COPY --parents, COPY --parents pivot
FROM scratch
COPY --parents a/b/c.txt /d/
COPY --parents a/./b/*.txt /e/
COPY --parents x/*/y ./z/w /f/
COPY --parents --exclude=**/t /abs/./q /g/
