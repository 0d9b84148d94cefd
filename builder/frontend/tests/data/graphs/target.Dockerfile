# covers: target stage
# opt: target=B
FROM scratch AS a
COPY a a
FROM scratch AS b
COPY b b
FROM scratch
COPY c c
