# covers: real project: Go
ARG GO=1
FROM --platform=$BUILDPLATFORM localhost:5000/base:${GO} AS build
WORKDIR /src
RUN --mount=type=bind,source=go.mod,target=go.mod --mount=type=bind,source=go.sum,target=go.sum --mount=type=cache,target=/go/pkg/mod go mod download
ARG TARGETOS TARGETARCH
ARG VERSION=${VERSION:-dev}
RUN --mount=target=. --mount=type=cache,target=/go/pkg/mod --mount=type=cache,id=gocache-$TARGETARCH,target=/root/.cache \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags "-X main.v=${VERSION}" -o /out/app ./cmd/app
FROM scratch
COPY --from=build /out/app /
ENTRYPOINT ["/app"]
