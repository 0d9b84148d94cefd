# covers: expand nested, expand escape
FROM scratch
ARG A=a B=${A}b C=${NO:-${B:-x}}
COPY ${A}/\$A /"q-$A"/'$A'/${C}/$B$A
