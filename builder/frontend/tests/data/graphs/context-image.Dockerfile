# covers: named context docker-image
# opt: context:thing=docker-image://localhost:5000/base:1
# opt: context:other=docker-image://localhost:5000/onbuild:1
FROM thing AS t
RUN a
FROM scratch
COPY --from=other /a /b
COPY --from=t / /
