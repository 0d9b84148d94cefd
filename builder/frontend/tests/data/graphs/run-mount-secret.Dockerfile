# covers: RUN --mount=type=secret, mount required, mount env
FROM localhost:5000/base:1
RUN --mount=type=secret,id=a true
RUN --mount=type=secret,id=b,target=/s/b,required=true,mode=0440,uid=1,gid=2 true
RUN --mount=type=secret,id=c,env=TOKEN true
RUN --mount=type=secret,id=d,env=T2,target=/d,required true
RUN --mount=type=secret,target=/x/y --mount=type=secret,source=src,uid=3 true
