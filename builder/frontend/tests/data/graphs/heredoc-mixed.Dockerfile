# covers: heredoc beside files, heredoc chmod
FROM localhost:5000/base:1
ARG V=1
COPY --chmod=755 --chown=1:2 <<one <<-'two' a b /d/
${V} $V \$V
one
	tab $V
	two
RUN <<a cat && <<"b" sh -x
first $V
a
second $V
b
RUN python3 <<EOF
print("$V")
EOF
ONBUILD RUN <<EOF
later
EOF
COPY z /z
