ARG VERSION
ARG NAME=debian BASE=scratch
ARG EMPTY=
FROM ${BASE} AS a
FROM $BASE$UNKNOWN AS b
FROM --platform=$BULDPLATFORM${BUILDPLATFORM} scratch AS c
FROM ${VERSION:-scratch} AS d
FROM scratch${EMPTY} AS e
FROM --platform=${TARGETPLATFORM} scratch AS f
FROM --platform=$TARGETPLATFORM scratch AS g
FROM --platform=${TARGETPLATFORM:-x} scratch AS h
FROM --platform=$TARGETOS/$TARGETARCH scratch AS i
FROM --platform=linux/amd64 scratch AS j
FROM --platform=linux/amd64 scratch AS j-amd64
FROM --platform=linux/amd64 scratch AS linux-j
FROM --platform=${X:-linux/amd64} scratch AS k
FROM --platform="linux/arm64" scratch AS l
