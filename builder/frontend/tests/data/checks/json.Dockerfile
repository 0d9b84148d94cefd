FROM scratch AS a
CMD x
ENTRYPOINT y
FROM scratch AS b
SHELL ["/bin/bash", "-c"]
CMD x
FROM b
ENTRYPOINT y
HEALTHCHECK CMD z
FROM a
SHELL ["s"]
CMD x
