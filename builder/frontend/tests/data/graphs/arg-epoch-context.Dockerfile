# A context on this machine has no time: the argument is not set.
# covers: ARG SOURCE_DATE_EPOCH=context
# opt: build-arg:SOURCE_DATE_EPOCH=context
FROM localhost:5000/base:1
ARG SOURCE_DATE_EPOCH
WORKDIR /a
COPY a b
RUN echo $SOURCE_DATE_EPOCH
