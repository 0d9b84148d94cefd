# The same program with cgo and a C library of the target.
FROM --platform=$BUILDPLATFORM xx AS xx

FROM --platform=$BUILDPLATFORM debian AS build
COPY --from=xx / /
RUN apt-get update && apt-get install -y --no-install-recommends clang file golang-go lld
# From here on a step runs once per target platform.
ARG TARGETPLATFORM
RUN xx-apt-get install -y --no-install-recommends xx-c-essentials zlib1g-dev
WORKDIR /src
COPY . .
ENV CGO_ENABLED=1
ARG GO_LDFLAGS="-linkmode=external -extldflags=-static"
RUN xx-go build -trimpath -buildvcs=false -ldflags="$GO_LDFLAGS" -o /out/crc . && \
    xx-verify /out/crc

FROM scratch
COPY --from=build /out /
ENTRYPOINT ["/crc"]
