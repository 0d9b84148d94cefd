# covers: COPY --link
FROM scratch
COPY --link a /1
COPY --link b /2
COPY c /3
