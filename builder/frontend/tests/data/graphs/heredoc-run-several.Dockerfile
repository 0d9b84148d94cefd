# covers: RUN heredoc several
FROM localhost:5000/base:1
RUN cat <<a > /x && 3<<b cat /dev/fd/3 <<-c
file a
a
file b
b
	file c
	c
RUN echo '<<no' \<<no2
