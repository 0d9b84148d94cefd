# covers: no-cache
# opt: no-cache=
FROM localhost:5000/base:1 AS a
RUN a
FROM a
RUN b
