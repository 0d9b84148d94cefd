# ripgrep with the compiler and the standard libraries of Debian. The context holds its source and its crates.
FROM --platform=$BUILDPLATFORM xx AS xx

FROM --platform=$BUILDPLATFORM trixie AS build
COPY --from=xx / /
RUN apt-get update && apt-get install -y --no-install-recommends cargo clang gcc libc6-dev lld rustc
WORKDIR /src
ARG TARGETPLATFORM
RUN xx-apt-get install -y --no-install-recommends xx-c-essentials && xx-cargo --setup-target-triple
COPY . .
ENV CARGO_PROFILE_DEV_DEBUG=0
ARG XX_RUSTFLAGS="-Ctarget-feature=+crt-static"
RUN xx-cargo build --frozen --target-dir /build && \
    mkdir /out && cp /build/$(xx-cargo --print-target-triple)/debug/rg /out && \
    xx-verify --static /out/rg
FROM scratch
COPY --from=build /out /
