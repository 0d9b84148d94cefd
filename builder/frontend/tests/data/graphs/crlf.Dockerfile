# covers: CRLF line ends
FROM scratch
COPY a \
  b /c/
COPY <<EOF /d
line
EOF
