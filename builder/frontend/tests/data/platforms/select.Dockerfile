ARG BASE=localhost:5000/base:1
FROM ${BASE} AS base-amd64
WORKDIR /amd64
FROM ${BASE} AS base-arm64
WORKDIR /arm64
FROM --platform=$BUILDPLATFORM ${BASE} AS base-arm
WORKDIR /arm
FROM base-${TARGETARCH}
COPY <<f /x
$TARGETARCH
f
ADD --chown=7 <<f /$BUILDARCH
f
