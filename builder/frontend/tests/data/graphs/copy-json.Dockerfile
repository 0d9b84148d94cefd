# covers: COPY JSON
FROM scratch
COPY ["a b", "/c d"]
