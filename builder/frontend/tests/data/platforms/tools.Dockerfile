FROM scratch
COPY busybox /bin/sh
