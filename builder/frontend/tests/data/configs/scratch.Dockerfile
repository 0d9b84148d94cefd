FROM scratch AS first
ENV X=1
CMD ["first"]
ENTRYPOINT ["first"]
LABEL a=b
ONBUILD ENV FROM_TRIGGER=yes
FROM first
ENTRYPOINT ["second"]
HEALTHCHECK NONE
WORKDIR /
COPY <<f /f
data
f
