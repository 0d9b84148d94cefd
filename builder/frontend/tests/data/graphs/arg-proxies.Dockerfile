# covers: ARG proxy lower case
# opt: build-arg:HTTPS_PROXY=http://p:1
# opt: build-arg:http_proxy=http://p:2
# opt: build-arg:ftp_proxy=http://p:3
# opt: build-arg:no_proxy=x,y
# opt: build-arg:all_proxy=a
FROM localhost:5000/base:1
RUN echo $https_proxy
ARG all_proxy
RUN echo $all_proxy
