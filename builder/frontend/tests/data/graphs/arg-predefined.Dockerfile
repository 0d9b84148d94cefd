# covers: ARG proxy
# opt: build-arg:HTTP_PROXY=http://p:1
# opt: build-arg:https_proxy=http://p:2
# opt: build-arg:NO_PROXY=x
# opt: build-arg:FTP_PROXY=f
# opt: build-arg:ALL_PROXY=a
FROM localhost:5000/base:1
RUN echo $HTTP_PROXY
ARG http_proxy
RUN echo $http_proxy
