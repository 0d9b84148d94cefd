# covers: RUN JSON, RUN shell, SHELL
FROM localhost:5000/base:1
RUN ["a", "b c"]
RUN a  b   c
SHELL ["/bin/bash", "-ec"]
RUN d $e ${f} "g"
RUN ["h"]
RUN [ not json
