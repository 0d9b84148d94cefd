# covers: RUN --mount=type=bind, mount source, mount target, mount readwrite, mount readonly, mount dst, mount src, mount destination, mount rw, mount ro
FROM scratch AS s
COPY x y
FROM localhost:5000/base:1
RUN --mount=target=/all true
RUN --mount=type=bind,source=a/b,target=/b,readwrite true
RUN --mount=type=bind,src=c,dst=rel/d,rw=true --mount=from=s,source=/y,destination=/y,ro true
RUN --mount=type=bind,readonly=false,target=/e --mount=from=s,target=/e2 true
