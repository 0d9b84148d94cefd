# covers: expand nothing, expand quotes
FROM localhost:5000/base:1
ENV A=a\ b B='$A' C="$A \$A" D=$A$B E=${A}x F="\"q\"" G=a'b c'd"e f"
ENV H=${U:-"a b"} I=${U:+x} J=${A:+"y z"} K=$U L= M=$ N=\\
LABEL "$A"=k l="$H" m='single "double"'
WORKDIR /$A/${U:-d}
COPY $A "$B" ${A%b}c /d/
RUN echo $A
