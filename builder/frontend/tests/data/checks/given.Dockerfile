# opt: build-arg:BUILDKIT_DOCKERFILE_CHECK=skip=StageNameCasing
# check=skip=all
FROM scratch AS X
ENV a b
