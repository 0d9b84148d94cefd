# covers: COPY --chmod, COPY --chmod variable
FROM localhost:5000/base:1
ARG MODE=u=rwx,go=rx
COPY --chmod=755 a /1
COPY --chmod=0640 a /2
COPY --chmod=$MODE a /3
COPY --chmod=u+x,g-w a /4
COPY --chmod=7777 a /5
