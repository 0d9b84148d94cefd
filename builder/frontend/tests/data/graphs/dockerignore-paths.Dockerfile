# covers: dockerignore and paths
FROM scratch
COPY a /b
COPY c/ d/* /e/
