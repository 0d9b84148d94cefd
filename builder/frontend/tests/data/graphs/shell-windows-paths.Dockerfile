# covers: SHELL windows
FROM scratch
SHELL ["cmd", "/S", "/C"]
COPY a b
RUN dir
