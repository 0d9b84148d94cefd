# A git repository as the main context; the Dockerfile is local here, so that nothing is fetched.
# covers: main context git
# opt: dockerfilekey=dockerfile
# opt: context=https://github.com/example/repo.git#v1.0:dir
FROM scratch
COPY a /b
RUN --mount=target=/ctx ["/x"]
