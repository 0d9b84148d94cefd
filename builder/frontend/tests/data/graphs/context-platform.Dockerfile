# covers: named context for platform
# opt: context:thing::linux/amd64=docker-image://localhost:5000/base:1
# opt: context:thing=docker-image://localhost:5000/onbuild:1
FROM thing
RUN a
