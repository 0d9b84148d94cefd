# covers: ARG global, FROM variable
ARG NAME=base TAG=1
ARG FULL=localhost:5000/${NAME}:${TAG}
FROM ${FULL}
ARG NAME
ARG TAG=2
RUN echo $NAME $TAG
