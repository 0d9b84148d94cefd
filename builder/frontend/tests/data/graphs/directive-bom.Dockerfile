# escape=`
# covers: byte order mark
FROM scratch
COPY a `
  b /
