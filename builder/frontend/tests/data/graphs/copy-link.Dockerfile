# covers: COPY --link
FROM localhost:5000/base:1
COPY --link a /1
COPY --link --chown=app b /2
COPY --link=false c /3
COPY --link --chmod=600 d /4
