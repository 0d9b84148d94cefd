# opt: build-arg:IMAGE=scratch
ARG IMAGE
ARG OTHER=scratch
FROM $IMAGE AS a
FROM ${OTHER} AS b
FROM ${IMAGE:-scratch} AS c
FROM $IMAGE:$OTHER
