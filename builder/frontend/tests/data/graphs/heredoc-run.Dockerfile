# covers: RUN heredoc
FROM localhost:5000/base:1
RUN <<EOF
set -e
echo $HOME "x"
EOF
RUN <<-"EOF"
	one
		two
	EOF
