# covers: COPY, COPY several, COPY wildcard
FROM scratch
COPY a /
COPY a b c/ /d/
COPY *.txt d?r/[a-c]* ./
COPY . .
