# covers: RUN --network
FROM localhost:5000/base:1
RUN --network=none a
RUN --network=host b
RUN --network=default c
