# covers: unused stage
FROM scratch AS unused
COPY u /
RUN make
FROM scratch
COPY a /
