# covers: COPY --from image
FROM scratch
COPY --from=localhost:5000/base:1 /etc/a /b
COPY --from=localhost:5000/base:1 /etc/c /d
