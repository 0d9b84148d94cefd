# covers: label option
# opt: label:x=y
FROM scratch
LABEL a=1
COPY a b
