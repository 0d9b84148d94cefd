FROM scratch
COPY secret /1
