# covers: RUN --mount=type=ssh
FROM localhost:5000/base:1
RUN --mount=type=ssh true
RUN --mount=type=ssh,id=k,target=/k.sock,required,mode=0600 --mount=type=ssh,uid=1000 true
ENV SSH_AUTH_SOCK=/mine
RUN --mount=type=ssh true
