# covers: EXPOSE, EXPOSE range, EXPOSE variable
FROM scratch
ARG P="80 443"
EXPOSE 9000 53/udp $P 8000-8002/tcp
COPY a b
