FROM localhost:5000/base:1
ONBUILD COPY a /ob/
ONBUILD RUN <<EOT
one
EOT
ONBUILD ARG OB=1
ONBUILD RUN --mount=from=localhost:5000/base:1,target=/base2 echo $OB
ONBUILD COPY --from=localhost:5000/base:1 /etc/passwd /p
COPY <<x /x
text
x
