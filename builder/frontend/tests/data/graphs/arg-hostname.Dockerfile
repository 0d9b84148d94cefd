# covers: ARG BUILDKIT_SANDBOX_HOSTNAME
# opt: build-arg:BUILDKIT_SANDBOX_HOSTNAME=builder
FROM localhost:5000/base:1
RUN hostname
