FROM scratch
COPY a \

  b /
COPY a \
  # comment
  b /
LABEL a=b \

  c=d \

  e=f
