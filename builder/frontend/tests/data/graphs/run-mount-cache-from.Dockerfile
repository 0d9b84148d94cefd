# covers: mount cache from, mount mode, mount uid, mount gid
FROM scratch AS s
COPY x y
FROM localhost:5000/base:1
RUN --mount=type=cache,from=s,source=/y,target=/c true
RUN --mount=type=cache,from=s,target=/c true
RUN --mount=type=cache,target=/d,uid=1000,gid=1001,mode=0700 true
RUN --mount=type=cache,target=/e,mode=755 true
