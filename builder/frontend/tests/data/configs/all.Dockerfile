ARG TAG=1
FROM localhost:5000/base:${TAG}
MAINTAINER Some Body <s@example.com>
ARG A B=2 TAG
ARG C="x y"
ENV E=1 F="two words" PATH=/more:$PATH
ENV OLD style "value" here
LABEL l=1 "quoted key"="a \"b\" <&>" from=child
WORKDIR sub/dir
USER 1:2
WORKDIR /abs/
EXPOSE 80 443/tcp 53/UDP 9000-9002
VOLUME /data /logs
VOLUME ["/json path"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --start-interval=1s --retries=3 CMD curl -f "http://localhost/" || exit 1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
CMD echo $E "quoted"
ENTRYPOINT ["/entry", "a b"]
COPY --chown=app:app --chmod=644 <<one <<two /d/
text $E
one
more
two
ADD <<x /y
z
x
ONBUILD RUN echo later
ONBUILD COPY . /app
