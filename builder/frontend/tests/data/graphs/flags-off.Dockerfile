# covers: switches set to false
FROM localhost:5000/base:1 AS base
FROM base
COPY --link=false --parents=false a /1
ADD --link=FALSE --keep-git-dir=false --unpack=false b.tar /2
ADD --keep-git-dir=false https://example.com/o/r.git#v1 /3
RUN --mount=type=bind,target=/x,ro=false,source=s a
RUN --mount=type=bind,target=/x,rw=false,source=s a
RUN --mount=type=secret,id=s,required=false a
RUN --mount=type=cache,target=/c,readonly=true,uid=0,gid=0,mode=0755 a
