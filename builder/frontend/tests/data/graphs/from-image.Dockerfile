# covers: FROM, RUN, USER of image, WORKDIR of image
FROM localhost:5000/base:1
RUN make
COPY a b
