FROM scratch AS a
WORKDIR x
WORKDIR y
FROM a
WORKDIR z
FROM scratch
ARG D=rel E=/abs
WORKDIR $D
FROM scratch
ARG D=rel E=/abs
WORKDIR $E
WORKDIR $D
FROM scratch
WORKDIR "/q"
FROM scratch
WORKDIR 'q'
FROM scratch
WORKDIR C:\\x
