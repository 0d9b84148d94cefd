# covers: HEALTHCHECK, HEALTHCHECK NONE, HEALTHCHECK JSON, HEALTHCHECK --interval, HEALTHCHECK --timeout, HEALTHCHECK --start-period, HEALTHCHECK --start-interval, HEALTHCHECK --retries
FROM scratch
HEALTHCHECK --interval=30s --timeout=3s --start-period=1m --start-interval=500ms --retries=3 CMD curl -f x
HEALTHCHECK CMD ["a", "b"]
HEALTHCHECK NONE
COPY a b
