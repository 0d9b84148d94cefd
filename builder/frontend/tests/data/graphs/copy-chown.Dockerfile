# covers: COPY --chown
FROM localhost:5000/base:1
ARG WHO=me
COPY --chown=1000 a /1
COPY --chown=1000:2000 a /2
COPY --chown=$WHO:staff a /3
COPY --chown=root:root a /4
COPY --chown=app a /5
COPY --chown=:7 a /6
