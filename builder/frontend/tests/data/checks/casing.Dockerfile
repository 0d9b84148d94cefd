from scratch AS One
COPY a /
Copy b /
FROM scratch as two
copy c /
FROM scratch AS two
CMD ["x"]
From scratch as context
FROM scratch AS scratch
MAINTAINER me
