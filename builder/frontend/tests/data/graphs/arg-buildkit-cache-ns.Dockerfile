# covers: ARG BUILDKIT_CACHE_MOUNT_NS
# opt: build-arg:BUILDKIT_CACHE_MOUNT_NS=ns
FROM localhost:5000/base:1
RUN --mount=type=cache,target=/c true
