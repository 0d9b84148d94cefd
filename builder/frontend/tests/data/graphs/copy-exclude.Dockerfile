# covers: COPY --exclude
FROM scratch
COPY --exclude=*.md --exclude=!README.md --exclude=b . /d/
