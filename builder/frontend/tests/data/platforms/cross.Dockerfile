FROM --platform=$BUILDPLATFORM localhost:5000/tools:1 AS once
RUN echo the same for every target
WORKDIR /src
FROM once AS build
ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT
RUN --mount=type=cache,id=c-$TARGETARCH,target=/c echo $TARGETPLATFORM >/out
COPY --chmod=644 <<f /src/$TARGETARCH
for $TARGETPLATFORM
f
FROM localhost:5000/base:1
WORKDIR /app
COPY --from=build --chown=app /out /src /app/
COPY --link --from=once /src /linked
FROM scratch
COPY --from=2 /app /
COPY --from=build /out /out
ARG TARGETARCH
ENV ARCH=$TARGETARCH
