# covers: RUN --mount=type=cache, mount id, mount sharing
FROM localhost:5000/base:1
ARG N=name
RUN --mount=type=cache,target=/c true
RUN --mount=type=cache,id=$N-x,target=/d/,sharing=locked --mount=type=cache,target=rel,sharing=private true
RUN --mount=type=cache,target=/e/../f,sharing=shared,readonly true
