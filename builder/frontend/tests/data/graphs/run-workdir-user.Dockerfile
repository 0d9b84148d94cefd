# covers: USER, WORKDIR, WORKDIR relative
FROM localhost:5000/base:1
USER 1000:1000
WORKDIR sub
RUN a
USER other
WORKDIR /abs/
RUN b
WORKDIR ../up
RUN c
WORKDIR /
RUN d
USER root
WORKDIR x
