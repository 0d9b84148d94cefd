# covers: named context scratch
# opt: context:thing=docker-image://scratch
FROM thing
COPY a b
