# covers: RUN --mount=type=tmpfs, mount size
FROM localhost:5000/base:1
RUN --mount=type=tmpfs,target=/t true
RUN --mount=type=tmpfs,target=/u,size=64m true
