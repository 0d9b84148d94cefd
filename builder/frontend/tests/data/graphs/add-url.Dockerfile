# covers: ADD URL
FROM scratch
ADD https://example.com/ /root/
ADD http://example.com/a%20b/c.tgz https://example.com/x /d/
