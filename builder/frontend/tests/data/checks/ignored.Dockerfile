FROM scratch AS before
COPY x /
FROM scratch AS a
ARG X=secret
COPY secret /1
COPY secret/deep /2
COPY /secret /3
COPY $X /4
COPY ok/../secret /5
COPY . /6
COPY ok secret /7/
COPY --from=before secret /8
ADD secret /9
ADD https://example.com/secret /10
COPY *.o x.o /11/
COPY sub/x.o "secret" ./secret/ /12/
COPY ["secret", "/13"]
COPY <<secret /14
secret
