# covers: COPY --chmod symbolic
FROM scratch
ARG M=go=u
COPY --chmod=a=rX,u+w a /1
COPY --chmod=$M a /2
COPY --chmod=+x --link a /3
ADD --chmod=u=rwx,go-w a /4
COPY --chmod=ug+rw,o= <<E /5
x
E
