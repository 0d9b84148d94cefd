# covers: named context over stage
# opt: context:s=docker-image://localhost:5000/base:1
FROM scratch AS s
COPY never /
FROM s
RUN a
