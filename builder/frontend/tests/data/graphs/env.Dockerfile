# covers: ENV, ENV legacy
FROM localhost:5000/base:1
ENV A=1 B="two words" C='$A' D=$A
ENV E the rest $A "q"
ENV PATH=/x:$PATH
ENV A=2
RUN env
ENV F=a\ b G="\""
RUN env
