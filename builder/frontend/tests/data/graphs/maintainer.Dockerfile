# covers: MAINTAINER
FROM scratch
MAINTAINER Somebody <s@example.com>
COPY a b
