# covers: FROM --platform
FROM --platform=linux/arm64 localhost:5000/base:1 AS a
RUN echo a
FROM --platform=$BUILDPLATFORM localhost:5000/base:1 AS b
RUN echo b
FROM --platform=linux/arm/v7 localhost:5000/base:1 AS c
RUN echo c
FROM --platform=linux/arm localhost:5000/base:1 AS d
RUN echo d
FROM scratch
COPY --from=a / /a
COPY --from=b / /b
COPY --from=c / /c
COPY --from=d / /d
