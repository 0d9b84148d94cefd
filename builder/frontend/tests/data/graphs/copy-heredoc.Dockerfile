# covers: COPY heredoc, heredoc several, heredoc <<-, heredoc quoted
FROM scratch
ARG V=value
COPY <<one.txt <<-two <<"three" /d/
v $V ${V} \$V "q" 'r'
one.txt
	indented $V
	two
$V kept
three
COPY <<-'EOT' /e
		x\y
EOT
