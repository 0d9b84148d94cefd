# covers: HEALTHCHECK zero
FROM scratch
SHELL ["/bin/bash", "-c"]
HEALTHCHECK --interval=0s --timeout=1h2m3.5s --start-period=1ms --retries=0 CMD a && b
COPY a /
