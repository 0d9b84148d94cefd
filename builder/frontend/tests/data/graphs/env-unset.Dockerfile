# covers: ENV unset variable
FROM localhost:5000/base:1
ENV A=$NOPE B=${NOPE:-d} C=
RUN env
