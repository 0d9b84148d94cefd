# covers: mount variables
FROM localhost:5000/base:1 AS s
COPY a /p
FROM localhost:5000/base:1
ARG P=p M=0600 U=7 G=8 K=shared S=1m E=NAME I=id
RUN --mount=type=bind,from=s,source=/$P,target=/b/$P --mount=type=cache,target=/c/${P},id=$I,sharing=$K,uid=$U,gid=$G,mode=$M true
RUN --mount=type=tmpfs,target=/t/$P,size=$S --mount=type=secret,id=$I,target=/s/$P,mode=$M,uid=$U,gid=$G --mount=type=secret,id=$I,env=$E true
RUN --mount=type=ssh,id=$I,target=/a/$P,mode=$M,required=${X:-true} true
