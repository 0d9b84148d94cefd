# covers: mount keys in any order
FROM scratch AS s
COPY x y
FROM localhost:5000/base:1
RUN --mount=target=/z,from=s,type=bind --mount=target=/a,type=cache --mount=target=/m,source=q make
