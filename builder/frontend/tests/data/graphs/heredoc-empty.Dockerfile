# covers: heredoc empty
FROM scratch
COPY <<EOF /empty
EOF
COPY <<"a-b" /d/
x
a-b
