FROM scratch
COPY <<root /etc/passwd
root:x:0:0::/root:/bin/sh
app:x:7:7::/:/bin/sh
root
ENV PATH=/base/bin:/bin BASE="1 2"
WORKDIR /base
USER app
LABEL from=base
CMD ["base"]
ENTRYPOINT ["/entry"]
EXPOSE 1
VOLUME /v
