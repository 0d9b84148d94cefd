FROM scratch
COPY a /1
COPY . /2
